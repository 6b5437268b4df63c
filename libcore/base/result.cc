#include "libcore/base/result.h"

namespace ktstr {

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid argument";
    case ErrorCode::kNotFound:
      return "not found";
    case ErrorCode::kUnmapped:
      return "unmapped";
    case ErrorCode::kUnreadable:
      return "unreadable";
    case ErrorCode::kOutOfRange:
      return "out of range";
    case ErrorCode::kDamaged:
      return "damaged";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kReadOnly:
      return "read-only";
    case ErrorCode::kExists:
      return "exists";
    case ErrorCode::kTimeout:
      return "timeout";
    case ErrorCode::kPeer:
      return "peer";
    case ErrorCode::kIo:
      return "i/o";
    case ErrorCode::kInterrupted:
      return "interrupted";
    case ErrorCode::kAmbiguous:
      return "ambiguous";
  }
  return "unknown";
}

Error Error::Wrap(std::string what) && {
  Error outer(code_, std::move(what));
  outer.cause_ = std::make_shared<const Error>(std::move(*this));
  return outer;
}

std::string Error::ToString() const {
  std::string text = message_;
  for (const Error* e = cause(); e != nullptr; e = e->cause()) {
    text += ": ";
    text += e->message();
  }
  return text;
}

ExitCode ExitCodeFor(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return ExitCode::kUsage;
    case ErrorCode::kTimeout:
    case ErrorCode::kPeer:
    case ErrorCode::kIo:
    case ErrorCode::kExists:
    case ErrorCode::kInterrupted:
      return ExitCode::kEnvironment;
    case ErrorCode::kNotFound:
    case ErrorCode::kUnmapped:
    case ErrorCode::kUnreadable:
    case ErrorCode::kOutOfRange:
    case ErrorCode::kDamaged:
    case ErrorCode::kUnsupported:
    case ErrorCode::kReadOnly:
    case ErrorCode::kAmbiguous:
      return ExitCode::kBadInput;
  }
  return ExitCode::kBadInput;
}

}  // namespace ktstr
