// What can be asked of a kernel's memory: a batch of reads or of writes, and its reply. README.md
// tells what each part means; WIRE.md and json.h how it is written down.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/ops/op_error.h"

namespace ktstr {

// Limits on the wire. Texts that are too long are cut between two characters; everything else that
// is too large is refused.
inline constexpr size_t kOpReasonMax = 256;    // bytes of UTF-8
inline constexpr size_t kOpTagMax = 256;       // bytes of UTF-8
inline constexpr size_t kOpNameMax = 256;      // bytes of a symbol's name or a field's path
inline constexpr size_t kOpEntriesMax = 4096;  // entries of a request
inline constexpr size_t kOpRequestMax = size_t{1} << 20;  // bytes of an encoded request
inline constexpr size_t kOpReplyMax = size_t{1} << 20;    // bytes of an encoded reply

// Whether the request could be served beside a running guest (hot) or needs it frozen (cold). Every
// request is served in a freeze: for a hot one that is more than it asked for.
enum class OpMode : uint8_t { kHot = 0, kCold = 1 };

enum class OpDirection : uint8_t { kRead = 0, kWrite = 1 };

// A variable of the kernel image, by name.
struct SymbolTarget {
  std::string name;
  friend bool operator==(const SymbolTarget&, const SymbolTarget&) = default;
};
// An address in the direct map.
struct DirectTarget {
  Kva kva;
  friend bool operator==(const DirectTarget&, const DirectTarget&) = default;
};
// Any address of the kernel's half, by the page tables.
struct KvaTarget {
  Kva kva;
  friend bool operator==(const KvaTarget&, const KvaTarget&) = default;
};
// A member of one CPU's instance of a per-CPU structure (per_cpu_field.h says of which).
struct PerCpuFieldTarget {
  std::string symbol;  // such as "runqueues"
  std::string field;   // a member path, such as "cfs.nr_running"
  uint32_t cpu = 0;    // as the kernel counts
  friend bool operator==(const PerCpuFieldTarget&, const PerCpuFieldTarget&) = default;
};
// A member of one task's task_struct.
struct TaskFieldTarget {
  uint32_t pid = 0;  // of the thread, in the initial PID namespace
  // When it started, in ns since boot, as /proc/PID/stat tells it: rounded down to a tick of 10 ms.
  uint64_t expected_start_time_ns = 0;
  std::string field;  // a member path, such as "scx.dsq_vtime"
  friend bool operator==(const TaskFieldTarget&, const TaskFieldTarget&) = default;
};
using OpTarget =
    std::variant<SymbolTarget, DirectTarget, KvaTarget, PerCpuFieldTarget, TaskFieldTarget>;

// Values, little-endian in the guest. In a write, what to write. In a read only how wide the answer
// is to be; the answer is of the same kind.
struct U32Value {
  uint32_t value = 0;
  friend bool operator==(const U32Value&, const U32Value&) = default;
};
struct U64Value {
  uint64_t value = 0;
  friend bool operator==(const U64Value&, const U64Value&) = default;
};
struct BytesValue {
  std::vector<std::byte> bytes;
  friend bool operator==(const BytesValue&, const BytesValue&) = default;
};
// So many bytes, in a read; answered by a BytesValue.
struct BytesWidth {
  uint32_t size = 0;
  friend bool operator==(const BytesWidth&, const BytesWidth&) = default;
};
// Bits to set in 32 that are there; in a write only.
struct OrU32Value {
  uint32_t mask = 0;
  friend bool operator==(const OrU32Value&, const OrU32Value&) = default;
};
using OpValue = std::variant<U32Value, U64Value, BytesValue, BytesWidth, OrU32Value>;

struct OpEntry {
  OpTarget target;
  OpValue value;
  // In a read of a TaskField: answer also for tasks that run, are queued, die or are not
  // sched_ext's (task_validation.h).
  bool unchecked = false;
  friend bool operator==(const OpEntry&, const OpEntry&) = default;
};

struct OpRequest {
  uint32_t request_id = 0;
  OpMode mode = OpMode::kCold;
  OpDirection direction = OpDirection::kRead;
  std::string tag;  // the asker's own
  std::vector<OpEntry> entries;
  friend bool operator==(const OpRequest&, const OpRequest&) = default;
};

// Which entry ended the batch, and what kind of thing was wrong with it.
struct OpReplyError {
  uint32_t entry = 0;
  OpErrorCode code = OpErrorCode::kValueKind;
  OpLayer layer = OpLayer::kRequest;
  friend bool operator==(const OpReplyError&, const OpReplyError&) = default;
};

struct OpReply {
  uint32_t request_id = 0;
  bool success = false;
  std::string reason;  // why not; empty on success
  // Nothing on success, and for a request that was not begun: one that cannot be decoded, or a
  // machine that could not be stopped.
  std::optional<OpReplyError> error = std::nullopt;
  // [i] answers entries[i] of a read; empty for writes and when the batch failed.
  std::vector<OpValue> read_values = {};
  friend bool operator==(const OpReply&, const OpReply&) = default;
};

// As error texts name it: "Symbol 'jiffies'", "PerCpuField runqueues.nr_running[cpu=0]", …
std::string Describe(const OpTarget& target);
// "U32", "U64", "Bytes", "OrU32".
std::string_view KindName(const OpValue& value);

}  // namespace ktstr
