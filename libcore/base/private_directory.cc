#include "libcore/base/private_directory.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace ktstr {

namespace {
constexpr mode_t kOwnerAll = 0700;
}

Status MakePrivateDirectories(const std::filesystem::path& directory) {
  std::error_code ignored;
  if (directory.empty() || std::filesystem::is_directory(directory, ignored)) return {};
  KTSTR_TRY(MakePrivateDirectories(directory.parent_path()));
  // Another process may make it, too.
  if (mkdir(directory.c_str(), kOwnerAll) == 0 || errno == EEXIST) return {};
  // "a/b/" has an empty last part.
  if (errno == ENOENT && directory.filename().empty()) return {};
  return Fail(ErrorCode::kIo,
              fmt::format("making '{}': {}", directory.native(), std::strerror(errno)));
}

}  // namespace ktstr
