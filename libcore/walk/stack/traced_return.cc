#include "libcore/walk/stack/traced_return.h"

#include "libcore/kernel/object_reader.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

namespace {
constexpr size_t kMaxRethooks = 4096;
}  // namespace

TracedReturns::TracedReturns(const GuestKernel& kernel) : kernel_(&kernel) {
  const auto symbol = [&](const char* name) -> std::optional<Kva> {
    const auto kva = kernel.symbol_kva(name);
    return kva ? std::optional(*kva) : std::nullopt;
  };
  rethook_ = symbol("arch_rethook_trampoline");
  kretprobe_ = symbol("__kretprobe_trampoline");
  graph_return_ = symbol("return_to_handler");
  Anomalies ignored("");
  const auto walk = Walk::Of(kernel, ignored);
  if (!walk) return;
  rethooks_ = Fields(*walk, "task_struct").Maybe("rethooks.first");
  const Fields hook(*walk, "rethook_node");
  hook_node_ = hook.Maybe("llist");
  hook_return_ = hook.Maybe("ret_addr");
  hook_frame_ = hook.Maybe("frame");
}

std::optional<Kva> TracedReturns::Before(Kva slot, std::optional<Kva> task) const {
  if (!task || !rethook_ || !rethooks_ || !hook_node_ || !hook_return_ || !hook_frame_) {
    return std::nullopt;
  }
  auto node = ObjectReader(*kernel_, *task).Pointer(*rethooks_);
  for (size_t i = 0; i < kMaxRethooks && node && !node->is_null(); ++i) {
    ObjectReader hook(*kernel_, *node - hook_node_->offset);
    const auto frame = hook.Pointer(*hook_frame_), before = hook.Pointer(*hook_return_);
    if (frame && before && *frame == slot && *before != *rethook_) return *before;
    node = hook.ReadAt<Kva>(hook_node_->offset);
  }
  return std::nullopt;
}

}  // namespace ktstr
