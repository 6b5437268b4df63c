// One sub-buffer of a ring buffer of the kernel's tracing, taken apart into its events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ktstr {

// An event as the ring keeps it: when, and the record of the tracer, in the bytes of its page.
struct RingEvent {
  uint64_t time = 0;  // by the trace clock
  std::span<const std::byte> record;
};

struct RingPage {
  uint64_t time = 0;  // of its begin
  // Events that were lost just before this page: so many, 0 for an unknown number.
  std::optional<uint64_t> missed;
  std::vector<RingEvent> events;
  std::string damage;  // where it cannot be followed to its end, why; what came before is kept
};

// The page in `bytes` (struct buffer_data_page, kernel/trace/ring_buffer.c, since 2.6.30), whose
// data begin at `data_offset`; `commit` is the page's own word of that name: how many bytes of data
// were committed, and flags. `bytes` must outlive the events. A page of any content is taken apart:
// no event reaches beyond what is committed, and each takes 4 bytes at least.
RingPage ReadRingPage(std::span<const std::byte> bytes, uint64_t data_offset, uint64_t time,
                      uint64_t commit);

}  // namespace ktstr
