// A synthetic guest that seems to run: its memory changes while it is read.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "capture/watch/sampler.h"
#include "fixtures/synthetic/scx_builder.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

// Does something each time before a certain page is looked at.
class ChangingMemory : public GuestMemory {
 public:
  explicit ChangingMemory(synthetic::BufferMemory& memory) : memory_(memory) {}

  std::span<const MemoryRegion> regions() const override { return memory_.regions(); }
  PageView View(Pfn pfn) const override {
    if (change_ && pfn == at_) change_();
    return memory_.View(pfn);
  }
  Result<std::byte*> Writable(Pfn pfn) override { return memory_.Writable(pfn); }
  Pfn NextTouched(Pfn from) const override { return memory_.NextTouched(from); }

  void OnView(Pfn pfn, std::function<void()> change) {
    at_ = pfn;
    change_ = std::move(change);
  }

 private:
  synthetic::BufferMemory& memory_;
  Pfn at_;
  std::function<void()> change_;
};

// Two CPUs, on which a scheduler "layered" of sched_ext's runs tasks.
class ChangingGuest {
 public:
  using Layout = synthetic::ScxLayout;
  static constexpr uint64_t kNow = 4294892296 + 1000;  // jiffies, of 4 ms

  explicit ChangingGuest(Layout layout = Layout::kStatic)
      : builder_({.zero_based_per_cpu = layout == Layout::kStatic}),
        sched_(builder_, synthetic::ScxBuilder::Types(layout)),
        scx_(builder_, sched_, layout) {
    synthetic::ScxSpec spec;
    spec.name = "layered";
    spec.watchdog_timeout = 7500;
    scheduler_ = scx_.AddScheduler(spec);
    scx_.SetGlobal(layout == Layout::kStatic ? "scx_ops_enable_state_var" : "scx_enable_state_var",
                   1);
  }

  synthetic::KernelBuilder& builder() { return builder_; }
  synthetic::SchedBuilder& sched() { return sched_; }
  synthetic::ScxBuilder& scx() { return scx_; }
  Kva scheduler() const { return scheduler_; }
  Kva Rq(uint32_t cpu, std::string_view path) {
    return builder_.PerCpu("runqueues", cpu) + builder_.MemberOf("rq", path).offset;
  }
  Kva NewTask(uint32_t pid) {
    return sched_.AddProcess(
        {.pid = pid, .comm = fmt::format("task-{}", pid), .sched_class = "ext"});
  }
  // A task that has been waiting on a CPU for so many jiffies.
  Kva AddWaiting(uint32_t cpu, uint32_t pid, uint64_t jiffies) {
    const Kva task = NewTask(pid);
    builder_.Set("task_struct", task, "scx.runnable_at", kNow - jiffies);
    sched_.queues().AddRunnable(cpu, task);
    scx_.Own(scheduler_, task);
    ++waiting_[cpu];
    return task;
  }

  // Lets it be sampled from now on.
  Sampler& Start() {
    scx_.Finish();
    sched_.Finish();
    for (uint32_t cpu = 0; cpu < 2; ++cpu) {
      builder_.Set("rq", builder_.PerCpu("runqueues", cpu), "nr_running", waiting_[cpu]);
    }
    guest_ = builder_.Finish();
    memory_ = std::make_unique<ChangingMemory>(*guest_.memory);
    auto kernel = GuestKernel::Open(*memory_, guest_.vcpus);
    EXPECT_TRUE(kernel) << kernel.error().ToString();
    kernel_ = std::move(kernel).value();
    sampler_ = std::make_unique<Sampler>(
        Sampler::Make(*kernel_, {.attempts = 5, .pause = std::chrono::microseconds(0)}).value());
    return *sampler_;
  }

  // After Start.
  ChangingMemory& memory() { return *memory_; }
  void LeaveOut(Kva kva) {
    guest_.memory->LeaveOut(Pfn::Of(builder_.PaOf(kva)), LeftOutReason::kFree);
  }
  template <typename T>
  void Write(Kva kva, T value) {
    guest_.memory->Put(builder_.PaOf(kva), value);
  }
  // Calls it before each look at the page that holds this address.
  void OnLook(Kva kva, std::function<void()> change) {
    memory_->OnView(Pfn::Of(builder_.PaOf(kva)), std::move(change));
  }

 private:
  synthetic::KernelBuilder builder_;
  synthetic::SchedBuilder sched_;
  synthetic::ScxBuilder scx_;
  Kva scheduler_;
  uint32_t waiting_[2] = {};
  synthetic::SyntheticGuest guest_;
  std::unique_ptr<ChangingMemory> memory_;
  std::unique_ptr<GuestKernel> kernel_;
  std::unique_ptr<Sampler> sampler_;
};

}  // namespace ktstr
