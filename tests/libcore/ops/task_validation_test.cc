// The layers of checks between finding a task and touching a field of it, one by one.
#include "libcore/ops/task_validation.h"

#include <fmt/format.h>

#include "ops_guest.h"

namespace ktstr {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uint32_t kPid = 42;

class TaskValidationTest : public ::testing::Test {
 protected:
  TaskValidationTest() {
    sched_.AddProcess({.pid = 1});
    task_ = sched_.AddProcess(ScxTask(kPid));
    Set("scx.dsq_vtime", 1234);
  }
  void Set(const char* member, uint64_t value) {
    builder_.Set("task_struct", task_, member, value);
  }
  OpsGuest& Guest() {
    if (!guest_) {
      sched_.Finish();
      guest_ = std::make_unique<OpsGuest>(builder_);
    }
    return *guest_;
  }
  static OpEntry Vtime(uint64_t expected_start = kStartTime) {
    return {TaskFieldTarget{kPid, expected_start, "scx.dsq_vtime"}, U64Value{99}};
  }
  uint64_t VtimeInMemory() {
    const uint64_t offset = builder_.MemberOf("task_struct", "scx.dsq_vtime").offset;
    return Guest().kernel().Read<uint64_t>(task_ + offset).value();
  }
  // The layer refuses reads and writes alike, says what was seen, and nothing is written; an
  // unchecked read passes it.
  void ExpectRefused(const std::string& error_class, const std::string& seen,
                     uint64_t expected_start = kStartTime) {
    const OpFailure read = Guest().ReadFailure({Vtime(expected_start)});
    EXPECT_EQ(Class(read), error_class);
    EXPECT_THAT(read.error.text, HasSubstr(seen));
    EXPECT_EQ(Class(Guest().WriteFailure({Vtime(expected_start)})), error_class);
    EXPECT_EQ(VtimeInMemory(), 1234u);
    OpEntry unchecked = Vtime(0);
    unchecked.unchecked = true;
    EXPECT_THAT(Guest().Read({unchecked}).read_values, ElementsAre(OpValue(U64Value{1234})));
  }

  KernelBuilder builder_;
  SchedBuilder sched_{builder_};
  Kva task_;
  std::unique_ptr<OpsGuest> guest_;
};

TEST_F(TaskValidationTest, ASleepingSchedExtTaskPassesEveryLayer) {
  EXPECT_THAT(Guest().Read({Vtime()}).read_values, ElementsAre(OpValue(U64Value{1234})));
  ASSERT_TRUE(Guest().Write({Vtime()}).success);
  EXPECT_EQ(VtimeInMemory(), 99u);
  ASSERT_TRUE(
      Guest().Write({{TaskFieldTarget{kPid, kStartTime, "scx.weight"}, U32Value{7}}}).success);
  EXPECT_THAT(
      Guest().Read({{TaskFieldTarget{kPid, kStartTime, "scx.weight"}, U32Value{}}}).read_values,
      ElementsAre(OpValue(U32Value{7})));
}

TEST_F(TaskValidationTest, L1_AnotherPidInTheFoundMemoryIsRefused) {
  // The search finds by PID: only memory that is used again between search and check gets here.
  const auto layout = TaskCheckLayout::Of(Guest().kernel());
  ASSERT_TRUE(layout);
  const auto checked = CheckTask(Guest().kernel(), *layout, task_,
                                 {.pid = kPid + 1, .expected_start_time_ns = kStartTime});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, OpErrorCode::kTaskPid);
  EXPECT_EQ(checked.error().layer, OpLayer::kL1);
  EXPECT_THAT(checked.error().text, HasSubstr("pid 42"));
}

TEST_F(TaskValidationTest, L2_AStartTimeOutsideTheTickIsRefused) {
  ExpectRefused("task-start-time/L2", "5000000000 ns", kStartBoottime + 1);
  ExpectRefused("task-start-time/L2", "5000000000 ns", kStartTime - kStartTimeTickNs);
  ExpectRefused("task-start-time/L2", "5000000000 ns", 0);
  ExpectRefused("task-start-time/L2", "5000000000 ns", ~uint64_t{0});
}

TEST_F(TaskValidationTest, L2_TheTickBeginsAtTheExpectedTimeAndEndsBefore10Ms) {
  for (const uint64_t expected : {kStartTime, kStartTime - 1, kStartTime - kStartTimeTickNs + 1}) {
    EXPECT_TRUE(Guest().Read({Vtime(expected)}).success) << expected;
  }
}

// /proc tells start_boottime, which is the later one: here a tick begins between the two.
TEST_F(TaskValidationTest, L2_ATickMayLieBetweenTheTwoTimesOfAStart) {
  for (const uint64_t expected : {kStartTime + 1, kStartBoottime}) {
    EXPECT_TRUE(Guest().Read({Vtime(expected)}).success) << expected;
  }
}

TEST_F(TaskValidationTest, L3_ADeadTaskIsRefused) {
  Set("__state", kTaskDeadState | 1);
  ExpectRefused("task-dead/L3", "0x81");
}

TEST_F(TaskValidationTest, L4_ATaskOnARunQueueIsRefused) {
  for (const uint32_t on_rq : {1u, 2u}) {
    SCOPED_TRACE(on_rq);
    guest_.reset();
    KernelBuilder builder;
    SchedBuilder sched(builder);
    TaskSpec spec = ScxTask(kPid);
    spec.on_rq = on_rq;
    sched.AddProcess(spec);
    sched.Finish();
    OpsGuest guest(builder);
    const OpFailure failure = guest.WriteFailure({Vtime()});
    EXPECT_EQ(Class(failure), "task-on-rq/L4");
    EXPECT_THAT(failure.error.text, HasSubstr("on_rq " + std::to_string(on_rq)));
  }
  Set("on_rq", 1);
  ExpectRefused("task-on-rq/L4", "on_rq 1");
}

TEST_F(TaskValidationTest, L5_ATaskInADsqIsRefused) {
  Set("scx.dsq", 0xffff888000123450);
  ExpectRefused("task-on-dsq/L5", "0xffff888000123450");
}

TEST_F(TaskValidationTest, L5_ATaskOnARunnableListIsRefused) {
  Set("scx.runnable_node.next", 0xffff888000123450);
  ExpectRefused("task-runnable/L5", "0xffff888000123450");
}

TEST_F(TaskValidationTest, L5_ARunnableNodeThatNeverWasOnAListPasses) {
  Set("scx.runnable_node.next", 0);
  EXPECT_TRUE(Guest().Read({Vtime()}).success);
}

TEST_F(TaskValidationTest, L6_ATaskOfAnotherClassIsRefused) {
  const Kva fair = builder_.SymbolAddress("fair_sched_class");
  Set("sched_class", fair.value());
  ExpectRefused("task-class/L6", fmt::format("{:#x}", fair.value()));
}

TEST_F(TaskValidationTest, L6_TheClassPointerIsComparedWithTheSlidSymbol) {
  // KASLR moved the kernel, and the pointer in the task with it: the symbol must have moved too.
  ASSERT_NE(builder_.options().kaslr_offset, 0u);
  const Kva slid = builder_.SymbolAddress("ext_sched_class");
  EXPECT_EQ(TaskCheckLayout::Of(Guest().kernel())->ext_sched_class, slid);
  EXPECT_TRUE(Guest().Read({Vtime()}).success);
}

TEST_F(TaskValidationTest, L6_ALinkTimeClassPointerIsRefusedUnderKaslr) {
  const Kva slid = builder_.SymbolAddress("ext_sched_class");
  Set("sched_class", slid.value() - builder_.options().kaslr_offset);
  ExpectRefused("task-class/L6", fmt::format("{:#x}", slid.value()));
}

TEST_F(TaskValidationTest, L7_IsGone_ThePolicyDoesNotMatter) {
  // SCHED_NORMAL: sched_ext takes such tasks over and leaves their policy as it is.
  Set("policy", 0);
  EXPECT_TRUE(Guest().Read({Vtime()}).success);
}

TEST_F(TaskValidationTest, L8_AClearedBootTimeIsRefused) {
  Set("start_boottime", 0);
  ExpectRefused("task-recycled/L8", "start_boottime");
}

TEST_F(TaskValidationTest, TheFirstLayerThatObjectsIsTheError) {
  Set("start_boottime", 0);
  Set("sched_class", 0);
  EXPECT_EQ(Class(Guest().ReadFailure({Vtime()})), "task-class/L6");
  EXPECT_EQ(Class(Guest().ReadFailure({Vtime(0)})), "task-start-time/L2");
}

TEST_F(TaskValidationTest, TheReasonNamesEntryTargetAndWhatWasSeen) {
  Set("on_rq", 2);
  const OpReply reply = Guest().Read({{SymbolTarget{"jiffies_64"}, U64Value{}}, Vtime()});
  EXPECT_THAT(reply.reason, AllOf(StartsWith("entry[1]: TaskField pid=42 'scx.dsq_vtime': "),
                                  HasSubstr("on_rq 2")));
}

TEST_F(TaskValidationTest, UncheckedReadsKeepTheIdentityWhereOneIsGiven) {
  Set("on_rq", 1);
  OpEntry entry = Vtime(kStartTime - 5);
  entry.unchecked = true;
  EXPECT_TRUE(Guest().Read({entry}).success);
  std::get<TaskFieldTarget>(entry.target).expected_start_time_ns = kStartBoottime + 1;
  EXPECT_EQ(Class(Guest().ReadFailure({entry})), "task-start-time/L2");
}

TEST_F(TaskValidationTest, WritesAreNeverUnchecked) {
  OpEntry entry = Vtime();
  entry.unchecked = true;
  EXPECT_EQ(Class(Guest().WriteFailure({entry})), "unchecked-write/request");
}

TEST_F(TaskValidationTest, AFieldThatIsNotThereIsNamed) {
  const OpFailure failure =
      Guest().ReadFailure({{TaskFieldTarget{kPid, kStartTime, "scx.no_such"}, U32Value{}}});
  EXPECT_EQ(Class(failure), "field-unknown/name");
  EXPECT_THAT(failure.error.text, HasSubstr("no_such"));
}

TEST_F(TaskValidationTest, ATaskThatIsNotThereIsNotFound) {
  EXPECT_EQ(Class(Guest().ReadFailure({{TaskFieldTarget{77, 0, "prio"}, U32Value{}}})),
            "task-not-found/task-lookup");
}

// What a layout's task answers when a checked write asks for it.
OpReply WriteVtime(synthetic::TaskLayout layout, const TaskSpec& spec) {
  KernelBuilder builder;
  SchedBuilder sched(builder, {.task = layout});
  sched.AddProcess(spec);
  sched.Finish();
  OpsGuest guest(builder);
  return guest.Write({{TaskFieldTarget{kPid, kStartTime, "scx.dsq_vtime"}, U64Value{99}}});
}

TEST(TaskLayoutTest, OnRqOfOneByteIsReadWithoutItsNeighbour) {
  // As on 7.3, where four bytes at on_rq are 256 while on_cpu is still set.
  TaskSpec spec = ScxTask(kPid);
  spec.on_cpu = 1;
  EXPECT_TRUE(WriteVtime(synthetic::TaskLayout::kBytes, spec).success);
  spec.on_rq = 2;
  EXPECT_THAT(WriteVtime(synthetic::TaskLayout::kBytes, spec).reason, HasSubstr("(on_rq 2)"));
}

// 7.3's on_rq and on_cpu are single bytes side by side: a value of four is not spread over both.
TEST(TaskLayoutTest, ANumberThatIsNarrowerThanTheValueKeepsItsNeighbours) {
  KernelBuilder builder;
  SchedBuilder sched(builder, {.task = synthetic::TaskLayout::kBytes});
  TaskSpec spec = ScxTask(kPid);
  spec.on_cpu = 1;
  sched.AddProcess(spec);
  sched.Finish();
  OpsGuest guest(builder);
  const TaskFieldTarget on_rq{kPid, kStartTime, "on_rq"}, on_cpu{kPid, kStartTime, "on_cpu"},
      bits{kPid, kStartTime, "sched_bits"};
  const auto read = [&] {
    return guest.Read({{on_rq, U32Value{}}, {on_cpu, U64Value{}}, {bits, U32Value{}}}).read_values;
  };
  EXPECT_THAT(read(),
              ElementsAre(OpValue(U32Value{0}), OpValue(U64Value{1}), OpValue(U32Value{0})));
  ASSERT_TRUE(guest.Write({{bits, U32Value{5}}}).success);
  ASSERT_TRUE(guest.Write({{on_cpu, U32Value{0}}}).success);
  EXPECT_THAT(read(),
              ElementsAre(OpValue(U32Value{0}), OpValue(U64Value{0}), OpValue(U32Value{5})));
  EXPECT_THAT(guest.WriteFailure({{on_rq, U32Value{0x100}}}).error.text,
              HasSubstr("0x100 does not fit: the field has 8 bits"));
  EXPECT_THAT(guest.WriteFailure({{bits, U64Value{8}}}).error.text,
              HasSubstr("0x8 does not fit: the field has 3 bits"));
}

TEST(TaskLayoutTest, StateUnderItsOldNameIsChecked) {
  TaskSpec spec = ScxTask(kPid);
  const OpReply asleep = WriteVtime(synthetic::TaskLayout::kOldState, spec);
  EXPECT_TRUE(asleep.success) << asleep.reason;
  spec.state = kTaskDeadState;
  EXPECT_THAT(WriteVtime(synthetic::TaskLayout::kOldState, spec).reason, HasSubstr("0x80"));
}

TEST(TaskFieldOldKernelTest, WithoutSchedExtOnlyUncheckedReadsAreServed) {
  KernelBuilder builder;
  SchedBuilder sched(builder, /*scx=*/false);
  sched.AddProcess({.pid = 1});
  sched.Finish();
  OpsGuest guest(builder);
  const TaskFieldTarget prio{1, 1'000'000'000, "prio"};
  EXPECT_EQ(Class(guest.ReadFailure({{prio, U32Value{}}})), "no-sched-ext/name");
  EXPECT_EQ(Class(guest.WriteFailure({{prio, U32Value{1}}})), "no-sched-ext/name");
  EXPECT_THAT(guest.Read({{prio, U32Value{}, /*unchecked=*/true}}).read_values,
              ElementsAre(OpValue(U32Value{120})));
}

}  // namespace
}  // namespace ktstr
