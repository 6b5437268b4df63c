// The frozen scheduler in the layout of the kernel's own debug dump of sched_ext.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyze/index/database.h"
#include "analyze/memory_sql/memory_source.h"

namespace ktstr {

struct ScxDump {
  int64_t scheduler = 0;  // number in table scx
  std::string ops_name;
  std::vector<std::string> lines;
};

// A dump of each scheduler that is loaded, as scx_dump_state() in kernel/sched/ext.c of that kernel
// would write it at the moment of the freeze: line by line what SysRq-D prints. Where it ends, the
// dump says why, as the one that the kernel makes of an error. Unlike the kernel, which cannot, it
// shows the stacks of tasks that are running; CPUs stand in the order of their numbers (from 7.3 on
// the kernel begins with those that have stalled); a value that is not known is "?". Lines that
// begin with "# " are ours, and no part of the layout. Errors: those of Database::Query and
// MemorySource::Kernel.
Result<std::vector<ScxDump>> ScxDumps(const Database& index, MemorySource& memory);

}  // namespace ktstr
