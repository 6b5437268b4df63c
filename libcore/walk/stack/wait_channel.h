// Wait channels: the function in which a task sleeps, out of its stack.
#pragma once

#include <span>
#include <vector>

#include "ktstr/kernel/guest_kernel.h"
#include "ktstr/walk/stack/stack.h"
#include "ktstr/walk/task.h"

namespace ktstr {

// Fills in TaskRow::wait_channel: of a task that sleeps the innermost function of its stack that is
// neither the scheduler's nor a lock's, as __get_wchan() in arch/x86/kernel/process.c finds it.
// `frames` as WalkStacks gives them, whose tasks stand together. A task that is not in `frames`, or
// whose stack has no such function, keeps none.
void AddWaitChannels(const GuestKernel& kernel, std::span<const StackFrameRow> frames,
                     std::vector<TaskRow>& tasks);

}  // namespace ktstr
