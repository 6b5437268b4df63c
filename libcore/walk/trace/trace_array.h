// The instances of the kernel's tracing (struct trace_array, kernel/trace/trace.h): each has a
// buffer, and may have a snapshot of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/walk/row/fields.h"

namespace ktstr {

struct TraceArrayRef {
  std::string name;       // "top", or as below /sys/kernel/tracing/instances
  bool snapshot = false;  // whether `buffer` is its snapshot
  Kva buffer;             // struct trace_buffer
  std::optional<std::string> tracer;
  // What an address of code that it recorded has to be moved by; not 0 in what an earlier boot
  // left.
  int64_t code_moved = 0;
};

class TraceArrays {
 public:
  explicit TraceArrays(const Walk& walk);

  // All buffers that there are. Nothing for a kernel without tracing; what cannot be read is an
  // anomaly.
  std::vector<TraceArrayRef> Read();

 private:
  struct ArrayMembers : Fields {
    explicit ArrayMembers(const Walk& walk) : Fields(walk, Structure{"trace_array", "", true}) {}
    MaybeMember list = Need("list"), name = Need("name"), buffer = Need("array_buffer.buffer"),
                // Renamed in 7.1; kernels without snapshots have neither.
        snapshot = Maybe("snapshot_buffer.buffer", "max_buffer.buffer"),
                has_snapshot = Maybe("allocated_snapshot"), tracer = Need("current_trace"),
                flags = Need("flags"), text_delta = Maybe("text_delta");
  };
  struct TracerMembers : Fields {
    explicit TracerMembers(const Walk& walk) : Fields(walk, Structure{"tracer", "", true}) {}
    MaybeMember name = Need("name");
  };

  void ReadArray(Kva array, std::vector<TraceArrayRef>& refs);
  std::optional<std::string> Text(std::optional<Kva> at);

  Walk walk_;
  ArrayMembers array_;
  TracerMembers tracer_;
  std::optional<int64_t> last_boot_;  // bit of flags
};

}  // namespace ktstr
