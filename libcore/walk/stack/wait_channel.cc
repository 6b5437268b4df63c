#include "libcore/walk/stack/wait_channel.h"

namespace ktstr {

WaitChannels::WaitChannels(const GuestKernel& kernel, std::span<const StackFrameRow> frames)
    : frames_(frames), sched_text_(kernel) {
  for (size_t i = 0; i < frames.size(); ++i) {
    const bool same_task = i != 0 && frames[i].task_kva == frames[i - 1].task_kva;
    if (!same_task) first_.emplace(frames[i].task_kva.value, i);
  }
}

std::optional<std::string> WaitChannels::Of(Kva task) const {
  const auto first = first_.find(task.value());
  if (first == first_.end()) return std::nullopt;
  for (size_t i = first->second; i < frames_.size(); ++i) {
    const StackFrameRow& frame = frames_[i];
    if (frame.task_kva != Hex(task)) break;
    if (!frame.ip || frame.kind == "end" || sched_text_.Contains(Kva(frame.ip->value))) continue;
    return frame.symbol;
  }
  return std::nullopt;
}

}  // namespace ktstr
