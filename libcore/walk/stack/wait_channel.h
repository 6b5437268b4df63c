// Wait channels: the function in which a task sleeps, out of its stack.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/stack/sched_text.h"
#include "libcore/walk/stack/stack.h"

namespace ktstr {

class WaitChannels {
 public:
  // `frames` as WalkStacks gives them, whose tasks stand together; they must outlive this object.
  WaitChannels(const GuestKernel& kernel, std::span<const StackFrameRow> frames);

  // Of a task that sleeps: the innermost function of its stack that is neither the scheduler's nor
  // a lock's, as __get_wchan() in arch/x86/kernel/process.c finds it. Nothing for a task that is
  // not in the frames, or whose stack has no such function.
  std::optional<std::string> Of(Kva task) const;

 private:
  std::span<const StackFrameRow> frames_;
  std::unordered_map<uint64_t, size_t> first_;  // by task: which frame is its first
  SchedText sched_text_;
};

}  // namespace ktstr
