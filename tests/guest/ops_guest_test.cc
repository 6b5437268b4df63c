// Operations on real guests: the same batch gives the same reply on the frozen guest and on the
// archive of that freeze, and what is written is what the guest sees when it goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <future>
#include <nlohmann/json.hpp>

#include "capture/boot/guest_machine.h"
#include "capture/capture.h"
#include "capture/guest/protocol.h"
#include "capture/live_ops.h"
#include "capture/ops_server.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_kernels.h"
#include "libcore/ops/json.h"
#include "ready_guest.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

using nlohmann::json;
using synthetic::TemporaryDirectory;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kVtime[] = "/vtime.bpf.o";
constexpr std::chrono::seconds kAnswer(60);
constexpr uint64_t kTickNs = 10'000'000;
// struct new_utsname: sysname, then nodename, 65 bytes each (include/uapi/linux/utsname.h). It is
// what init_uts_ns begins with.
constexpr uint32_t kNameSize = 65;

struct Variant {
  const char* name;
  const char* kernel;
  const char* cpu_model;
};

void PrintTo(const Variant& v, std::ostream* os) { *os << v.name; }

class OpsGuestTest : public ::testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    MachineOptions options;
    options.kernel = StockKernel(GetParam().kernel);
    options.cpu_model = GetParam().cpu_model;
    if (with_scheduler_) options.qemu = QemuForSchedulers();
    options.files = {{KTSTR_SCHEDULER_DIR "/vtime.bpf.o", kVtime}};
    auto machine = BootWithWork(options, "futex-wait:2,spin");
    ASSERT_TRUE(machine) << machine.error().ToString();
    machine_ = *std::move(machine);
  }

  // The task of that name as the guest tells it.
  json Task(const std::string& comm) {
    const json account = machine_->Report().value()["account"];
    for (const json& task : account["tasks"]) {
      if (task["comm"] == comm) return task;
    }
    ADD_FAILURE() << "no task " << comm;
    return json::object();
  }
  Frozen Freeze() {
    auto frozen = Frozen::Freeze(machine_->qmp());
    if (!frozen) ADD_FAILURE() << frozen.error().ToString();
    return *std::move(frozen);
  }
  LiveOps& Ops(Frozen& frozen) {
    if (!ops_) ops_ = LiveOps::Open(frozen, machine_->qemu().pid()).value();
    return *ops_;
  }

  bool with_scheduler_ = false;
  std::unique_ptr<GuestMachine> machine_;
  std::unique_ptr<LiveOps> ops_;
};

INSTANTIATE_TEST_SUITE_P(Kernels, OpsGuestTest,
                         ::testing::Values(Variant{"Linux612FiveLevel", "6.12", "max"},
                                           Variant{"Linux612FourLevel", "6.12", "max,la57=off"},
                                           Variant{"Linux61", "6.1", "max"},
                                           Variant{"Newest7", "newest-7", "max"}),
                         [](const auto& variant) { return variant.param.name; });

// Every target with every kind of value that it takes.
std::vector<OpEntry> EveryRead(GuestKernel& kernel, const json& task) {
  const uint64_t start_ns = task["start_ticks"].get<uint64_t>() * kTickNs;
  const auto pid = task["pid"].get<uint32_t>();
  const Kva text = kernel.symbol_kva("init_uts_ns").value();
  // The direct map's name of the same bytes.
  const Kva direct = kernel.page_offset() + kernel.text_kva_to_pa(text).value();
  std::vector<OpEntry> entries;
  for (const OpTarget& target : {OpTarget(SymbolTarget{"init_uts_ns"}), OpTarget(KvaTarget{text}),
                                 OpTarget(DirectTarget{direct})}) {
    for (const OpValue& value :
         {OpValue(U32Value{}), OpValue(U64Value{}), OpValue(BytesWidth{390})}) {
      entries.push_back({target, value});
    }
  }
  for (uint32_t cpu = 0; cpu < 2; ++cpu) {
    entries.push_back({PerCpuFieldTarget{"runqueues", "nr_running", cpu}, U32Value{}});
    entries.push_back({PerCpuFieldTarget{"runqueues", "clock", cpu}, U64Value{}});
    entries.push_back({PerCpuFieldTarget{"kernel_cpustat", "cpustat[0]", cpu}, U64Value{}});
    entries.push_back({PerCpuFieldTarget{"kstat", "irqs_sum", cpu}, U64Value{}});
    entries.push_back({PerCpuFieldTarget{"tick_cpu_sched", "next_tick", cpu}, U64Value{}});
  }
  for (const uint64_t expected : {uint64_t{0}, start_ns}) {
    entries.push_back({TaskFieldTarget{pid, expected, "prio"}, U32Value{}, true});
    entries.push_back({TaskFieldTarget{pid, expected, "start_time"}, U64Value{}, true});
  }
  entries.push_back({SymbolTarget{"jiffies_64"}, U64Value{}});
  return entries;
}

TEST_P(OpsGuestTest, ABatchOfEverythingReadsTheSameLiveAndFromTheArchiveOfThatFreeze) {
  const json task = Task("futex-wait-0");
  const TemporaryDirectory directory;
  Frozen frozen = Freeze();
  LiveOps& ops = Ops(frozen);
  ASSERT_TRUE(ops.kernel().kaslr_offset());
  const OpRequest request = {.request_id = 1, .entries = EveryRead(ops.kernel(), task)};
  const auto live = ops.Dispatch(frozen, request);
  ASSERT_TRUE(live) << live.error().ToString();
  ASSERT_TRUE(live->success) << live->reason;
  EXPECT_EQ(live->read_values[0], OpValue(U32Value{0x756e694c})) << "\"Linu\"";
  EXPECT_EQ(live->read_values[2], live->read_values[5]);
  EXPECT_EQ(live->read_values[2], live->read_values[8]);
  EXPECT_EQ(live->read_values[19], OpValue(U32Value{task["priority"].get<uint32_t>() + 100}));

  CaptureOptions capture;
  capture.output = directory / "a.kts";
  capture.pid = machine_->qemu().pid();
  const auto captured = CaptureFrozen(frozen, capture);
  ASSERT_TRUE(captured) << captured.error().ToString();
  const auto archive = FrozenMachine::Open(capture.output);
  ASSERT_TRUE(archive) << archive.error().ToString();
  Dispatcher dispatcher(*(*archive)->Kernel().value());
  const OpReply kept = (*archive)->Exclusively(
      [&](const Exclusive& exclusive) { return dispatcher.Dispatch(exclusive, request); });
  EXPECT_EQ(kept, *live);
  EXPECT_EQ(ToJson(kept), ToJson(*live));
}

TEST_P(OpsGuestTest, WhatIsWrittenIsWhatTheGuestSeesWhenItGoesOn) {
  const std::string before = machine_->Report().value()["account"]["hostname"];
  std::string name = "written-by-ktstr";
  ASSERT_NE(before, name + "\n");
  const OpRequest read = {.entries = {{SymbolTarget{"init_uts_ns"}, BytesWidth{2 * kNameSize}}}};
  {
    // One freeze for reading, changing and writing back.
    Frozen frozen = Freeze();
    const auto reply = Ops(frozen).Dispatch(frozen, read);
    ASSERT_TRUE(reply) << reply.error().ToString();
    ASSERT_TRUE(reply->success) << reply->reason;
    BytesValue names = std::get<BytesValue>(reply->read_values[0]);
    name.resize(kNameSize);
    std::ranges::copy(std::as_bytes(std::span(name)), names.bytes.begin() + kNameSize);
    const auto written = Ops(frozen).Dispatch(
        frozen,
        {.direction = OpDirection::kWrite, .entries = {{SymbolTarget{"init_uts_ns"}, names}}});
    ASSERT_TRUE(written) << written.error().ToString();
    ASSERT_TRUE(written->success) << written->reason;
    const auto resumed = frozen.Resume();
    ASSERT_TRUE(resumed) << resumed.error().ToString();
  }
  const auto after = machine_->Report();
  ASSERT_TRUE(after) << after.error().ToString();
  EXPECT_EQ((*after)["account"]["hostname"], "written-by-ktstr\n");
}

TEST_P(OpsGuestTest, TaskFieldsOfAStockGuestAreRefusedByWhatItsTasksAre) {
  const json sleeper = Task("futex-wait-0"), spinner = Task("spin-0");
  const auto target = [](const json& task) {
    return TaskFieldTarget{task["pid"].get<uint32_t>(),
                           task["start_ticks"].get<uint64_t>() * kTickNs, "prio"};
  };
  Frozen frozen = Freeze();
  LiveOps& ops = Ops(frozen);
  // Debian 12 builds its kernels without sched_ext; on one with it the layers are met one by one.
  const bool has_scx = ops.kernel().symbol_kva("ext_sched_class").has_value();
  const auto refused = [&](const json& task, OpDirection direction) {
    return ops.Dispatch(frozen, {.direction = direction, .entries = {{target(task), U32Value{1}}}})
        .value();
  };
  for (const OpDirection direction : {OpDirection::kRead, OpDirection::kWrite}) {
    const OpReply of_spinner = refused(spinner, direction),
                  of_sleeper = refused(sleeper, direction);
    EXPECT_FALSE(of_spinner.success);
    EXPECT_FALSE(of_sleeper.success);
    EXPECT_THAT(of_spinner.reason, StartsWith("entry[0]: TaskField pid="));
    if (has_scx) {
      EXPECT_THAT(of_spinner.reason, HasSubstr("on_rq 1")) << "L4";
      EXPECT_THAT(of_sleeper.reason, HasSubstr("is not ext_sched_class")) << "L6";
    } else {
      EXPECT_THAT(of_spinner.reason, HasSubstr("no sched_ext"));
    }
  }
  const auto unchecked =
      ops.Dispatch(frozen, {.entries = {{target(spinner), U32Value{}, /*unchecked=*/true}}});
  EXPECT_THAT(unchecked->read_values, ::testing::ElementsAre(OpValue(U32Value{120})));
}

// With a scheduler loaded, a task of its that sleeps passes all layers.
class SchedExtOpsGuestTest : public OpsGuestTest {
 protected:
  SchedExtOpsGuestTest() { with_scheduler_ = true; }
};

INSTANTIATE_TEST_SUITE_P(Kernels, SchedExtOpsGuestTest,
                         ::testing::Values(Variant{"Newest7", "newest-7", "max"}),
                         [](const auto& variant) { return variant.param.name; });

TEST_P(SchedExtOpsGuestTest, ATaskOfItIsReadAndWrittenWhileItSleeps) {
  const auto loaded = machine_->LoadScheduler(kVtime);
  ASSERT_TRUE(loaded) << loaded.error().ToString();
  const json sleeper = Task("futex-wait-1"), spinner = Task("spin-0");
  const auto entry = [](const json& task, uint64_t value) {
    return OpEntry{TaskFieldTarget{task["pid"].get<uint32_t>(),
                                   task["start_ticks"].get<uint64_t>() * kTickNs, "scx.dsq_vtime"},
                   U64Value{value}};
  };
  constexpr uint64_t kVtimeWritten = 0x123456789a;
  Frozen frozen = Freeze();
  LiveOps& ops = Ops(frozen);
  const auto ask = [&](const json& task, OpDirection direction) {
    return ops.Dispatch(frozen, {.direction = direction, .entries = {{entry(task, kVtimeWritten)}}})
        .value();
  };
  const OpReply written = ask(sleeper, OpDirection::kWrite);
  EXPECT_TRUE(written.success) << written.reason;
  const OpReply read = ask(sleeper, OpDirection::kRead);
  EXPECT_THAT(read.read_values, ::testing::ElementsAre(OpValue(U64Value{kVtimeWritten})))
      << read.reason;
  const OpReply of_spinner = ask(spinner, OpDirection::kWrite);
  EXPECT_FALSE(of_spinner.success);
  EXPECT_THAT(of_spinner.reason, HasSubstr("on_rq 1"));
}

TEST_P(OpsGuestTest, AProgramInTheGuestAsksItsHost) {
  OpsServer server(machine_->qmp(), machine_->qemu().TakeOpsPort(), machine_->qemu().pid());
  const auto ask = [&](const std::string& request) {
    auto served = std::async(std::launch::async, [&] { return server.ServeOne(After(kAnswer)); });
    const auto ran = machine_->RunProgram({guest::kOpsProgramPath}, request);
    const auto status = served.get();
    EXPECT_TRUE(status) << status.error().ToString();
    EXPECT_TRUE(ran) << ran.error().ToString();
    return ran.value_or(json::object());
  };
  const std::string name = "asked-for-by-the-guest";
  BytesValue bytes;
  for (const char c : name + '\0') bytes.bytes.push_back(std::byte(c));
  OpRequest read = {.request_id = 3,
                    .entries = {{SymbolTarget{"init_uts_ns"}, BytesWidth{2 * kNameSize}}}};
  const json names = ask(ToJson(read));
  ASSERT_EQ(names["status"], 0) << names.dump();
  const auto reply = ReplyFromJson(names["stdout"].get<std::string>());
  ASSERT_TRUE(reply && reply->success) << names.dump();
  EXPECT_EQ(reply->request_id, 3u);

  BytesValue changed = std::get<BytesValue>(reply->read_values[0]);
  std::ranges::copy(bytes.bytes, changed.bytes.begin() + kNameSize);
  const json written = ask(ToJson(OpRequest{.direction = OpDirection::kWrite,
                                            .entries = {{SymbolTarget{"init_uts_ns"}, changed}}}));
  EXPECT_EQ(written["status"], 0) << written.dump();
  EXPECT_EQ(machine_->Report().value()["account"]["hostname"], name + "\n");

  const json failed = ask(R"({"entries":[{"target":{"symbol":"nope"},"value":{"u32":0}}]})");
  EXPECT_EQ(WEXITSTATUS(failed["status"].get<int>()), 1);
  EXPECT_THAT(failed["stdout"].get<std::string>(), HasSubstr("entry[0]: Symbol 'nope'"));
  const json wrong = machine_->RunProgram({guest::kOpsProgramPath}, "{").value();
  EXPECT_EQ(WEXITSTATUS(wrong["status"].get<int>()), 2) << "refused before the host is asked";
}

}  // namespace
}  // namespace ktstr
