// Errors of the operating system as ktstr errors.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include "libcore/base/result.h"

namespace ktstr {

// kIo with "what: reason of errno".
inline tl::unexpected<Error> FailErrno(std::string what, int error = errno) {
  return Fail(ErrorCode::kIo, std::move(what) + ": " + std::strerror(error));
}

}  // namespace ktstr
