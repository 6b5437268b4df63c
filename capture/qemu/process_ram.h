// RAM that is private to QEMU, read out of its process: what QEMU has for a guest unless it was
// told to share it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <vector>

#include "capture/qemu/process_info.h"
#include "capture/qemu/ram_source.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

// Its addresses are those of the process.
class ProcessRam : public RamSource {
 public:
  // `mappings` are the process's. Errors: kIo where this user may not read its memory: that takes
  // the right to trace it (ptrace(2)), which Yama gives to root alone for processes that are no
  // children.
  static Result<std::unique_ptr<ProcessRam>> Open(pid_t pid, std::vector<ProcessMapping> mappings);

  Status Read(uint64_t address, std::span<std::byte> out) override;
  Status Write(uint64_t address, std::span<const std::byte> bytes) override;
  Status CheckWritable() override { return {}; }
  // By /proc/PID/pagemap: of memory without a file, a page that is neither present nor swapped out
  // was never touched.
  uint64_t NextTouched(uint64_t from, uint64_t end) override;

 private:
  ProcessRam(UniqueFd memory, UniqueFd pagemap, std::vector<ProcessMapping> mappings, pid_t pid)
      : memory_(std::move(memory)),
        pagemap_(std::move(pagemap)),
        mappings_(std::move(mappings)),
        pid_(pid) {}

  UniqueFd memory_;   // /proc/PID/mem
  UniqueFd pagemap_;  // none where it may not be read
  std::vector<ProcessMapping> mappings_;
  pid_t pid_;
};

}  // namespace ktstr
