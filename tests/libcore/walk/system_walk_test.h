// What tests of the walkers of cgroups, domains, timers and work share: a synthetic kernel, and how
// its damage is told.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "fixtures/synthetic/system_builder.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"

namespace ktstr {

constexpr Kva kWild(0xdead000000000100);

class SystemWalkTest : public ::testing::Test {
 protected:
  explicit SystemWalkTest(const synthetic::SystemOptions& options = {})
      : system_(builder_, options) {}

  // The page is left out of what can be read.
  void LeaveOut(Kva kva) { left_out_.push_back(builder_.PaOf(kva)); }

  const GuestKernel& Kernel() {
    if (kernel_ == nullptr) {
      guest_ = builder_.Finish();
      for (const Pa pa : left_out_) guest_.memory->LeaveOut(Pfn::Of(pa), LeftOutReason::kFree);
      kernel_ = GuestKernel::Open(*guest_.memory, guest_.vcpus).value();
    }
    return *kernel_;
  }
  template <typename Row>
  Walked<Row> Walk(Result<Walked<Row>> (*walk)(const GuestKernel&, const WalkLimits&),
                   const WalkLimits& limits = {}) {
    return walk(Kernel(), limits).value();
  }

  static std::vector<std::string> Kinds(const std::vector<AnomalyRow>& anomalies) {
    std::vector<std::string> kinds;
    for (const AnomalyRow& row : anomalies) kinds.push_back(row.kind);
    return kinds;
  }

  synthetic::KernelBuilder builder_;
  synthetic::SystemBuilder system_;
  std::vector<Pa> left_out_;
  synthetic::SyntheticGuest guest_;
  std::unique_ptr<GuestKernel> kernel_;
};

}  // namespace ktstr
