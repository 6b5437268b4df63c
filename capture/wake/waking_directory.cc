#include "capture/wake/waking_directory.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <system_error>

#include "capture/system/system_error.h"

namespace ktstr {

Result<WakingDirectory> WakingDirectory::Make() {
  const char* runtime = getenv("XDG_RUNTIME_DIR");
  const bool usable = runtime != nullptr && access(runtime, W_OK) == 0;
  std::string name = fmt::format("{}/ktstr-XXXXXX", usable ? runtime : "/tmp");
  if (mkdtemp(name.data()) == nullptr) {
    return FailErrno(fmt::format("making a directory for sockets ('{}')", name));
  }
  return WakingDirectory(name);
}

WakingDirectory::~WakingDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace ktstr
