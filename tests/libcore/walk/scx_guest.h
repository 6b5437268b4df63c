// A synthetic kernel with sched_ext, in any of the layouts.
#pragma once

#include <fmt/format.h>

#include <ostream>

#include "fixtures/synthetic/scx_builder.h"
#include "libcore/walk/sched/scx.h"
#include "walk_guest.h"

namespace ktstr {

using synthetic::ScxBuilder;
using synthetic::ScxLayout;

// From 6.15 on, per-CPU symbols are addresses.
inline synthetic::KernelOptions OptionsOf(ScxLayout layout) {
  return {.zero_based_per_cpu = layout == ScxLayout::kStatic};
}

class ScxGuest : public WalkGuest {
 public:
  explicit ScxGuest(ScxLayout layout, uint32_t nodes = 1)
      : WalkGuest(OptionsOf(layout)),
        sched(builder(), ScxBuilder::Types(layout)),
        scx(builder(), sched, layout, nodes) {}

  // A task of sched_ext's in pages of its own.
  Kva NewTask(uint32_t pid) {
    builder().Allocate(kPageSize, kPageSize);
    return sched.AddProcess(
        {.pid = pid, .comm = fmt::format("task-{}", pid), .sched_class = "ext"});
  }
  Kva MemberAt(Kva task, std::string_view path) {
    return task + builder().MemberOf("task_struct", path).offset;
  }
  void Finish() {
    scx.Finish();
    sched.Finish();
  }

  synthetic::SchedBuilder sched;
  ScxBuilder scx;
};

inline std::string NameOf(ScxLayout layout) {
  switch (layout) {
    case ScxLayout::kStatic:
      return "Static";
    case ScxLayout::kSched:
      return "Sched";
    case ScxLayout::kSchedPcpu:
      return "SchedPcpu";
    case ScxLayout::kSubSchedulers:
      return "SubSchedulers";
    case ScxLayout::kCids:
      return "Cids";
    case ScxLayout::kCaps:
      return "Caps";
  }
  return "";
}

inline constexpr ScxLayout kAllLayouts[] = {ScxLayout::kStatic,    ScxLayout::kSched,
                                            ScxLayout::kSchedPcpu, ScxLayout::kSubSchedulers,
                                            ScxLayout::kCids,      ScxLayout::kCaps};
// Those that have sub-schedulers.
inline constexpr ScxLayout kSubLayouts[] = {ScxLayout::kSubSchedulers, ScxLayout::kCids,
                                            ScxLayout::kCaps};

inline ScxState WalkScxOf(ScxGuest& guest, const WalkLimits& limits = {}) {
  auto state = WalkScx(guest.Open(), limits);
  if (state) return *std::move(state);
  ADD_FAILURE() << state.error().ToString();
  return {};
}

}  // namespace ktstr
