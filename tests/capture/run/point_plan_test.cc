#include "capture/run/point_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capture/qemu/accelerator.h"

namespace ktstr {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::byte> Bytes(std::initializer_list<int> bytes) {
  std::vector<std::byte> text;
  for (const int byte : bytes) text.push_back(std::byte(byte));
  return text;
}

// push %rbp; mov %rsp,%rbp; xor %eax,%eax; ret
const std::vector<std::byte> kPlain = Bytes({0x55, 0x48, 0x89, 0xe5, 0x31, 0xc0, 0xc3});
// endbr64; the nop of ftrace; push %rbp; ret
const std::vector<std::byte> kTraced =
    Bytes({0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0x55, 0xc3});
// call +0x10
const std::vector<std::byte> kCall = Bytes({0xe8, 0x10, 0x00, 0x00, 0x00, 0x55, 0xc3});

PlaceWish Entry(uint64_t address, const std::vector<std::byte>& text = kPlain, bool exact = false) {
  return {.name = "f", .address = Kva(address), .exact = exact, .text = text};
}
PlaceWish Inside(uint64_t address, bool instruction_known,
                 const std::vector<std::byte>& text = kPlain) {
  return {.name = "g+0x4",
          .address = Kva(address),
          .entry = false,
          .exact = true,
          .text = text,
          .instruction_known = instruction_known};
}
constexpr auto kHardware = BreakpointKind::kHardware;
constexpr auto kSoftware = BreakpointKind::kSoftware;

TEST(PointPlan, WithoutALimitNothingIsPutIntoTheText) {
  EXPECT_EQ(DebugRegisters(Accelerator::kTcg), std::nullopt);
  const auto plan = PlanPlaces({Entry(0x100, kTraced), Inside(0x204, false), Entry(0x300)},
                               DebugRegisters(Accelerator::kTcg));
  ASSERT_TRUE(plan);
  EXPECT_THAT(*plan,
              ElementsAre(PlannedPlace{Kva(0x100), kHardware}, PlannedPlace{Kva(0x204), kHardware},
                          PlannedPlace{Kva(0x300), kHardware}));
}

TEST(PointPlan, FunctionsAreBreakpointsBehindWhatTheKernelRewrites) {
  const auto plan = PlanPlaces({Entry(0x100), Entry(0x200, kTraced)}, 4);
  ASSERT_TRUE(plan);
  EXPECT_THAT(
      *plan, ElementsAre(PlannedPlace{Kva(0x100), kSoftware}, PlannedPlace{Kva(0x209), kSoftware}));
}

TEST(PointPlan, DebugRegistersGoToWhatNeedsThemMost) {
  // One register: the place that the kernel may rewrite gets it, whoever asked first.
  const auto plan =
      PlanPlaces({Entry(0x100, kPlain, true), Inside(0x204, true), Entry(0x300, kCall)}, 1);
  ASSERT_TRUE(plan) << plan.error().ToString();
  EXPECT_THAT(*plan,
              ElementsAre(PlannedPlace{Kva(0x100), kSoftware}, PlannedPlace{Kva(0x204), kSoftware},
                          PlannedPlace{Kva(0x300), kHardware}));
  // With another left, what a user named is watched where it is, before what is always watched.
  const auto more = PlanPlaces({Entry(0x100), Entry(0x200, kTraced, true)}, 1);
  ASSERT_TRUE(more);
  EXPECT_THAT(
      *more, ElementsAre(PlannedPlace{Kva(0x100), kSoftware}, PlannedPlace{Kva(0x200), kHardware}));
}

TEST(PointPlan, TwentyFunctionsNeedNoRegister) {
  std::vector<PlaceWish> wishes;
  for (uint64_t i = 0; i < 20; ++i) wishes.push_back(Entry(0x1000 * i, kTraced, true));
  const auto plan = PlanPlaces(wishes, 0);
  ASSERT_TRUE(plan);
  for (uint64_t i = 0; i < 20; ++i) {
    EXPECT_EQ((*plan)[i], (PlannedPlace{Kva(0x1000 * i + 9), kSoftware}));
  }
}

TEST(PointPlan, WhatWouldDamageTheTextIsRefused) {
  const auto middle = PlanPlaces({Inside(0x204, false)}, 0);
  ASSERT_FALSE(middle);
  EXPECT_EQ(middle.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(middle.error().ToString(),
              AllOf(HasSubstr("no instruction begins at g+0x4"), HasSubstr("no debug register")));
  const auto patched = PlanPlaces({Inside(0x204, true, kCall)}, 0);
  ASSERT_FALSE(patched);
  EXPECT_THAT(patched.error().ToString(), HasSubstr("may rewrite the instruction at g+0x4"));
}

TEST(PointPlan, APreambleIsWhatComesBeforeTheBody) {
  EXPECT_EQ(PreambleSize(kPlain), 0u);
  EXPECT_EQ(PreambleSize(kTraced), 9u);
  EXPECT_EQ(PreambleSize(Bytes({0x66, 0x0f, 0x1f, 0x00, 0x55})), 4u);
  EXPECT_EQ(PreambleSize(Bytes({0x0f, 0x1f, 0x40, 0xd6, 0x0f, 0x1f, 0x44, 0x00, 0x00})), 9u);
  EXPECT_EQ(PreambleSize({}), 0u);
}

TEST(PointPlan, WhatTheKernelRewritesIsKnownByItsFirstBytes) {
  EXPECT_FALSE(MayBePatched(kPlain));
  EXPECT_TRUE(MayBePatched(kCall));
  EXPECT_TRUE(MayBePatched(Bytes({0x66, 0x90})));
  EXPECT_TRUE(MayBePatched(Bytes({0x0f, 0x1f, 0x44, 0x00, 0x00})));
  EXPECT_TRUE(MayBePatched(Bytes({0xcc})));
  EXPECT_TRUE(MayBePatched({}));
}

TEST(PointPlan, InstructionsAreCountedFromTheFunctionOn) {
  for (const size_t begin : {0, 4, 9, 10}) EXPECT_TRUE(InstructionBeginsAt(kTraced, begin));
  for (const size_t inside : {1, 3, 5, 8}) EXPECT_FALSE(InstructionBeginsAt(kTraced, inside));
  EXPECT_FALSE(InstructionBeginsAt(kTraced, 100));
}

TEST(PointPlan, AnInstructionHasASize) {
  EXPECT_EQ(InstructionSize(kPlain), 1u);
  EXPECT_EQ(InstructionSize(kTraced), 4u);
  EXPECT_EQ(InstructionSize(kCall), 5u);
  EXPECT_EQ(InstructionSize({}), 0u);
  EXPECT_EQ(InstructionSize(Bytes({0x0f})), 0u);  // cut off
}

TEST(PointPlan, AVariableIsWatchedInAlignedPieces) {
  EXPECT_THAT(AlignedPieces(Kva(0x1000), 8), ElementsAre(WatchPiece{Kva(0x1000), 8}));
  EXPECT_THAT(AlignedPieces(Kva(0x1004), 8),
              ElementsAre(WatchPiece{Kva(0x1004), 4}, WatchPiece{Kva(0x1008), 4}));
  EXPECT_THAT(AlignedPieces(Kva(0x1001), 4),
              ElementsAre(WatchPiece{Kva(0x1001), 1}, WatchPiece{Kva(0x1002), 2},
                          WatchPiece{Kva(0x1004), 1}));
}

TEST(Accelerator, MoreVariablesThanDebugRegistersRunOnTcgOrNotAtAll) {
  MachineOptions options;
  options.watched_variables = 5;
  const auto choice = ChooseAccelerator(options);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->accelerator, Accelerator::kTcg);
  EXPECT_THAT(choice->reason, HasSubstr("5 variables are watched, and KVM has 4"));
  options.accelerator = Accelerator::kKvm;
  const auto refused = ChooseAccelerator(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace ktstr
