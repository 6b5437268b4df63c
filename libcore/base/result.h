// Errors as values: every function that can fail returns Result<T>, and KTSTR_TRY hands an error
// up.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace ktstr {

// What kind of thing went wrong. Closed: a caller may switch over it.
enum class ErrorCode {
  kInvalidArgument,  // the caller (or the person at the command line) asked for something malformed
  kNotFound,         // a named thing (symbol, type, member, file, task) does not exist
  kUnmapped,         // a virtual address has no translation
  kUnreadable,   // guest memory that exists but whose contents are not available, with the reason
  kOutOfRange,   // an address, index or size beyond what there is
  kDamaged,      // stored or received bytes contradict themselves (checksum, structure)
  kUnsupported,  // well-formed, but of a version or kind that this program does not know
  kReadOnly,     // a write to what cannot be written
  kExists,       // would overwrite what must not be overwritten
  kTimeout,      // the other side did not answer in time
  kPeer,         // the other side (QEMU, the guest) answered with an error or went away
  kIo,           // the operating system refused (disk full, permission, ...)
  kInterrupted,  // somebody asked for the end
  kAmbiguous,    // independent sources disagree, or more than one thing has that name
};

// The code's name as it is shown to people and in JSON, such as "unmapped".
std::string_view ErrorCodeName(ErrorCode code);

// A failure: its kind, one sentence that says what was being done to what, and what lay beneath.
class Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  // The same failure seen from one level up: `what` says what was being attempted there. Keeps the
  // code, so that a caller can still tell a damaged archive from a missing one.
  Error Wrap(std::string what) &&;

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  // nullptr when this is the root.
  const Error* cause() const { return cause_.get(); }
  // This message and those of all causes, joined by ": "; one line.
  std::string ToString() const;

 private:
  ErrorCode code_;
  std::string message_;
  std::shared_ptr<const Error> cause_;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error(code, std::move(message)));
}
inline tl::unexpected<Error> Fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

// How a program ends (README, "Exit codes").
enum class ExitCode : int {
  kDone = 0,
  kAnswerIsNo = 1,
  kUsage = 2,
  kBadInput = 3,
  kEnvironment = 4,
};

// The exit code for an error that reached main(): kUsage for arguments, kEnvironment for what the
// machine or a peer refused, kBadInput for everything that is wrong with the data.
ExitCode ExitCodeFor(ErrorCode code);

namespace internal {
template <typename T, typename E>
T Unwrap(tl::expected<T, E>&& result) {
  return *std::move(result);
}
template <typename E>
void Unwrap(tl::expected<void, E>&&) {}
}  // namespace internal

// Evaluates a Result (or an expected value with another error); yields its value, or returns its
// error from the enclosing function.
#define KTSTR_TRY(expression)                                            \
  ({                                                                     \
    auto ktstr_try_result = (expression);                                \
    if (!ktstr_try_result) {                                             \
      return ::tl::make_unexpected(std::move(ktstr_try_result).error()); \
    }                                                                    \
    ::ktstr::internal::Unwrap(std::move(ktstr_try_result));              \
  })

}  // namespace ktstr
