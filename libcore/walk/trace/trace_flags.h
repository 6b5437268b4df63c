// The state of a CPU at an event, as the kernel's trace shows it: "d..2.".
#pragma once

#include <cstdint>
#include <string>

#include "libcore/image/type_info.h"

namespace ktstr {

class TraceFlags {
 public:
  // The bits are those of enum trace_flag_type (include/linux/trace_events.h), as the kernel has
  // it.
  explicit TraceFlags(const TypeInfo& types);

  // Five characters, as trace_print_lat_fmt writes them (kernel/trace/trace_output.c): interrupts
  // off (d, with softirqs D, softirqs alone b), need to reschedule (N, n, p; since 6.13 also l, L,
  // B, b), context (Z and z NMI, H and h interrupt, s softirq), depth of preempt_disable and of
  // migrate_disable; a dot for none.
  std::string Text(uint64_t flags, uint64_t preempt_count) const;

 private:
  uint64_t irqs_off_, bh_off_, need_resched_, preempt_resched_, lazy_, hardirq_, softirq_, nmi_,
      no_support_;
};

}  // namespace ktstr
