// Stacks of tasks that are on a CPU: unwound from its registers.
#include "stack_guest.h"

namespace ktstr {
namespace {

using synthetic::StackBuilder;
using synthetic::StackWriter;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint16_t kUserCs = 0x33;

// Thread 7 runs on CPU 1, in `busy`, which was called by the thread's first function.
class RunningStackTest : public ::testing::Test {
 protected:
  RunningStackTest() {
    task_ = guest_.sched.AddProcess({.pid = 7, .cpu = 1, .on_rq = 1});
    guest_.sched.Run(1, task_);
    busy_ = guest_.stacks.Function("busy", 0x10);
    StackWriter stack = guest_.stacks.NewStack(task_);
    stack.Push(guest_.stacks.fork_return() + 5);
    stack.Skip(0x10);
    sp_ = stack.sp();
    // What was saved when it was switched away from last is long past.
    guest_.builder().Set("task_struct", task_, "thread.sp", guest_.Wild().value());
  }
  void SetRegisters(uint32_t cpu, Kva ip, Kva sp) {
    VcpuRegisters& vcpu = guest_.vcpus().at(cpu);
    vcpu.rip = ip.value();
    vcpu.gpr[static_cast<size_t>(Gpr::kRsp)] = sp.value();
  }
  std::vector<StackFrameRow> Walk() { return guest_.WalkAll(); }

  StackGuest guest_;
  Kva task_, busy_, sp_;
};

TEST_F(RunningStackTest, TheRegistersAreTheInnermostFrame) {
  guest_.Finish();
  SetRegisters(1, busy_ + 0x2c, sp_);
  const auto rows = Walk();
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("busy+0x2c", "ret_from_fork_asm+0x5"));
  EXPECT_EQ(EndOf(rows, 7).reason, "end of stack");
  EXPECT_EQ(EndOf(rows, 7).running, 1);
  EXPECT_EQ(EndOf(rows, 7).cpu, 1);
  EXPECT_THAT(guest_.anomalies, NoAnomalies());
}

TEST_F(RunningStackTest, TheFirstInstructionOfAFunctionIsInIt) {
  guest_.stacks.Function("what_stands_behind", 0);
  guest_.Finish();
  SetRegisters(1, busy_, sp_);
  EXPECT_THAT(Symbols(Walk(), 7), ElementsAre("busy+0x0", "ret_from_fork_asm+0x5"));
}

// Thread 7 is in an indirect-jump thunk that `busy` called: at its call, at what stores the target,
// and at its return, which goes to the target.
class ThunkStackTest : public RunningStackTest {
 protected:
  ThunkStackTest() {
    // For the compiler's own view of a thunk the tables have no way on.
    thunk_ = guest_.stacks.Function("__x86_indirect_thunk_rax", OrcEntry{});
    target_ = guest_.stacks.Function("target", OrcEntry{});
    constexpr uint8_t kThunk[] = {0xe8, 1, 0, 0, 0, 0xcc, 0x48, 0x89, 0x04, 0x24, 0xc3};
    guest_.builder().PutBytes(thunk_, std::as_bytes(std::span(kThunk)));
  }
  // The symbols at the thunk's instruction `offset`, with these words on top of the stack.
  std::vector<std::string> SymbolsAt(uint64_t offset, std::vector<Kva> words) {
    words.push_back(busy_ + 0x20);
    const Kva sp = sp_ - words.size() * 8;
    for (size_t i = 0; i < words.size(); ++i) guest_.builder().Put(sp + i * 8, words[i]);
    guest_.Finish();
    SetRegisters(1, thunk_ + offset, sp);
    return Symbols(Walk(), 7);
  }
  Kva thunk_, target_;
};

TEST_F(ThunkStackTest, BeforeItsOwnCall) {
  EXPECT_THAT(SymbolsAt(0, {}),
              ElementsAre("__x86_indirect_thunk_rax+0x0", "busy+0x20", "ret_from_fork_asm+0x5"));
}

TEST_F(ThunkStackTest, BehindItsCall) {
  EXPECT_THAT(SymbolsAt(6, {thunk_ + 5}),
              ElementsAre("__x86_indirect_thunk_rax+0x6", "busy+0x20", "ret_from_fork_asm+0x5"));
}

TEST_F(ThunkStackTest, AtItsReturnToTheTarget) {
  EXPECT_THAT(SymbolsAt(10, {target_}),
              ElementsAre("__x86_indirect_thunk_rax+0xa", "busy+0x20", "ret_from_fork_asm+0x5"));
}

// Where returns are thunks, too, the last of it is in that of returns.
TEST_F(ThunkStackTest, InTheReturnThunkOnTheWayToTheTarget) {
  const Kva returns = guest_.stacks.Function("__x86_return_thunk", 0);
  thunk_ = returns;
  EXPECT_THAT(SymbolsAt(0, {target_}),
              ElementsAre("__x86_return_thunk+0x0", "busy+0x20", "ret_from_fork_asm+0x5"));
}

// srso_return_thunk calls what drops the way back to it, and returns.
class SafeReturnStackTest : public ThunkStackTest {
 protected:
  SafeReturnStackTest() {
    const Kva returns = guest_.stacks.Function("srso_return_thunk", 0);
    thunk_ = guest_.stacks.Function("srso_safe_ret", OrcEntry{});
    constexpr uint8_t kSafeReturn[] = {0x48, 0x8d, 0x64, 0x24, 0x08, 0xc3};
    guest_.builder().PutBytes(thunk_, std::as_bytes(std::span(kSafeReturn)));
    way_back_ = returns + 5;
  }
  Kva way_back_;
};

TEST_F(SafeReturnStackTest, BeforeTheWayBackIsDropped) {
  EXPECT_THAT(SymbolsAt(0, {way_back_}),
              ElementsAre("srso_safe_ret+0x0", "busy+0x20", "ret_from_fork_asm+0x5"));
}

TEST_F(SafeReturnStackTest, BeforeTheWayBackIsDroppedOnTheWayToATarget) {
  EXPECT_THAT(SymbolsAt(0, {way_back_, target_}),
              ElementsAre("srso_safe_ret+0x0", "busy+0x20", "ret_from_fork_asm+0x5"));
}

TEST_F(SafeReturnStackTest, AtTheReturnToATarget) {
  EXPECT_THAT(SymbolsAt(5, {target_}),
              ElementsAre("srso_safe_ret+0x5", "busy+0x20", "ret_from_fork_asm+0x5"));
}

// `busy` was interrupted; the entry's helper has pushed all registers and returns, or has returned.
// The table knows of them one instruction later.
class EntryStackTest : public RunningStackTest {
 protected:
  EntryStackTest() {
    const Kva helper = guest_.stacks.Function("error_entry", 0);
    const OrcEntry partial = {
        8, 0, OrcRegister::kSp, OrcRegister::kUndefined, OrcType::kRegsPartial, true};
    entry_ = guest_.stacks.Function("asm_sysvec_apic_timer_interrupt", partial);
    const auto distance = static_cast<uint32_t>(helper - (entry_ + 5));
    guest_.builder().Put<uint8_t>(entry_, 0xe8);
    guest_.builder().Put(entry_ + 1, distance);
    constexpr uint8_t kSwitchStack[] = {0x48, 0x89, 0xc4};
    guest_.builder().PutBytes(entry_ + 5, std::as_bytes(std::span(kSwitchStack)));
    return_thunk_ = guest_.stacks.Function("__x86_return_thunk", 0);
    sync_regs_ = guest_.stacks.Function("sync_regs", 0);
    StackWriter stack = guest_.stacks.NewStack(task_);
    stack.Push(guest_.stacks.fork_return() + 5);
    stack.Skip(0x10);
    guest_.stacks.PushRegs(stack, {.ip = busy_ + 0x1a, .sp = stack.sp()});
    regs_ = stack.sp();
    stack.Push(entry_ + 5);
    guest_.Finish();
  }
  Kva entry_, return_thunk_, sync_regs_, regs_;
};

TEST_F(EntryStackTest, BehindTheHelper) {
  SetRegisters(1, entry_ + 5, regs_);
  EXPECT_THAT(Symbols(Walk(), 7), ElementsAre("asm_sysvec_apic_timer_interrupt+0x5", "busy+0x1a",
                                              "ret_from_fork_asm+0x5"));
}

TEST_F(EntryStackTest, InTheFunctionByWhichTheHelperReturns) {
  SetRegisters(1, sync_regs_, regs_ - 8);
  EXPECT_THAT(Symbols(Walk(), 7),
              ElementsAre("sync_regs+0x0", "asm_sysvec_apic_timer_interrupt+0x5", "busy+0x1a",
                          "ret_from_fork_asm+0x5"));
}

// A CPU fills its return buffer while it switches tasks; of that the table knows nothing. At each
// instruction so many words of it are on the stack.
class ReturnBufferTest : public RunningStackTest,
                         public ::testing::WithParamInterface<std::pair<uint64_t, uint64_t>> {};

TEST_P(ReturnBufferTest, WhereATaskIsSwitched) {
  const auto [offset, words] = GetParam();
  const Kva code = guest_.stacks.Function("__switch_to_asm", OrcEntry{});
  constexpr uint8_t kFill[] = {0xe8, 1,    0,    0,    0,    0xcc, 0xe8, 1,    0,    0,
                               0,    0xcc, 0x48, 0x83, 0xc4, 0x10, 0x49, 0xff, 0xcc, 0x75};
  guest_.builder().PutBytes(code, std::as_bytes(std::span(kFill)));
  constexpr uint64_t kSixRegisters = 6 * 8;
  guest_.builder().Put(sp_ - 8, busy_ + 0x20);
  guest_.Finish();
  SetRegisters(1, code + offset, sp_ - 8 - kSixRegisters - words * 8);
  EXPECT_THAT(Symbols(Walk(), 7), ElementsAre(fmt::format("__switch_to_asm+{:#x}", offset),
                                              "busy+0x20", "ret_from_fork_asm+0x5"));
}

INSTANTIATE_TEST_SUITE_P(Instructions, ReturnBufferTest,
                         ::testing::Values(std::pair(0, 0), std::pair(6, 1), std::pair(12, 2),
                                           std::pair(16, 0), std::pair(19, 0)));

TEST_F(EntryStackTest, InTheThunkByWhichTheHelperReturns) {
  SetRegisters(1, return_thunk_, regs_ - 8);
  EXPECT_THAT(Symbols(Walk(), 7),
              ElementsAre("__x86_return_thunk+0x0", "asm_sysvec_apic_timer_interrupt+0x5",
                          "busy+0x1a", "ret_from_fork_asm+0x5"));
}

TEST_F(ThunkStackTest, InTheReturnThunkOnTheWayToACaller) {
  thunk_ = guest_.stacks.Function("__x86_return_thunk", 0);
  EXPECT_THAT(SymbolsAt(0, {}),
              ElementsAre("__x86_return_thunk+0x0", "busy+0x20", "ret_from_fork_asm+0x5"));
}

TEST_F(RunningStackTest, ATaskInUserModeHasNoKernelFrames) {
  guest_.Finish();
  SetRegisters(1, Kva(0x401000), Kva(0x7ffe00002000));
  guest_.vcpus()[1].cs.selector = kUserCs;
  const auto rows = Walk();
  EXPECT_THAT(Symbols(rows, 7), IsEmpty());
  EXPECT_EQ(EndOf(rows, 7).reason, "user mode");
  EXPECT_EQ(EndOf(rows, 7).ip, Hex(0x401000));
  EXPECT_EQ(EndOf(rows, 7).sp, Hex(0x7ffe00002000));
  EXPECT_THAT(guest_.anomalies, NoAnomalies());
}

TEST_F(RunningStackTest, VcpusAreTheKernelsByTheirPerCpuAreaNotByNumber) {
  guest_.Finish();
  SetRegisters(1, busy_ + 4, sp_);
  std::swap(guest_.vcpus()[0], guest_.vcpus()[1]);
  for (uint32_t i = 0; i < 2; ++i) guest_.vcpus()[i].cpu = i;
  const auto rows = Walk();
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("busy+0x4", "ret_from_fork_asm+0x5"));
  EXPECT_EQ(EndOf(rows, 7).cpu, 1);
}

TEST_F(RunningStackTest, WithoutTheCpusRegistersItIsNotUnwoundFromWhereItOnceSlept) {
  guest_.Finish();
  guest_.vcpus().pop_back();
  const auto rows = Walk();
  EXPECT_THAT(Symbols(rows, 7), IsEmpty());
  EXPECT_EQ(EndOf(rows, 7).reason, "no registers");
  ASSERT_EQ(guest_.anomalies.size(), 1u);
  EXPECT_EQ(guest_.anomalies[0].kind, "no registers");
}

TEST_F(RunningStackTest, InTheMiddleOfASwitchTheStackTellsWhoseRegistersTheyAre) {
  // CPU 0 has its idle task as current, and is on the stack of thread 7 still or already.
  guest_.sched.Run(0, task_);
  guest_.builder().PerCpuVariable("current_task", 8);
  for (uint32_t cpu = 0; cpu < 2; ++cpu) {
    guest_.builder().Put(guest_.builder().PerCpu("current_task", cpu),
                         guest_.sched.idle_tasks()[cpu]);
  }
  guest_.Finish();
  guest_.builder().Set("rq", guest_.sched.queues().Rq(1), "curr",
                       guest_.sched.idle_tasks()[1].value());
  SetRegisters(0, busy_ + 8, sp_);
  const auto rows = Walk();
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("busy+0x8", "ret_from_fork_asm+0x5"));
  EXPECT_EQ(EndOf(rows, 7).cpu, 0);
}

// The CPU handles an interrupt on a stack of its own, whose top word leads back to the task's.
class IrqStackTest : public RunningStackTest {
 protected:
  static constexpr uint64_t kIrqStackSize = kPageSize;

  IrqStackTest() {
    synthetic::KernelBuilder& b = guest_.builder();
    b.types().Struct("irq_stack", {{"char[4096]", "stack"}});
    b.PerCpuVariable("hardirq_stack_ptr", 8);
    begin_ = b.AllocateVmalloc(kIrqStackSize);
    top_word_ = begin_ + kIrqStackSize - 8;
    b.Put(b.PerCpu("hardirq_stack_ptr", 1), top_word_);
    handler_ = guest_.stacks.Function("handle_irq", 0x20);
    // Behind the switch: the stack pointer to return to is on top of the stack.
    switched_ = guest_.stacks.Function(
        "asm_call_irq_on_stack",
        {.sp_offset = 8, .sp_reg = OrcRegister::kSpIndirect, .type = OrcType::kCall});
  }
  // Calls the handler from a stack pointer of `from`, which is left on top.
  StackWriter EnterIrqStack(Kva from) {
    StackWriter stack(guest_.builder(), begin_, kIrqStackSize);
    stack.Push(from);
    stack.Push(switched_ + 0x14);
    stack.Skip(0x20);
    return stack;
  }

  Kva begin_, top_word_, handler_, switched_;
};

TEST_F(IrqStackTest, LeadsBackToTheTaskThatWasInterrupted) {
  StackWriter task_stack(guest_.builder(), sp_ - kPageSize, kPageSize);
  task_stack.Push(busy_ + 0x18);
  const StackWriter irq = EnterIrqStack(task_stack.sp());
  guest_.Finish();
  SetRegisters(1, handler_ + 0x10, irq.sp());
  const auto rows = Walk();
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("handle_irq+0x10", "asm_call_irq_on_stack+0x14",
                                            "busy+0x18", "ret_from_fork_asm+0x5"));
  std::vector<std::string> stacks;
  for (const StackFrameRow& row : rows) {
    if (row.pid == 7 && row.stack) stacks.push_back(*row.stack);
  }
  EXPECT_THAT(stacks, ElementsAre("irq", "irq", "task", "task"));
  EXPECT_EQ(EndOf(rows, 7).reason, "end of stack");
  EXPECT_THAT(guest_.anomalies, NoAnomalies());
}

TEST_F(IrqStackTest, ThatLeadsBackToItselfEnds) {
  const StackWriter irq = EnterIrqStack(top_word_ - 0x400);
  guest_.Finish();
  SetRegisters(1, handler_ + 0x10, irq.sp());
  const auto rows = Walk();
  EXPECT_THAT(Symbols(rows, 7).at(0), "handle_irq+0x10");
  EXPECT_NE(EndOf(rows, 7).reason, "end of stack");
  EXPECT_EQ(guest_.anomalies.size(), 1u);
}

// How the stack of CPU 1's idle task ends, whose vCPU waits to be started.
std::string EndOfIdleTask(StackGuest& guest) {
  constexpr uint64_t kCr0AfterReset = 0x60000010;
  guest.vcpus().at(1).cr0 = kCr0AfterReset;
  for (const StackFrameRow& row : guest.WalkAll()) {
    if (row.cpu == 1 && row.reason) return *row.reason;
  }
  return "(none)";
}

TEST(StoppedCpuTest, AnIdleTaskWhoseCpuIsOffHasNotStarted) {
  StackGuest guest(synthetic::OrcStyle::kWithHeader, {.offline = {1}});
  guest.Finish();
  EXPECT_EQ(EndOfIdleTask(guest), "not started");
  EXPECT_THAT(guest.anomalies, NoAnomalies());
}

TEST(StoppedCpuTest, AnIdleTaskWhoseCpuNeverCameUpHasNotStarted) {
  StackGuest guest;
  const Kva idle = guest.sched.idle_tasks()[1];
  const StackWriter stack = guest.stacks.NewStack(idle);
  // do_boot_cpu() lets it begin where a new task's user registers would be.
  guest.builder().Set("task_struct", idle, "thread.sp", (stack.sp() - 0x40).value());
  guest.Finish();
  EXPECT_EQ(EndOfIdleTask(guest), "not started");
  EXPECT_THAT(guest.anomalies, NoAnomalies());
}

}  // namespace
}  // namespace ktstr
