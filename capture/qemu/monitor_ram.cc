#include "capture/qemu/monitor_ram.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "capture/system/memory_file.h"
#include "capture/system/system_error.h"

namespace ktstr {

Result<std::unique_ptr<MonitorRam>> MonitorRam::Open(QmpClient& qmp) {
  UniqueFd file = KTSTR_TRY(MakeMemoryFile("guest-memory"));
  HandedFile handed = KTSTR_TRY(HandedFile::Give(qmp, file.get()));
  return std::unique_ptr<MonitorRam>(new MonitorRam(qmp, std::move(file), std::move(handed)));
}

Status MonitorRam::Read(uint64_t address, std::span<std::byte> out) {
  const std::lock_guard lock(mutex_);
  KTSTR_TRY(qmp_.Execute(
      "pmemsave", {{"val", address}, {"size", out.size()}, {"filename", handed_.plain_path()}}));
  struct stat info = {};
  if (fstat(file_.get(), &info) != 0) return FailErrno("looking at what QEMU wrote");
  if (uint64_t(info.st_size) != out.size()) {
    return Fail(ErrorCode::kPeer, fmt::format("{} wrote {} of {} bytes of guest memory at {:#x}",
                                              qmp_.name(), info.st_size, out.size(), address));
  }
  return ReadFirst(file_.get(), out);
}

Status MonitorRam::Write(uint64_t, std::span<const std::byte>) { return CheckWritable(); }

Status MonitorRam::CheckWritable() {
  return Fail(ErrorCode::kReadOnly,
              "the guest's memory can only be read through QEMU's monitor; to write it takes the "
              "right to trace QEMU's process, or RAM that QEMU shares");
}

}  // namespace ktstr
