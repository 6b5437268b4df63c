// Why an operation was refused: what kind of thing was wrong, which check saw it, and a sentence.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "libcore/base/result.h"

namespace ktstr {

// What was wrong. Closed: a caller may switch over it.
enum class OpErrorCode {
  // The request.
  kValueKind,       // a value that this target or direction does not take
  kUncheckedWrite,  // `unchecked` on a write
  kReplyTooLarge,   // the reads asked for more than a reply can carry
  kTooManyEntries,  // more than kOpEntriesMax
  // Names.
  kSymbolUnknown,        // the kernel has no symbol of that name, or several
  kSymbolNotAnAddress,   // the symbol stands for an offset or a number
  kPerCpuSymbolUnknown,  // not one of the per-CPU structures that can be asked for
  kTypesUnavailable,     // the kernel's BTF cannot be had
  kTypeUnknown,          // the BTF lacks a structure
  kFieldUnknown,         // a structure lacks the member
  kNoSchedExt,           // a kernel without sched_ext
  // Addresses.
  kBelowDirectMap,     // Direct below page_offset
  kBeyondDirectMap,    // Direct that ends beyond page_offset + RAM
  kAddressOverflow,    // address + length exceeds 64 bits
  kBelowKernelHalf,    // Kva below 0xff00000000000000
  kNoSuchCpu,          // the kernel has no CPU of that number
  kPerCpuBelowKernel,  // per-CPU arithmetic that leads below page_offset
  // Memory.
  kUnmapped,    // no translation
  kUnreadable,  // mapped, but its bytes are not available
  kReadOnly,    // this memory takes no writes
  // The search for a task.
  kTaskListEmpty,   // init_task is alone
  kTaskListBroken,  // a next pointer of 0
  kTaskWalkCap,     // kMaxTaskNodes visited
  kTaskUnmapped,    // a leader on the list cannot be read
  kTaskIsInit,      // the search came upon init_task itself
  kTaskNotFound,    // no task of that pid
  // The checks of the task that was found.
  kTaskPid,        // L1
  kTaskStartTime,  // L2
  kTaskDead,       // L3
  kTaskOnRq,       // L4
  kTaskOnDsq,      // L5, scx.dsq
  kTaskRunnable,   // L5, scx.runnable_node
  kTaskClass,      // L6
  kTaskRecycled,   // L8
};

// Which check it was. Those of a task keep the numbers under which they are known; there is no L7.
enum class OpLayer {
  kRequest,     // what the request says, before anything is looked at
  kName,        // symbols, types and members
  kAddress,     // arithmetic with addresses
  kMemory,      // translation, reading, writing
  kTaskLookup,  // the search for a task
  kL1,          // its pid
  kL2,          // its start time
  kL3,          // it is not dead
  kL4,          // it is on no run queue
  kL5,          // it is in no DSQ and on no runnable list
  kL6,          // it is sched_ext's
  kL8,          // it has a boot time
};

// As messages and people have it: "value-kind", …, and "request", …, "L1", ….
std::string_view OpErrorCodeName(OpErrorCode code);
std::string_view OpLayerName(OpLayer layer);
// Nothing for a name that there is not.
std::optional<OpErrorCode> OpErrorCodeOfName(std::string_view name);
std::optional<OpLayer> OpLayerOfName(std::string_view name);

struct OpError {
  OpErrorCode code;
  OpLayer layer;
  std::string text;  // what was seen, without the entry and the target
};

template <typename T>
using OpResult = tl::expected<T, OpError>;
using OpStatus = OpResult<void>;

inline tl::unexpected<OpError> Refuse(OpErrorCode code, OpLayer layer, std::string text) {
  return tl::unexpected<OpError>(OpError{code, layer, std::move(text)});
}

// An error of translating, reading or writing memory.
OpError MemoryError(const Error& error);

}  // namespace ktstr
