#include "libcore/walk/stack/generated_code.h"

#include <gtest/gtest.h>

#include "fixtures/synthetic/jit_builder.h"

namespace ktstr {
namespace {

using synthetic::JitCode;
using synthetic::JitOptions;
using synthetic::MakeJitCode;

constexpr OrcEntry kBeforeThePush = {
    .sp_offset = 8, .sp_reg = OrcRegister::kSp, .type = OrcType::kCall};
constexpr OrcEntry kPushed = {.sp_offset = 16,
                              .bp_offset = -16,
                              .sp_reg = OrcRegister::kSp,
                              .bp_reg = OrcRegister::kPrevSp,
                              .type = OrcType::kCall};
constexpr OrcEntry kFramed = {.sp_offset = 16,
                              .bp_offset = -16,
                              .sp_reg = OrcRegister::kBp,
                              .bp_reg = OrcRegister::kPrevSp,
                              .type = OrcType::kCall};

enum class At { kNextInstruction, kBehindACall };

std::optional<OrcEntry> Unwind(const JitCode& code, uint64_t offset, At at = At::kNextInstruction,
                               std::string_view name = "bpf_prog_0123456789abcdef_f") {
  const auto head = std::span(code.bytes).first(std::min(code.bytes.size(), kGeneratedHead));
  std::array<std::byte, 2> around = {};
  if (offset != 0) around[0] = code.bytes.at(offset - 1);
  if (offset < code.bytes.size()) around[1] = code.bytes[offset];
  return UnwindGeneratedCode(head, around, offset, at == At::kNextInstruction, name);
}

// Whatever stands before the frame is set up.
class PrologueTest : public ::testing::TestWithParam<JitOptions> {
 protected:
  JitCode code_ = MakeJitCode(GetParam());
};

TEST_P(PrologueTest, UpToThePushTheReturnAddressIsOnTop) {
  for (uint64_t offset = 0; offset <= code_.push; ++offset) {
    EXPECT_EQ(Unwind(code_, offset), kBeforeThePush) << offset;
  }
}

TEST_P(PrologueTest, BetweenPushAndMoveTheOldFramePointerIsOnTop) {
  EXPECT_EQ(Unwind(code_, code_.mov), kPushed);
}

TEST_P(PrologueTest, InTheBodyTheFramePointerLeads) {
  EXPECT_EQ(Unwind(code_, code_.body), kFramed);
  EXPECT_EQ(Unwind(code_, code_.body + 10), kFramed);
  EXPECT_EQ(Unwind(code_, code_.leave), kFramed);
}

TEST_P(PrologueTest, BehindACallTheFramePointerLeads) {
  EXPECT_EQ(Unwind(code_, code_.body + 5, At::kBehindACall), kFramed);
  // Even where a call is the very last instruction before the end of the frame.
  EXPECT_EQ(Unwind(code_, code_.leave, At::kBehindACall), kFramed);
}

TEST_P(PrologueTest, AtTheReturnTheReturnAddressIsOnTop) {
  EXPECT_EQ(Unwind(code_, code_.ret), kBeforeThePush);
}

INSTANTIATE_TEST_SUITE_P(Forms, PrologueTest,
                         ::testing::Values(JitOptions{}, JitOptions{.endbr = true},
                                           JitOptions{.ftrace_nop = false},
                                           JitOptions{.endbr = true, .tail_calls = true},
                                           JitOptions{.tail_calls = true, .return_thunk = true}));

TEST(GeneratedCodeTest, CodeOfAnotherFormIsNotGuessedAt) {
  const JitCode code = MakeJitCode({.frame = false});
  EXPECT_EQ(Unwind(code, 20), std::nullopt);
  EXPECT_EQ(Unwind(code, 20, At::kBehindACall), std::nullopt);
}

TEST(GeneratedCodeTest, DispatchersHaveNoFrame) {
  const JitCode code = MakeJitCode({.frame = false});
  EXPECT_EQ(Unwind(code, 20, At::kNextInstruction, "bpf_dispatcher_xdp"), kBeforeThePush);
}

TEST(GeneratedCodeTest, CodeShorterThanAnyPrologueIsNotReadBeyondItsEnd) {
  const JitCode code = MakeJitCode({.ftrace_nop = false, .frame = false, .body = 0});
  EXPECT_EQ(Unwind(code, 0), std::nullopt);
}

}  // namespace
}  // namespace ktstr
