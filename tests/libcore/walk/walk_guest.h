// A synthetic kernel that a test fills, damages and then opens.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "fixtures/synthetic/kernel_builder.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

class WalkGuest {
 public:
  explicit WalkGuest(const synthetic::KernelOptions& options = {}) : builder_(options) {}

  synthetic::KernelBuilder& builder() { return builder_; }
  // The page that holds this address is left out of the capture.
  void LeaveOut(Kva kva) { left_out_.push_back(Pfn::Of(builder_.PaOf(kva))); }
  // An address that nothing is mapped at, and one that no mapping could reach.
  Kva Unmapped() { return builder_.AllocateVmalloc(kPageSize) + kPageSize; }
  static Kva Wild() { return Kva(0xdead000000000100); }
  // Sets the machine's registers; before Open.
  std::vector<VcpuRegisters>& vcpus() {
    Finish();
    return guest_.vcpus;
  }

  // Spends the builder at the first call, as Open does.
  Walk Begin(Anomalies& anomalies, const WalkLimits& limits = {}) {
    return Walk::Of(Open(), anomalies, limits).value();
  }
  // Spends the builder at the first call.
  const GuestKernel& Open() {
    if (kernel_ == nullptr) {
      Finish();
      for (const Pfn pfn : left_out_) guest_.memory->LeaveOut(pfn, LeftOutReason::kFree);
      auto opened = GuestKernel::Open(*guest_.memory, guest_.vcpus);
      if (!opened) ADD_FAILURE() << opened.error().ToString();
      kernel_ = std::move(opened).value();
    }
    return *kernel_;
  }

 private:
  void Finish() {
    if (guest_.memory == nullptr) guest_ = builder_.Finish();
  }

  synthetic::KernelBuilder builder_;
  std::vector<Pfn> left_out_;
  synthetic::SyntheticGuest guest_;
  std::unique_ptr<GuestKernel> kernel_;
};

inline std::string ToText(const std::vector<AnomalyRow>& anomalies) {
  std::string text;
  for (const AnomalyRow& row : anomalies) {
    text += row.kind + " at " + (row.address ? ToText(*row.address) : "nowhere") + ": " +
            row.detail + "\n";
  }
  return text;
}

// Whether one of the anomalies is of this kind and names this address.
MATCHER_P2(HasAnomaly, kind, kva, "") {
  *result_listener << "these are:\n" << ToText(arg);
  return std::any_of(arg.begin(), arg.end(), [&](const AnomalyRow& row) {
    return row.kind == kind && row.address == Hex(kva);
  });
}
// Whether there are none.
MATCHER(NoAnomalies, "") {
  *result_listener << "these are:\n" << ToText(arg);
  return arg.empty();
}

}  // namespace ktstr
