// Which processes have certain kernel objects open: the tables of files of all processes (struct
// files_struct, include/linux/fdtable.h), and in them the files whose private_data is one of these
// objects, such as pipes and BPF maps.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

inline constexpr uint64_t kModeRead = 1, kModeWrite = 2;  // FMODE_READ, FMODE_WRITE, linux/fs.h

struct OpenFile {
  std::optional<int64_t> pid;  // task.tgid
  int64_t fd;
  Kva file, object, table;
  uint64_t mode;  // kModeRead and kModeWrite of it
};

// Each file descriptor of each process that is open on one of the objects (addresses), in the order
// of ListTasks. Threads that share their files are looked at once. What is damaged becomes
// anomalies of `walk`. Errors: those of ListTasks.
Result<std::vector<OpenFile>> ListOpenFiles(const Walk& walk, std::unordered_set<uint64_t> objects);

}  // namespace ktstr
