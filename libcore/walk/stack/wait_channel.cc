#include "libcore/walk/stack/wait_channel.h"

#include <algorithm>

namespace ktstr {

WaitChannels::WaitChannels(const GuestKernel& kernel, std::span<const StackFrameRow> frames)
    : frames_(frames) {
  for (size_t i = 0; i < frames.size(); ++i) {
    const bool same_task = i != 0 && frames[i].task_kva == frames[i - 1].task_kva;
    if (!same_task) first_.emplace(frames[i].task_kva.value, i);
  }
  // in_sched_functions() in kernel/sched/core.c.
  AddText(kernel, "__sched_text_start", "__sched_text_end");
  AddText(kernel, "__lock_text_start", "__lock_text_end");
}

void WaitChannels::AddText(const GuestKernel& kernel, const char* begin, const char* end) {
  const auto from = kernel.symbol_kva(begin), to = kernel.symbol_kva(end);
  if (from && to) waiting_text_.push_back({*from, *to});
}

bool WaitChannels::IsWaitingText(Kva ip) const {
  return std::any_of(waiting_text_.begin(), waiting_text_.end(),
                     [&](const TextRange& range) { return range.Contains(ip); });
}

std::optional<std::string> WaitChannels::Of(Kva task) const {
  const auto first = first_.find(task.value());
  if (first == first_.end()) return std::nullopt;
  for (size_t i = first->second; i < frames_.size(); ++i) {
    const StackFrameRow& frame = frames_[i];
    if (frame.task_kva != Hex(task)) break;
    if (!frame.ip || frame.kind == "end" || IsWaitingText(Kva(frame.ip->value))) continue;
    return frame.symbol;
  }
  return std::nullopt;
}

}  // namespace ktstr
