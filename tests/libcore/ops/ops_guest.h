// A synthetic guest with a dispatcher on it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "fixtures/synthetic/kernel_builder.h"
#include "fixtures/synthetic/sched_builder.h"
#include "fixtures/synthetic/still_guest.h"
#include "libcore/ops/dispatcher.h"

namespace ktstr {

using synthetic::KernelBuilder;
using synthetic::KernelOptions;
using synthetic::SchedBuilder;
using synthetic::StillGuest;
using synthetic::SyntheticGuest;
using synthetic::TaskSpec;

inline constexpr uint64_t kStartTime = 5'000'000'000;
inline constexpr uint64_t kStartBoottime = kStartTime + 500;  // taken after it

// A sleeping task of sched_ext's: the one kind that every check lets pass.
inline TaskSpec ScxTask(uint32_t pid) {
  return {.pid = pid,
          .comm = "scx",
          .state = 1,
          .sched_class = "ext",
          .start_time_ns = kStartTime,
          .start_boottime_ns = kStartBoottime};
}

inline KernelOptions FiveLevels() {
  KernelOptions options;
  options.levels = 5;
  options.page_offset = Kva(0xff1a1c0600000000);
  return options;
}

class OpsGuest {
 public:
  // Spends the builder.
  explicit OpsGuest(KernelBuilder& builder) : guest_(builder.Finish()) {
    auto kernel = GuestKernel::Open(*guest_.memory, guest_.vcpus);
    if (!kernel) {
      ADD_FAILURE() << kernel.error().ToString();
      return;
    }
    kernel_ = *std::move(kernel);
    dispatcher_ = std::make_unique<Dispatcher>(*kernel_);
  }

  GuestKernel& kernel() { return *kernel_; }
  synthetic::BufferMemory& memory() { return *guest_.memory; }

  OpReply Reply(const OpRequest& request) {
    return StillGuest::Exclusively(
        [&](const Exclusive& exclusive) { return dispatcher_->Dispatch(exclusive, request); });
  }
  OpReply Read(std::vector<OpEntry> entries) {
    return Reply({.request_id = 7, .direction = OpDirection::kRead, .entries = std::move(entries)});
  }
  OpReply Write(std::vector<OpEntry> entries) {
    return Reply(
        {.request_id = 7, .direction = OpDirection::kWrite, .entries = std::move(entries)});
  }

  // The error of a batch that must fail.
  OpFailure Failure(OpDirection direction, std::vector<OpEntry> entries) {
    const OpRequest request = {.direction = direction, .entries = std::move(entries)};
    auto outcome = StillGuest::Exclusively(
        [&](const Exclusive& exclusive) { return dispatcher_->Run(exclusive, request); });
    if (!outcome) return std::move(outcome).error();
    ADD_FAILURE() << "the batch did not fail";
    return {};
  }
  OpFailure ReadFailure(std::vector<OpEntry> entries) {
    return Failure(OpDirection::kRead, std::move(entries));
  }
  OpFailure WriteFailure(std::vector<OpEntry> entries) {
    return Failure(OpDirection::kWrite, std::move(entries));
  }

 private:
  SyntheticGuest guest_;
  std::unique_ptr<GuestKernel> kernel_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

// "code/layer", as tests compare it.
inline std::string Class(const OpFailure& failure) {
  return std::string(OpErrorCodeName(failure.error.code)) + "/" +
         std::string(OpLayerName(failure.error.layer));
}

inline BytesValue Bytes(std::initializer_list<int> values) {
  BytesValue value;
  for (const int v : values) value.bytes.push_back(std::byte(v));
  return value;
}

}  // namespace ktstr
