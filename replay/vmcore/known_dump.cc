#include "replay/vmcore/known_dump.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "libcore/archive/checksum.h"
#include "libcore/base/cache_directory.h"
#include "libcore/base/private_directory.h"
#include "replay/vmcore/import.h"
#include "replay/vmcore/kdump_file.h"
#include "replay/vmcore/qemu_stream.h"
#include "replay/vmcore/save_image.h"

namespace ktstr::vmcore {

namespace fs = std::filesystem;

bool LooksLikeDump(const std::string& path) {
  const auto file = archive::InputFile::Open(path);
  std::array<std::byte, 20> begin;
  if (!file || !file->ReadAt(0, begin)) return false;
  // A whole machine's core, not a program (ET_CORE is 4, at e_type).
  constexpr size_t kTypeAt = 16;
  if (IsElf(begin)) return begin[kTypeAt] == std::byte{4};
  if (IsKdump(begin) || IsSaveImage(begin) || IsQemuStream(begin)) return true;
  const auto dump = DumpFile::Open(path);
  return dump && dump->flattened();
}

Result<std::string> ArchiveOfDump(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) {
    return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                fmt::format("{}: {}", path, std::strerror(errno)));
  }
  const std::string cache = UserCacheDirectory();
  if (cache.empty()) {
    return Fail(ErrorCode::kIo,
                fmt::format("{} is a dump, and there is no cache directory for its archive: set "
                            "HOME, or make one with 'ktstr-replay import'",
                            path));
  }
  const std::array<uint64_t, 5> key = {uint64_t(status.st_dev), uint64_t(status.st_ino),
                                       uint64_t(status.st_size), uint64_t(status.st_mtim.tv_sec),
                                       uint64_t(status.st_mtim.tv_nsec)};
  return (fs::path(cache) / "dumps" /
          fmt::format("{}-{:016x}.kts", fs::path(path).filename().string(),
                      archive::Checksum(std::as_bytes(std::span(key)))))
      .string();
}

Result<std::string> ArchiveFor(const std::string& path, const std::string& imported_by,
                               const std::function<void(const std::string&)>& say) {
  if (!LooksLikeDump(path)) return path;
  const std::string archive = KTSTR_TRY(ArchiveOfDump(path));
  if (fs::exists(archive)) return archive;
  const Vmcore dump = KTSTR_TRY(OpenVmcore({path}, {}));
  KTSTR_TRY(MakePrivateDirectories(fs::path(archive).parent_path()));
  say(fmt::format("{} is a dump ({}): it is imported, once, into {}", path, dump.kind, archive));
  const ImportSummary summary = KTSTR_TRY(ImportVmcore(
      dump, CutOff::kRefuse, archive, {.overwrite = true, .imported_by = imported_by}));
  for (const std::string& warning : summary.warnings) say(warning);
  return archive;
}

}  // namespace ktstr::vmcore
