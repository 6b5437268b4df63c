#include "libcore/walk/trace/trace_flags.h"

#include <fmt/format.h>

namespace ktstr {

namespace {

// 0 for one that the kernel does not have: no event has it.
uint64_t BitOf(const TypeInfo& types, std::string_view name) {
  const auto value = types.FindEnumerator(name);
  return value ? static_cast<uint64_t>(*value) : 0;
}

char DepthText(uint64_t depth) { return depth == 0 ? '.' : "0123456789abcdef"[depth & 15]; }

}  // namespace

TraceFlags::TraceFlags(const TypeInfo& types)
    : irqs_off_(BitOf(types, "TRACE_FLAG_IRQS_OFF")),
      bh_off_(BitOf(types, "TRACE_FLAG_BH_OFF")),
      need_resched_(BitOf(types, "TRACE_FLAG_NEED_RESCHED")),
      preempt_resched_(BitOf(types, "TRACE_FLAG_PREEMPT_RESCHED")),
      lazy_(BitOf(types, "TRACE_FLAG_NEED_RESCHED_LAZY")),
      hardirq_(BitOf(types, "TRACE_FLAG_HARDIRQ")),
      softirq_(BitOf(types, "TRACE_FLAG_SOFTIRQ")),
      nmi_(BitOf(types, "TRACE_FLAG_NMI")),
      no_support_(BitOf(types, "TRACE_FLAG_IRQS_NOSUPPORT")) {}

std::string TraceFlags::Text(uint64_t flags, uint64_t preempt_count) const {
  const auto has = [&](uint64_t bit) { return (flags & bit) != 0; };
  std::string text = ".....";
  if (has(irqs_off_)) {
    text[0] = has(bh_off_) ? 'D' : 'd';
  } else if (has(bh_off_)) {
    text[0] = 'b';
  } else if (has(no_support_)) {
    text[0] = 'X';
  }
  // By need_resched, preempt_resched, lazy.
  constexpr char kResched[] = {'.', 'l', 'p', 'L', 'n', 'b', 'N', 'B'};
  text[1] = kResched[(has(need_resched_) ? 4 : 0) | (has(preempt_resched_) ? 2 : 0) |
                     (has(lazy_) ? 1 : 0)];
  if (has(nmi_)) {
    text[2] = has(hardirq_) ? 'Z' : 'z';
  } else if (has(hardirq_)) {
    text[2] = has(softirq_) ? 'H' : 'h';
  } else if (has(softirq_)) {
    text[2] = 's';
  }
  text[3] = DepthText(preempt_count & 15);
  text[4] = DepthText(preempt_count >> 4 & 15);
  return text;
}

}  // namespace ktstr
