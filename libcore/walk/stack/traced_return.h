// Return addresses in whose place a tracer has put its own, to be called when the function returns:
// kretprobes and fprobes by rethook (kernel/trace/rethook.c), kretprobes of kernels without
// rethook, and the function graph tracer. What was there before can be told for rethook only.
#pragma once

#include <optional>

#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

class TracedReturns {
 public:
  explicit TracedReturns(const GuestKernel& kernel);

  // Whether that address is a tracer's, not a caller's.
  bool Replaces(Kva ip) const { return ip == rethook_ || ip == kretprobe_ || ip == graph_return_; }
  // Whether it is that of kretprobes, of which the task keeps what was there before.
  bool IsRethook(Kva ip) const { return ip == rethook_; }

  // The return address that stood at `slot` of the task's stack (kernel/trace/rethook.c:
  // rethook_find_ret_addr): the task's list has one record for each, with the place on the stack.
  // Nothing when there is no such record.
  std::optional<Kva> Before(Kva slot, std::optional<Kva> task) const;

 private:
  const GuestKernel* kernel_;
  std::optional<Kva> rethook_, kretprobe_, graph_return_;
  std::optional<Member> rethooks_, hook_node_, hook_return_, hook_frame_;
};

}  // namespace ktstr
