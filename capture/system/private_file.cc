#include "capture/system/private_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "capture/system/system_error.h"
#include "libcore/base/in_the_making.h"

namespace ktstr {

Result<UniqueFd> MakePrivateFile(const std::filesystem::path& path) {
  const std::string creating = fmt::format("creating '{}'", path.string());
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, kOwnerOnly));
  struct stat info = {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) return FailErrno(creating);
  // A device, such as /dev/null, is everybody's. A file may have been there, made by others of us.
  if (S_ISREG(info.st_mode) && (info.st_mode & ~S_IFMT) != kOwnerOnly &&
      fchmod(fd.get(), kOwnerOnly) != 0) {
    return FailErrno(creating);
  }
  return fd;
}

}  // namespace ktstr
