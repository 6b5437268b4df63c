#include "fixtures/synthetic/bpf_builder.h"
#include "fixtures/synthetic/bpf_prog_builder.h"
#include "fixtures/synthetic/file_builder.h"
#include "libcore/walk/bpf/holder.h"
#include "libcore/walk/bpf/prog.h"
#include "libcore/walk/sched/scx.h"
#include "libcore/walk/sched/scx_programs.h"
#include "scx_guest.h"

namespace ktstr {
namespace {

using synthetic::BpfBuilder;
using synthetic::BpfProgBuilder;
using synthetic::BpfProgSpec;
using ::testing::ElementsAre;

class BpfProgTest : public ::testing::Test {
 protected:
  synthetic::KernelBuilder& b() { return guest_.builder(); }
  void Finish() {
    programs_.Finish();
    maps_.Finish();
    guest_.Finish();
  }
  std::vector<BpfProgRow> Walk() {
    auto walked = WalkBpfProgs(guest_.Open());
    if (!walked) {
      ADD_FAILURE() << walked.error().ToString();
      return {};
    }
    anomalies_ = std::move(walked->anomalies);
    return std::move(walked->rows);
  }

  ScxGuest guest_{ScxLayout::kSched};
  BpfBuilder maps_{guest_.builder()};
  BpfProgBuilder programs_{guest_.builder()};
  std::vector<AnomalyRow> anomalies_;
};

TEST_F(BpfProgTest, AProgramIsARowWithItsCountersOfAllCpus) {
  const Kva program = programs_.AddProgram({.id = 12,
                                            .name = "on_switch",
                                            .tag = 0x8877665544332211,
                                            .insns = 100,
                                            .verified_insns = 345,
                                            .functions = 2,
                                            .load_time_ns = 777,
                                            .sleepable = true,
                                            .attached_to = "do_something"});
  programs_.CountRun(program, 0, 10, 1000);
  programs_.CountRun(program, 1, 5, 300);
  Finish();
  const auto rows = Walk();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].id, 12);
  EXPECT_EQ(rows[0].name, "on_switch");
  EXPECT_EQ(rows[0].type, "kprobe");
  EXPECT_EQ(rows[0].tag, "1122334455667788");
  EXPECT_EQ(rows[0].run_cnt, 15);
  EXPECT_EQ(rows[0].run_time_ns, 1300);
  EXPECT_EQ(rows[0].insn_cnt, 100);
  EXPECT_EQ(rows[0].verified_insns, 345);
  EXPECT_EQ(rows[0].functions, 2);
  EXPECT_EQ(rows[0].load_time_ns, 777);
  EXPECT_EQ(rows[0].sleepable, 1);
  EXPECT_EQ(rows[0].attached_to, "do_something");
  EXPECT_EQ(rows[0].prog_kva, Hex(program));
  EXPECT_THAT(anomalies_, NoAnomalies());
}

TEST_F(BpfProgTest, AProgramOfAStructureTellsTheCallback) {
  // The second member of the structure.
  programs_.AddProgram({.id = 1,
                        .type = BpfProgSpec::Type::kStructOps,
                        .attach_type_id = b().types().IdOf("sched_ext_ops"),
                        .attach_index = 1});
  Finish();
  EXPECT_EQ(Walk().at(0).attached_to, "sched_ext_ops.enqueue");
}

TEST_F(BpfProgTest, AProgramWhosePartWasLeftOutKeepsTheRest) {
  const Kva program = programs_.AddProgram({.id = 3, .name = "lost", .insns = 8});
  programs_.AddProgram({.id = 4, .name = "other", .insns = 9});
  const auto aux =
      b().memory().ReadScalar<Kva>(b().PaOf(program + b().MemberOf("bpf_prog", "aux").offset));
  guest_.LeaveOut(*aux);
  Finish();
  const auto rows = Walk();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].name, std::nullopt);
  EXPECT_EQ(rows[0].insn_cnt, 8);
  EXPECT_EQ(rows[1].name, "other");
  EXPECT_THAT(anomalies_, HasAnomaly("unreadable", *aux));
}

TEST_F(BpfProgTest, ALinkTellsItsProgram) {
  programs_.AddLink(5, programs_.AddProgram({.id = 33}));
  Finish();
  const auto links = WalkBpfLinks(guest_.Open());
  ASSERT_TRUE(links) << links.error().ToString();
  ASSERT_EQ(links->rows.size(), 1u);
  EXPECT_EQ(links->rows[0].id, 5);
  EXPECT_EQ(links->rows[0].type, "struct_ops");
  EXPECT_EQ(links->rows[0].prog_id, 33);
  EXPECT_THAT(links->anomalies, NoAnomalies());
}

TEST_F(BpfProgTest, WhoHasAnObjectOpenIsTold) {
  synthetic::FileBuilder files(b());
  const Kva program = programs_.AddProgram({.id = 33});
  const Kva map = maps_.AddOther(synthetic::BpfBuilder::Type::kQueue, {.id = 7});
  const auto table = files.AddTable(), other = files.AddTable();
  files.Give(guest_.NewTask(9), table);
  files.Give(guest_.NewTask(10), other);
  files.Open(table, 3, files.AddFile(map, 3));
  files.Open(table, 6, files.AddFile(program, 3));
  files.Open(other, 4, files.AddFile(b().Allocate(64), 3));
  Finish();
  const auto holders = WalkBpfHolders(guest_.Open());
  ASSERT_TRUE(holders) << holders.error().ToString();
  EXPECT_EQ(holders->rows, (std::vector<BpfHolderRow>{{"map", 7, 9, 3}, {"prog", 33, 9, 6}}));
  EXPECT_THAT(holders->anomalies, NoAnomalies());
}

TEST_F(BpfProgTest, CallbacksOfASchedulerTellTheProgramsBehindThem) {
  const Kva enqueue = b().Text("trampoline_a"), dispatch = b().Text("trampoline_b");
  synthetic::ScxSpec scheduler;
  scheduler.name = "mine";
  scheduler.callbacks = {{"enqueue", enqueue}, {"dispatch", dispatch}};
  guest_.scx.AddScheduler(scheduler);
  programs_.AddProgram({.id = 51, .name = "my_enqueue"});
  programs_.AddProgram({.id = 52, .name = "my_dispatch"});
  // Another scheduler's structure first, whose trampolines are others.
  maps_.AddStructOps({.id = 8}, {{"enqueue", {enqueue + 16, 99}}});
  maps_.AddStructOps({.id = 9}, {{"enqueue", {enqueue, 51}}, {"dispatch", {dispatch, 52}}});
  Finish();
  const auto state = WalkScx(guest_.Open());
  ASSERT_TRUE(state) << state.error().ToString();
  std::map<std::string, std::pair<std::optional<int64_t>, std::string>> programs;
  for (const ScxOpRow& op : state->ops) {
    programs[op.op] = {op.prog_id, op.prog_name.value_or("")};
  }
  EXPECT_EQ(programs["enqueue"], std::pair(std::optional<int64_t>(51), std::string("my_enqueue")));
  EXPECT_EQ(programs["dispatch"],
            std::pair(std::optional<int64_t>(52), std::string("my_dispatch")));
  EXPECT_EQ(programs["init"].first, std::nullopt);
  EXPECT_THAT(state->anomalies, NoAnomalies());
}

TEST_F(BpfProgTest, CallbacksAreLookedForOnlyWhereASchedulerCanHaveThem) {
  // More memory than there is, were the types believed, and a callback behind all that is read.
  b().types().Struct(
      "large_ops",
      {{"u32", "timeout_ms"}, {"() *", "enqueue"}, {"u8[1073741824]", "rest"}, {"() *", "last"}});
  constexpr uint64_t kEnqueue = 8, kRead = 64 << 10;  // in bytes
  const Kva enqueue = b().Text("trampoline");
  const Kva ops = b().Allocate(kRead);
  b().Put(ops + kEnqueue, enqueue);
  const Kva map = maps_.ContainerOf(
      maps_.AddIn(BpfBuilder::Type::kStructOps, {.id = 9}, "bpf_struct_ops_map", kRead));
  b().Put(map + b().MemberOf("bpf_struct_ops_map", "kvalue.data").offset + kEnqueue, enqueue);
  const Kva ids = b().AllocateVmalloc(b().SizeOf("bpf_struct_ops_value") + kRead);
  b().Set("bpf_struct_ops_map", map, "uvalue", ids.value());
  b().Put<uint64_t>(ids + b().MemberOf("bpf_struct_ops_value", "data").offset + kEnqueue, 51);
  Finish();
  Anomalies anomalies("test");
  const auto programs = ScxPrograms(guest_.Begin(anomalies)).Of(ops, {"large_ops"});
  ASSERT_EQ(programs.size(), 1u);
  EXPECT_EQ(programs.at(kEnqueue).id, 51);
}

}  // namespace
}  // namespace ktstr
