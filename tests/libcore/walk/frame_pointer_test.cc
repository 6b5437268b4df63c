// Stacks of kernels without ORC, of code that no table covers, and of events that FRED delivered.
#include <fmt/format.h>

#include "stack_guest.h"

namespace ktstr {
namespace {

using synthetic::OrcStyle;
using synthetic::StackWriter;
using ::testing::ElementsAre;

constexpr OrcEntry kRegs = {.sp_reg = OrcRegister::kSp, .type = OrcType::kRegs, .signal = true};

class FramePointerTest : public ::testing::Test {
 protected:
  // How each frame of the thread was unwound.
  static std::vector<std::string> Details(const std::vector<StackFrameRow>& rows, int64_t pid) {
    std::vector<std::string> details;
    for (const StackFrameRow& row : rows) {
      if (row.pid == pid && row.kind != "end") details.push_back(row.detail.value_or(""));
    }
    return details;
  }

  StackGuest guest_{OrcStyle::kNone};
};

constexpr char kByIt[] = "no table covers this code: by its frame pointer";

TEST_F(FramePointerTest, AKernelWithoutOrcIsUnwoundByThem) {
  guest_.sched.AddProcess({.pid = 7, .state = 1});
  const auto rows = guest_.WalkAll();
  EXPECT_THAT(Symbols(rows, 7),
              ElementsAre("schedule+0x30", "kthread+0x20", "ret_from_fork_asm+0x5"));
  EXPECT_THAT(Details(rows, 7), ElementsAre(kByIt, kByIt, kByIt));
  EXPECT_EQ(EndOf(rows, 7).reason, "end of stack");
  EXPECT_THAT(guest_.anomalies, NoAnomalies());
}

// ENCODE_FRAME_POINTER: the address of the registers, with bit 0 set.
TEST_F(FramePointerTest, EntryCodeLeavesTheAddressOfTheRegistersInIt) {
  const Kva interrupt = guest_.stacks.Function("asm_sysvec_apic_timer_interrupt", 0);
  const Kva handler = guest_.stacks.Function("sysvec_apic_timer_interrupt", 0);
  const Kva busy = guest_.stacks.Function("busy_loop", 0);
  const Kva task = guest_.sched.AddProcess({.pid = 7});
  StackWriter stack = guest_.stacks.NewStack(task);
  stack.Push(guest_.stacks.fork_return() + 5);
  stack.Push(uint64_t{0});
  const Kva outer = stack.sp();
  stack.Skip(0x20);
  guest_.stacks.PushRegs(stack, {.ip = busy + 0x14, .sp = stack.sp(), .bp = outer.value()});
  const Kva regs = stack.sp();
  stack.Push(interrupt + 0x12);
  stack.Push(regs + 1);
  const Kva inner = stack.sp();
  stack.Skip(0x40);
  guest_.stacks.SwitchAway(task, stack, handler + 0x20, inner.value());
  const auto rows = guest_.WalkAll();
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("sysvec_apic_timer_interrupt+0x20",
                                            "asm_sysvec_apic_timer_interrupt+0x12",
                                            "busy_loop+0x14", "ret_from_fork_asm+0x5"));
  EXPECT_EQ(EndOf(rows, 7).reason, "end of stack");
  EXPECT_THAT(guest_.anomalies, NoAnomalies());
}

TEST_F(FramePointerTest, OneThatLeadsNowhereEndsTheStackAndSaysSo) {
  const Kva task = guest_.sched.AddProcess({.pid = 7});
  StackWriter stack = guest_.stacks.NewStack(task);
  stack.Skip(0x100);
  // Above it is nothing that would be a return address.
  guest_.stacks.SwitchAway(task, stack, guest_.stacks.schedule() + 0x30,
                           (stack.sp() + 0x40).value());
  const auto rows = guest_.WalkAll();
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("schedule+0x30"));
  EXPECT_EQ(EndOf(rows, 7).reason, "no rule");
  EXPECT_EQ(EndOf(rows, 7).detail,
            "no table covers this code, and its frame pointer leads nowhere");
}

struct FredEvent {
  uint64_t type;
  const char* kind;
};
class FredTest : public ::testing::TestWithParam<FredEvent> {};

TEST_P(FredTest, AnEventIsUnwoundIntoWhatItCameTo) {
  StackGuest guest(OrcStyle::kRenumbered);
  const Kva entry = guest.stacks.Function("asm_fred_entrypoint_kernel", kRegs);
  const Kva handler = guest.stacks.Function("fred_entry_from_kernel", 0x40);
  const Kva busy = guest.stacks.Function("busy_loop", 0x10);
  const Kva task = guest.sched.AddProcess({.pid = 7});
  StackWriter stack = guest.stacks.NewStack(task);
  stack.Push(guest.stacks.fork_return() + 5);
  stack.Skip(0x10);
  const Kva interrupted_sp = stack.sp();
  // The processor pushes two more words than for an interrupt of old: below what was interrupted.
  stack.Push(uint64_t{0});
  stack.Push(uint64_t{0});
  guest.stacks.PushRegs(stack,
                        {.ip = busy + 0x8, .sp = interrupted_sp, .fred_type = GetParam().type});
  stack.Push(entry + 0x12);
  stack.Skip(0x40);
  guest.stacks.SwitchAway(task, stack, handler + 0x20);
  const auto rows = guest.WalkAll();
  EXPECT_THAT(Symbols(rows, 7),
              ElementsAre("fred_entry_from_kernel+0x20", "asm_fred_entrypoint_kernel+0x12",
                          "busy_loop+0x8", "ret_from_fork_asm+0x5"));
  EXPECT_THAT(Kinds(rows, 7), ElementsAre("call", GetParam().kind, "call", "call", "end"));
  EXPECT_THAT(guest.anomalies, NoAnomalies());
}

INSTANTIATE_TEST_SUITE_P(Events, FredTest,
                         ::testing::Values(FredEvent{0, "interrupt"}, FredEvent{2, "interrupt"},
                                           FredEvent{3, "exception"}, FredEvent{7, "syscall"}));

TEST(FredUserTest, AnEventFromUserModeEndsThere) {
  StackGuest guest(OrcStyle::kRenumbered);
  const Kva entry = guest.stacks.Function("asm_fred_entrypoint_user", kRegs);
  const Kva task = guest.sched.AddProcess({.pid = 7});
  StackWriter stack = guest.stacks.NewStack(task);
  stack.Push(uint64_t{0});
  stack.Push(uint64_t{0});
  guest.stacks.PushRegs(
      stack, {.ip = Kva(0x401234), .sp = Kva(0x7ffe00001000), .user_mode = true, .fred_type = 7});
  stack.Push(entry + 0x30);
  stack.Skip(0x28);
  guest.stacks.SwitchAway(task, stack, guest.stacks.schedule() + 0x30);
  const auto rows = guest.WalkAll();
  EXPECT_THAT(Kinds(rows, 7), ElementsAre("call", "syscall", "end"));
  EXPECT_EQ(EndOf(rows, 7).reason, "user mode");
  EXPECT_EQ(EndOf(rows, 7).ip, Hex(0x401234));
  EXPECT_THAT(guest.anomalies, NoAnomalies());
}

}  // namespace
}  // namespace ktstr
