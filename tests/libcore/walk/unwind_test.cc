// Stacks of synthetic kernels, unwound by their ORC tables.
#include <fmt/format.h>

#include "stack_guest.h"

namespace ktstr {
namespace {

using synthetic::InterruptedAt;
using synthetic::JitBuilder;
using synthetic::MakeJitCode;
using synthetic::OrcStyle;
using synthetic::StackBuilder;
using synthetic::StackWriter;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr OrcEntry kRegs = {.sp_reg = OrcRegister::kSp, .type = OrcType::kRegs, .signal = true};
constexpr OrcEntry kPartialRegs = {
    .sp_reg = OrcRegister::kSp, .type = OrcType::kRegsPartial, .signal = true};
constexpr OrcEntry kByFramePointer = {.sp_offset = 16,
                                      .bp_offset = -16,
                                      .sp_reg = OrcRegister::kBp,
                                      .bp_reg = OrcRegister::kPrevSp,
                                      .type = OrcType::kCall};

class UnwindTest : public ::testing::Test {
 protected:
  StackGuest guest_;
};

TEST_F(UnwindTest, FramesOfAllStacksTogetherHaveALimit) {
  for (uint32_t pid = 1; pid <= 10; ++pid) guest_.sched.AddProcess({.pid = pid, .state = 1});
  const size_t all = guest_.WalkAll().size();
  EXPECT_GE(all, 40u);
  EXPECT_THAT(guest_.anomalies, NoAnomalies());
  const auto walked = WalkStacks(guest_.Open(), {.max_all_nodes = 30});
  ASSERT_TRUE(walked) << walked.error().ToString();
  EXPECT_GT(walked->rows.size(), 4u);
  EXPECT_LT(walked->rows.size(), all);
  ASSERT_EQ(walked->anomalies.size(), 1u) << ToText(walked->anomalies);
  EXPECT_EQ(walked->anomalies[0].kind, "cap");
}

// Of many tasks a second thread reads from the list's end on what their stacks are unwound from.
// The parameter is the task that cannot be read, if there is such a one.
class ManyStacksTest : public ::testing::TestWithParam<std::optional<uint32_t>> {};

TEST_P(ManyStacksTest, WhoReadsTheTasksChangesNothing) {
  constexpr uint32_t kTasks = 1200;
  StackGuest guest;
  const Kva nr_threads = guest.builder().Data("nr_threads", 4);
  guest.builder().Put<int32_t>(nr_threads, kTasks);
  for (uint32_t pid = 1; pid <= kTasks; ++pid) {
    const Kva task = guest.sched.AddProcess({.pid = pid, .state = 1});
    if (pid == GetParam()) guest.LeaveOut(task);
  }
  guest.Finish();
  const GuestKernel& kernel = guest.Open();
  for (const WalkLimits& limits :
       {WalkLimits{}, WalkLimits{.max_nodes = 700}, WalkLimits{.max_all_nodes = 1300}}) {
    const auto one = WalkStacks(kernel, limits, 1), two = WalkStacks(kernel, limits, 2);
    ASSERT_TRUE(one && two);
    EXPECT_GT(one->rows.size(), 0u);
    EXPECT_TRUE(one->rows == two->rows);
    EXPECT_EQ(one->anomalies, two->anomalies);
  }
}

INSTANTIATE_TEST_SUITE_P(Unreadable, ManyStacksTest, ::testing::Values(std::nullopt, 1, 600, 1200));

// Where one page is looked at, a task on another one has gone to sleep.
class MovingMemory : public GuestMemory {
 public:
  MovingMemory(synthetic::BufferMemory& memory, Pa saved_sp, uint64_t sp, Pfn looked_at)
      : memory_(memory), saved_sp_(saved_sp), sp_(sp), looked_at_(looked_at) {}
  std::span<const MemoryRegion> regions() const override { return memory_.regions(); }
  PageView View(Pfn pfn) const override {
    if (pfn == looked_at_) memory_.Put<uint64_t>(saved_sp_, sp_);
    return memory_.View(pfn);
  }
  Result<std::byte*> Writable(Pfn pfn) override { return memory_.Writable(pfn); }

 private:
  synthetic::BufferMemory& memory_;
  Pa saved_sp_;
  uint64_t sp_;
  Pfn looked_at_;
};

TEST(MovingStacksTest, ATaskThatRunsMeanwhileIsUnwoundFromWhereItIs) {
  synthetic::KernelBuilder builder;
  synthetic::SchedBuilder sched(builder);
  synthetic::StackBuilder stacks(builder, sched, OrcStyle::kWithHeader);
  const Kva first = sched.AddProcess({.pid = 7, .state = 1});
  const Kva second = sched.AddProcess({.pid = 8, .state = 1});
  stacks.Finish();
  sched.Finish();
  const synthetic::SyntheticGuest guest = builder.Finish();
  const auto still = GuestKernel::Open(*guest.memory, guest.vcpus).value();
  const uint64_t saved_sp = still->types().value()->FindMember("task_struct", "thread.sp")->offset;
  const auto sp_of = [&](Kva task) { return still->Read<uint64_t>(task + saved_sp).value(); };
  const Pa second_at = still->Translate(second + saved_sp).value();
  MovingMemory moving(*guest.memory, second_at, sp_of(second),
                      Pfn::Of(still->Translate(Kva(sp_of(first))).value()));
  const auto kernel = GuestKernel::Open(moving, guest.vcpus).value();
  guest.memory->Put<uint64_t>(second_at, 0x10);
  const auto walked = WalkStacks(*kernel, {}, 1, /*at_rest=*/false);
  ASSERT_TRUE(walked);
  EXPECT_EQ(Symbols(walked->rows, 8), Symbols(walked->rows, 7));
  EXPECT_EQ(EndOf(walked->rows, 8).reason, "end of stack");
  EXPECT_THAT(walked->anomalies, IsEmpty());
}

TEST_F(UnwindTest, WhereTheTableCannotBeReadAStackEndsAndNoFramePointerIsBelieved) {
  guest_.sched.AddProcess({.pid = 7, .state = 1});
  guest_.Finish();
  guest_.LeaveOut(guest_.builder().SymbolAddress("__start_orc_unwind"));
  const auto rows = guest_.WalkAll();
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("schedule+0x30"));
  EXPECT_EQ(EndOf(rows, 7).reason, "unreadable");
  EXPECT_EQ(EndOf(rows, 7).detail, "the ORC table's entry for this code");
  EXPECT_THAT(guest_.anomalies, ::testing::Not(IsEmpty()));
}

class UnwindFormatTest : public ::testing::TestWithParam<OrcStyle> {};

TEST_P(UnwindFormatTest, ASleepingThreadIsUnwoundThroughItsCalls) {
  StackGuest guest(GetParam());
  guest.sched.AddProcess({.pid = 7, .state = 1});
  const auto rows = guest.WalkAll();
  EXPECT_THAT(Symbols(rows, 7),
              ElementsAre("schedule+0x30", "kthread+0x20", "ret_from_fork_asm+0x5"));
  EXPECT_EQ(EndOf(rows, 7).reason, "end of stack");
  EXPECT_EQ(EndOf(rows, 7).depth, 3);
  EXPECT_EQ(EndOf(rows, 7).running, 0);
  EXPECT_THAT(guest.anomalies, NoAnomalies());
}

TEST_P(UnwindFormatTest, AnInterruptIsUnwoundIntoWhatItInterrupted) {
  StackGuest guest(GetParam());
  const Kva interrupt = guest.stacks.Function("asm_sysvec_apic_timer_interrupt", kRegs);
  const Kva handler = guest.stacks.Function("sysvec_apic_timer_interrupt", 0x40);
  guest.stacks.Function("what_stands_before", OrcEntry{});
  const Kva busy = guest.stacks.Function("busy_loop", 0x10);
  const Kva task = guest.sched.AddProcess({.pid = 7});
  StackWriter stack = guest.stacks.NewStack(task);
  stack.Push(guest.stacks.fork_return() + 5);
  stack.Skip(0x10);
  // At its very first instruction: the address is not one behind a call.
  guest.stacks.PushRegs(stack, {.ip = busy, .sp = stack.sp()});
  stack.Push(interrupt + 0x12);
  stack.Skip(0x40);
  guest.stacks.SwitchAway(task, stack, handler + 0x20);
  const auto rows = guest.WalkAll();
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("sysvec_apic_timer_interrupt+0x20",
                                            "asm_sysvec_apic_timer_interrupt+0x12", "busy_loop+0x0",
                                            "ret_from_fork_asm+0x5"));
  EXPECT_THAT(Kinds(rows, 7), ElementsAre("call", "interrupt", "call", "call", "end"));
  EXPECT_EQ(EndOf(rows, 7).reason, "end of stack");
  EXPECT_THAT(guest.anomalies, NoAnomalies());
}

INSTANTIATE_TEST_SUITE_P(Styles, UnwindFormatTest,
                         ::testing::Values(OrcStyle::kWithHeader, OrcStyle::kRenumbered,
                                           OrcStyle::kWithEnd, OrcStyle::kWithoutSignal));

TEST_F(UnwindTest, AnExceptionThatHasOnlyWhatTheProcessorPushedIsUnwound) {
  const Kva exception = guest_.stacks.Function("asm_exc_page_fault", kPartialRegs);
  const Kva faulting = guest_.stacks.Function("copy_something", 0x20);
  const Kva task = guest_.sched.AddProcess({.pid = 7});
  StackWriter stack = guest_.stacks.NewStack(task);
  stack.Push(guest_.stacks.fork_return() + 5);
  stack.Skip(0x20);
  guest_.stacks.PushPartialRegs(stack, {.ip = faulting + 0xa, .sp = stack.sp()});
  guest_.stacks.SwitchAway(task, stack, exception + 8);
  const auto rows = guest_.WalkAll();
  EXPECT_THAT(Symbols(rows, 7),
              ElementsAre("asm_exc_page_fault+0x8", "copy_something+0xa", "ret_from_fork_asm+0x5"));
  EXPECT_THAT(Kinds(rows, 7), ElementsAre("exception", "call", "call", "end"));
  EXPECT_THAT(guest_.anomalies, NoAnomalies());
}

TEST_F(UnwindTest, ASystemCallEndsInUserModeAndTellsWhere) {
  const Kva entry = guest_.stacks.Function("entry_SYSCALL_64_after_hwframe", kRegs);
  const Kva task = guest_.sched.AddProcess({.pid = 7});
  StackWriter stack = guest_.stacks.NewStack(task);
  guest_.stacks.PushRegs(stack,
                         {.ip = Kva(0x401234), .sp = Kva(0x7ffe00001000), .user_mode = true});
  stack.Push(entry + 0x30);
  stack.Skip(0x28);
  guest_.stacks.SwitchAway(task, stack, guest_.stacks.schedule() + 0x30);
  const auto rows = guest_.WalkAll();
  EXPECT_THAT(Symbols(rows, 7),
              ElementsAre("schedule+0x30", "entry_SYSCALL_64_after_hwframe+0x30"));
  EXPECT_THAT(Kinds(rows, 7), ElementsAre("call", "syscall", "end"));
  EXPECT_EQ(EndOf(rows, 7).reason, "user mode");
  EXPECT_EQ(EndOf(rows, 7).ip, Hex(0x401234));
  EXPECT_EQ(EndOf(rows, 7).sp, Hex(0x7ffe00001000));
  EXPECT_THAT(guest_.anomalies, NoAnomalies());
}

TEST_F(UnwindTest, AFunctionWithAFramePointerIsUnwoundByIt) {
  const Kva variable = guest_.stacks.Function("has_a_stack_of_any_size", kByFramePointer);
  const Kva task = guest_.sched.AddProcess({.pid = 7});
  StackWriter stack = guest_.stacks.NewStack(task);
  stack.Push(guest_.stacks.fork_return() + 5);
  stack.Push(uint64_t{0x1111});
  const Kva frame = stack.sp();
  stack.Skip(0x300);
  guest_.stacks.SwitchAway(task, stack, variable + 9, frame.value());
  const auto rows = guest_.WalkAll();
  EXPECT_THAT(Symbols(rows, 7),
              ElementsAre("has_a_stack_of_any_size+0x9", "ret_from_fork_asm+0x5"));
  EXPECT_THAT(guest_.anomalies, NoAnomalies());
}

TEST_F(UnwindTest, ABpfProgramIsUnwoundByItsFramePointer) {
  JitBuilder jit(guest_.builder());
  const auto code = MakeJitCode({.endbr = true});
  const Kva program = jit.Add("bpf_prog_0011223344556677_enqueue", code);
  jit.Finish();
  const Kva helper = guest_.stacks.Function("bpf_helper", 0x18);
  const Kva task = guest_.sched.AddProcess({.pid = 7});
  StackWriter stack = guest_.stacks.NewStack(task);
  stack.Push(guest_.stacks.fork_return() + 5);
  stack.Push(uint64_t{0});
  const Kva frame = stack.sp();
  stack.Skip(0x40);
  stack.Push(program + code.body + 20);
  stack.Skip(0x18);
  guest_.stacks.SwitchAway(task, stack, helper + 4, frame.value());
  const auto rows = guest_.WalkAll();
  EXPECT_THAT(Symbols(rows, 7),
              ElementsAre("bpf_helper+0x4",
                          fmt::format("bpf_prog_0011223344556677_enqueue+{:#x}", code.body + 20),
                          "ret_from_fork_asm+0x5"));
  EXPECT_THAT(Kinds(rows, 7), ElementsAre("call", "bpf", "call", "end"));
  EXPECT_THAT(guest_.anomalies, NoAnomalies());
}

TEST_F(UnwindTest, ATaskThatNeverRanSaysSo) {
  const Kva task = guest_.sched.AddProcess({.pid = 7});
  StackWriter stack = guest_.stacks.NewStack(task);
  guest_.stacks.PushRegs(stack, {});
  guest_.stacks.SwitchAway(task, stack, guest_.stacks.fork_return());
  const auto rows = guest_.WalkAll();
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("ret_from_fork_asm+0x0"));
  EXPECT_EQ(EndOf(rows, 7).reason, "never ran");
  EXPECT_THAT(guest_.anomalies, NoAnomalies());
}

TEST_F(UnwindTest, AStackThatADeadTaskGaveBackIsNoAnomaly) {
  const Kva task = guest_.sched.AddProcess({.pid = 7, .state = 0x80, .exit_state = 0x10});
  guest_.stacks.NewStack(task);
  guest_.builder().Set("task_struct", task, "stack_refcount.counter", 0);
  const auto rows = guest_.WalkAll();
  EXPECT_THAT(Symbols(rows, 7), IsEmpty());
  EXPECT_EQ(EndOf(rows, 7).reason, "freed");
  EXPECT_THAT(guest_.anomalies, NoAnomalies());
}

TEST_F(UnwindTest, ATaskThatLivesWithoutAStackIsOne) {
  const Kva task = guest_.sched.AddProcess({.pid = 7});
  guest_.stacks.NewStack(task);
  guest_.builder().Set("task_struct", task, "stack", 0);
  EXPECT_EQ(EndOf(guest_.WalkAll(), 7).reason, "off stack");
  EXPECT_EQ(guest_.anomalies.size(), 1u);
}

TEST_F(UnwindTest, ASavedStackPointerThatIsElsewhereIsNotFollowed) {
  const Kva task = guest_.sched.AddProcess({.pid = 7});
  const Kva elsewhere = guest_.builder().Allocate(64);
  guest_.stacks.Sleep(task);
  guest_.builder().Set("task_struct", task, "thread.sp", elsewhere.value());
  EXPECT_EQ(EndOf(guest_.WalkAll(), 7).reason, "off stack");
  EXPECT_THAT(guest_.anomalies, HasAnomaly("off stack", elsewhere));
}

// A thread that sleeps in `schedule`, called by `damaged`, which is unwound by the frame pointer.
class DamagedStackTest : public UnwindTest {
 protected:
  DamagedStackTest() {
    task_ = guest_.sched.AddProcess({.pid = 7});
    guest_.sched.AddProcess({.pid = 8});
    damaged_ = guest_.stacks.Function("damaged", kByFramePointer);
  }
  // Sleeps with this frame pointer, where `return_to` is the return address of `damaged`.
  std::vector<StackFrameRow> WalkWith(std::optional<Kva> bp, Kva return_to) {
    StackWriter stack = guest_.stacks.NewStack(task_);
    stack.Skip(bottom_);
    stack.Push(return_to);
    stack.Push(uint64_t{0});
    const Kva frame = bp.value_or(stack.sp());
    return_slot_ = frame + 8;
    stack.Skip(0x20);
    stack.Push(damaged_ + 0x10);
    stack.Skip(0x28);
    guest_.stacks.SwitchAway(task_, stack, guest_.stacks.schedule() + 0x30, frame.value());
    if (lost_page_) guest_.LeaveOut(stack.begin() + kPageSize);
    auto rows = guest_.WalkAll();
    // What was found is kept, and no other stack suffers.
    EXPECT_EQ(Symbols(rows, 7).at(0), "schedule+0x30");
    EXPECT_EQ(EndOf(rows, 8).reason, "end of stack");
    return rows;
  }

  Kva task_, damaged_, return_slot_;
  uint64_t bottom_ = 0;
  bool lost_page_ = false;
};

TEST_F(DamagedStackTest, AFramePointerThatLeadsElsewhereEndsIt) {
  const Kva elsewhere = guest_.builder().Allocate(64);
  const auto rows = WalkWith(elsewhere, guest_.stacks.fork_return() + 5);
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("schedule+0x30", "damaged+0x10"));
  EXPECT_EQ(EndOf(rows, 7).reason, "off stack");
  EXPECT_THAT(guest_.anomalies, HasAnomaly("off stack", elsewhere + 8));
}

TEST_F(DamagedStackTest, AReturnAddressThatIsNoCodeEndsIt) {
  const auto rows = WalkWith(std::nullopt, guest_.Wild());
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("schedule+0x30", "damaged+0x10"));
  EXPECT_EQ(EndOf(rows, 7).reason, "not text");
  EXPECT_THAT(guest_.anomalies, HasAnomaly("not text", guest_.Wild()));
}

TEST_F(DamagedStackTest, ACallerThatTheTableDoesNotCoverEndsIt) {
  const Kva uncovered = guest_.stacks.Function("uncovered", OrcEntry{});
  const auto rows = WalkWith(std::nullopt, uncovered + 3);
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("schedule+0x30", "damaged+0x10", "uncovered+0x3"));
  EXPECT_EQ(EndOf(rows, 7).reason, "no table");
  EXPECT_THAT(guest_.anomalies, HasAnomaly("no table", uncovered + 3));
}

TEST_F(DamagedStackTest, AStackThatLeadsBackDownEnds) {
  // The stack pointer that was interrupted is below that of the interruption.
  const Kva partial = guest_.stacks.Function("asm_exc_page_fault", kPartialRegs);
  StackWriter stack = guest_.stacks.NewStack(task_);
  stack.Skip(0x100);
  const Kva below = stack.sp() - 0x80;
  guest_.stacks.PushPartialRegs(stack, {.ip = partial + 8, .sp = below});
  guest_.stacks.SwitchAway(task_, stack, partial + 8);
  const auto rows = guest_.WalkAll();
  EXPECT_EQ(EndOf(rows, 7).reason, "loop");
  EXPECT_THAT(guest_.anomalies, HasAnomaly("loop", below));
}

TEST_F(DamagedStackTest, APageThatWasLeftOutEndsIt) {
  // The frame of `damaged` is in the upper page; the rest has been pushed down to the lower one.
  lost_page_ = true;
  bottom_ = kPageSize - 0x20;
  const auto rows = WalkWith(std::nullopt, guest_.stacks.fork_return() + 5);
  EXPECT_EQ(EndOf(rows, 7).reason, "unreadable");
  EXPECT_THAT(guest_.anomalies, HasAnomaly("unreadable", return_slot_));
}

TEST_F(DamagedStackTest, AReturnAddressThatATracerReplacedIsNotInvented) {
  const Kva tracer = guest_.stacks.Function("return_to_handler", 0);
  const auto rows = WalkWith(std::nullopt, tracer);
  EXPECT_THAT(Symbols(rows, 7), ElementsAre("schedule+0x30", "damaged+0x10"));
  EXPECT_EQ(EndOf(rows, 7).reason, "replaced");
}

}  // namespace
}  // namespace ktstr
