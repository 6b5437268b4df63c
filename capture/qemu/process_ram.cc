#include "capture/qemu/process_ram.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "capture/system/system_error.h"
#include "libcore/base/address.h"
#include "libcore/base/read_at.h"

namespace ktstr {

namespace {

// Documentation/admin-guide/mm/pagemap.rst
constexpr uint64_t kPagePresent = uint64_t{1} << 63, kPageSwapped = uint64_t{1} << 62;

}  // namespace

Result<std::unique_ptr<ProcessRam>> ProcessRam::Open(pid_t pid,
                                                     std::vector<ProcessMapping> mappings) {
  const std::string directory = fmt::format("/proc/{}", pid);
  UniqueFd memory(open((directory + "/mem").c_str(), O_RDWR | O_CLOEXEC));
  if (!memory.valid()) return FailErrno(fmt::format("opening {}/mem", directory));
  UniqueFd pagemap(open((directory + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  return std::unique_ptr<ProcessRam>(
      new ProcessRam(std::move(memory), std::move(pagemap), std::move(mappings), pid));
}

Status ProcessRam::Read(uint64_t address, std::span<std::byte> out) {
  const auto [bytes, error] = ReadFully(memory_.get(), address, out);
  if (bytes == out.size()) return {};
  if (error == 0) return Fail(ErrorCode::kPeer, fmt::format("process {} has ended", pid_));
  return FailErrno(fmt::format("reading {} bytes of process {} at {:#x}", out.size() - bytes, pid_,
                               address + bytes),
                   error);
}

Status ProcessRam::Write(uint64_t address, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n =
        pwrite(memory_.get(), bytes.data(), bytes.size(), static_cast<off_t>(address));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return FailErrno(
          fmt::format("writing {} bytes of process {} at {:#x}", bytes.size(), pid_, address));
    }
    if (n == 0) return Fail(ErrorCode::kPeer, fmt::format("process {} has ended", pid_));
    bytes = bytes.subspan(size_t(n));
    address += uint64_t(n);
  }
  return {};
}

uint64_t ProcessRam::NextTouched(uint64_t from, uint64_t end) {
  std::array<uint64_t, 512> entries;
  while (from < end) {
    const auto mapping = std::ranges::find_if(
        mappings_, [&](const ProcessMapping& m) { return m.begin <= from && from < m.end; });
    // What a file holds is there whether this process has touched it or not.
    if (!pagemap_.valid() || mapping == mappings_.end() || mapping->inode != 0) return from;
    const uint64_t pages = (std::min(end, mapping->end) - from) / kPageSize;
    const size_t asked = std::min<uint64_t>(pages, entries.size()) * sizeof entries[0];
    const ssize_t n = pread(pagemap_.get(), entries.data(), asked,
                            static_cast<off_t>(from / kPageSize * sizeof entries[0]));
    if (n < ssize_t(sizeof entries[0])) return from;
    for (size_t i = 0; i < size_t(n) / sizeof entries[0]; ++i, from += kPageSize) {
      if (entries[i] & (kPagePresent | kPageSwapped)) return from;
    }
  }
  return end;
}

}  // namespace ktstr
