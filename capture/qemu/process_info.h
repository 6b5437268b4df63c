// What /proc says about another process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

// Its whole command line, argument by argument. Errors: kIo.
Result<std::vector<std::string>> ReadCommandLine(pid_t pid);

// The QEMU that was started with -name guest=NAME, as libvirt does. Errors: kNotFound.
Result<pid_t> FindByGuestName(const std::string& name);

// One mapping of a process, a line of /proc/PID/maps.
struct ProcessMapping {
  uint64_t begin = 0, end = 0;  // addresses of that process
  bool shared = false;
  uint64_t offset = 0;  // of `begin` in the file, in bytes
  uint64_t device = 0;  // as st_dev
  uint64_t inode = 0;   // 0 for anonymous memory
  std::string path;     // as /proc shows it, " (deleted)" included

  friend bool operator==(const ProcessMapping&, const ProcessMapping&) = default;
};

// The mappings in a text of the form of /proc/PID/maps; lines that make no sense are left out.
std::vector<ProcessMapping> ParseMappings(std::string_view maps);
// Errors: kIo.
Result<std::vector<ProcessMapping>> ReadMappings(pid_t pid);

// A file that a process maps, opened for reading and writing (or for reading where writing is not
// permitted): by the process's own descriptor of it, so that its name may be gone. Errors: kIo.
Result<UniqueFd> OpenMappedFile(pid_t pid, const ProcessMapping& mapping);

}  // namespace ktstr
