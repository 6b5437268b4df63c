// Stacks walked by several threads: that nobody can tell by how many.
#include <gtest/gtest.h>

#include "libcore/walk/stack/stack.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

constexpr int kThreads[] = {2, 3, 8};

class StackThreadsTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    machine_ =
        FrozenMachine::Open(std::string(KTSTR_STATE_DIR) + "/" + GetParam() + ".kts").value();
    kernel_ = machine_->Kernel({}).value();
  }
  // Rows and anomalies with so many threads as with one.
  void ExpectSame(int threads, const WalkLimits& limits) {
    const auto one = WalkStacks(*kernel_, limits, 1), many = WalkStacks(*kernel_, limits, threads);
    ASSERT_TRUE(one && many);
    EXPECT_GT(one->rows.size(), 0u);
    EXPECT_TRUE(one->rows == many->rows) << threads << " threads";
    EXPECT_EQ(one->anomalies, many->anomalies) << threads << " threads";
  }

  std::unique_ptr<FrozenMachine> machine_;
  GuestKernel* kernel_ = nullptr;
};

TEST_P(StackThreadsTest, TheirNumberChangesNothing) {
  for (const int threads : kThreads) ExpectSame(threads, {});
}

TEST_P(StackThreadsTest, AWalkEndsAtTheSameTaskWhereThereAreRowsEnough) {
  for (const size_t nodes : {60, 200, 300, 400}) {
    for (const int threads : kThreads) ExpectSame(threads, {.max_all_nodes = nodes});
  }
}

INSTANTIATE_TEST_SUITE_P(States, StackThreadsTest, testing::Values("stall", "oops", "traced"));

// Each thread comes upon what is wrong with a table that all of them need.
class DamagedStacksTest : public testing::Test {};

TEST_F(DamagedStacksTest, WhatIsWrongWithATableIsToldOnce) {
  const auto machine = FrozenMachine::Open(std::string(KTSTR_STATE_DIR) + "/stall.kts").value();
  const GuestKernel& kernel = *machine->Kernel({}).value();
  const Kva tasks = kernel.symbol_kva("bpf_kallsyms").value();
  // A list of BPF's symbols that leads nowhere.
  ASSERT_TRUE(machine->memory().Write(kernel.Translate(tasks).value(),
                                      std::as_bytes(std::span("\x10\0\0\0\0\0\0", 8))));
  const auto one = WalkStacks(kernel, {}, 1), many = WalkStacks(kernel, {}, 4);
  ASSERT_TRUE(one && many);
  EXPECT_FALSE(one->anomalies.empty());
  EXPECT_EQ(one->anomalies, many->anomalies);
  EXPECT_TRUE(one->rows == many->rows);
}

}  // namespace
}  // namespace ktstr
