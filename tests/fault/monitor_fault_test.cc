// Proves of ktstr-capture, attached to a machine of somebody else's: whatever its monitor does at
// any step (is silent, closes, refuses, talks nonsense or without an end; QEMU itself hung or
// killed), the program ends in time with exit code 4 and an error that names the step or the limit,
// leaves no file and no process, has QEMU keep no file of ours, and the guest goes on.
//
// Between the program and QEMU stands a FaultyMonitor that spoils the first answer, then the second
// and so on, until the program is through without having met the fault. A second monitor shows how
// the guest fares.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <set>

#include "../guest/guest_tests.h"
#include "../guest/hand_started.h"
#include "faulted_program.h"
#include "faulty_monitor.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/reader.h"

namespace ktstr {
namespace {

using std::chrono::seconds;
using synthetic::TemporaryDirectory;
using testing::AnyOf;
using testing::HasSubstr;
using Fault = FaultyMonitor::Fault;

constexpr char kLimit[] = "700ms", kLimitAsSaid[] = "700 ms";
constexpr int kMostSteps = 100;
// Every answer is waited for in one place (EndlessPeerTest has it): some of the steps are enough.
constexpr int kEventsStep = 5;

// Commands of which only the success is of interest, so that a strange value is none of ours.
const std::set<std::string> kValueDoesNotMatter = {
    "qmp_capabilities", "stop", "cont", "remove-fd", "query-fdsets", "xen-save-devices-state"};
// What comes when all is done already.
const std::set<std::string> kOnlyTidiesUp = {"remove-fd", "query-fdsets"};

class Machine {
 public:
  // `kernel`: one that has panicked and goes round in circles; else firmware alone, up in no time.
  enum class Holds { kFirmware, kKernel };

  static std::unique_ptr<Machine> Start(Holds holds) {
    std::unique_ptr<Machine> machine(new Machine);
    const std::vector<std::string> ram = {"-object",
                                          "memory-backend-memfd,id=ram,size=256M,share=on",
                                          "-machine", "memory-backend=ram"};
    std::vector<std::string> more = {
        "-qmp", fmt::format("unix:{},server=on,wait=off", machine->attacked())};
    more.insert(more.end(), ram.begin(), ram.end());
    if (holds == Holds::kKernel) {
      auto started = HandStarted::Start({.arguments = more});
      EXPECT_OK(started);
      if (!started) return nullptr;
      machine->by_hand_ = *std::move(started);
      machine->pid_ = machine->by_hand_->pid();
      EXPECT_OK(machine->qmp().Execute("cont"));
    } else if (!machine->StartFirmware(more)) {
      return nullptr;
    }
    machine->monitor_ = std::make_unique<FaultyMonitor>(machine->directory_ / "faulty",
                                                        machine->attacked(), machine->pid_);
    return machine;
  }

  FaultyMonitor& monitor() { return *monitor_; }
  std::string faulty() const { return directory_ / "faulty"; }
  pid_t pid() const { return pid_; }
  QmpClient& qmp() { return by_hand_ ? by_hand_->qmp() : *qmp_; }

 private:
  Machine() = default;
  std::string attacked() const { return directory_ / "attacked"; }

  bool StartFirmware(const std::vector<std::string>& more) {
    auto [program, qemu] = *MakeSocketPair();
    std::vector<std::string> argv = {"qemu-system-x86_64",
                                     "-nodefaults",
                                     "-display",
                                     "none",
                                     "-accel",
                                     "tcg",
                                     "-M",
                                     "q35",
                                     "-m",
                                     "256M",
                                     "-chardev",
                                     fmt::format("socket,id=own,fd={}", qemu.get()),
                                     "-mon",
                                     "chardev=own,mode=control"};
    argv.insert(argv.end(), more.begin(), more.end());
    auto started = ChildProcess::Start({.argv = argv, .kept_fds = {qemu.get()}});
    EXPECT_OK(started);
    if (!started) return false;
    process_.emplace(*std::move(started));
    pid_ = process_->pid();
    qemu.Close();
    auto client = QmpClient::Open(std::move(program), "QEMU", seconds(60));
    EXPECT_OK(client);
    if (client) qmp_ = *std::move(client);
    return qmp_ != nullptr;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<HandStarted> by_hand_;
  std::optional<ChildProcess> process_;
  pid_t pid_ = 0;
  std::unique_ptr<QmpClient> qmp_;
  std::unique_ptr<FaultyMonitor> monitor_;
};

const std::vector<Fault> kWrongAnswers = {Fault::kEnd, Fault::kRefusal, Fault::kNoise,
                                          Fault::kNumber, Fault::kList};
const std::vector<Fault> kNoAnswers = {Fault::kSilence, Fault::kEvents, Fault::kQemuHangs};
const std::vector<Fault> kSome = {Fault::kEnd, Fault::kList, Fault::kSilence};
const std::vector<Fault> kFew = {Fault::kEnd, Fault::kSilence};

// One way to use the program, and what happens to it.
struct Use {
  const char* name;
  Machine::Holds holds;
  std::vector<std::string> arguments;  // "OUT" and "REQUEST" stand for files
  std::vector<Fault> faults;
};

void PrintTo(const Use& use, std::ostream* os) { *os << use.name; }

class MonitorFaultTest : public testing::TestWithParam<Use> {
 protected:
  ProgramEnd Run(const Machine& machine) {
    std::vector<std::string> argv = {KTSTR_CAPTURE_PROGRAM};
    const Use& use = GetParam();
    if (!use.arguments.front().starts_with("-")) argv.push_back(use.arguments.front());
    argv.insert(argv.end(), {"--qmp", machine.faulty(), "--pid", std::to_string(machine.pid()),
                             "--timeout", kLimit});
    for (const std::string& argument : use.arguments) {
      if (argument == argv[1]) continue;
      argv.push_back(argument == "OUT"       ? (out_ / "a.kts").string()
                     : argument == "REQUEST" ? (files_ / "request.json").string()
                                             : argument);
    }
    return RunToEnd(argv);
  }

  void WriteRequest() {
    std::ofstream(files_ / "request.json")
        << R"({"request_id": 1, "mode": "cold", "direction": "read", "tag": "", "entries": [
               {"target": {"symbol": "init_task"}, "value": {"u64": 0}}]})";
  }

  void ExpectFailure(Fault fault, const std::string& step, const ProgramEnd& end) {
    const bool value = fault == Fault::kNumber || fault == Fault::kList;
    const bool tolerable = (value && kValueDoesNotMatter.contains(step)) ||
                           (fault == Fault::kRefusal && step == "qom-get") ||
                           kOnlyTidiesUp.contains(step);
    const bool well = tolerable && end.exit_code == 0;
    EXPECT_TRUE(well || end.exit_code == 4) << end.exit_code << ": " << end.said;
    // Where all is done, or done but for letting the guest go on, its archive is whole and stays.
    const bool archived = tolerable || (GetParam().arguments[0] == "ops" && step == "cont");
    if (archived && !out_.empty()) {
      EXPECT_OK(ArchiveReader::Open(out_ / "a.kts"));
      std::filesystem::remove(out_ / "a.kts");
    }
    EXPECT_TRUE(out_.empty());
    const bool in_time = fault == Fault::kSilence || fault == Fault::kEvents ||
                         fault == Fault::kLine || fault == Fault::kQemuHangs;
    const bool greets_with_events = fault == Fault::kEvents && step == "the greeting";
    if (in_time && !greets_with_events && !kOnlyTidiesUp.contains(step)) {
      EXPECT_THAT(end.said, HasSubstr(kLimitAsSaid));
      EXPECT_THAT(end.said, AnyOf(HasSubstr("'" + step + "'"), HasSubstr("greeting")));
    }
  }

  TemporaryDirectory out_, files_;
};

TEST_P(MonitorFaultTest, IsAnErrorThatLeavesNothingWhateverTheStep) {
  WriteRequest();
  const auto machine = Machine::Start(GetParam().holds);
  ASSERT_NE(machine, nullptr);
  const size_t files = OpenFiles(machine->pid());
  for (const Fault fault : GetParam().faults) {
    int step = 0;
    for (;; step += fault == Fault::kEvents ? kEventsStep : 1) {
      ASSERT_LT(step, kMostSteps);
      machine->monitor().Arm(fault, step);
      const ProgramEnd end = Run(*machine);
      const std::string spoiled = machine->monitor().spoiled();
      SCOPED_TRACE(fmt::format("{} at step {} ({})", FaultyMonitor::NameOf(fault), step, spoiled));
      if (fault == Fault::kQemuHangs) kill(machine->pid(), SIGCONT);
      if (spoiled.empty()) {
        EXPECT_EQ(end.exit_code, 0) << end.said;
        std::filesystem::remove(out_ / "a.kts");
        break;
      }
      ExpectFailure(fault, spoiled, end);
      EXPECT_EQ(AwaitRunning(machine->qmp()), "running");
      EXPECT_TRUE(AwaitGuards());
      EXPECT_EQ(HandedFiles(machine->qmp()), 0u);
    }
    EXPECT_GE(step, 5) << "that many answers there were";
  }
  EXPECT_LE(OpenFiles(machine->pid()), files + 1) << "QEMU has kept files of ours";
}

INSTANTIATE_TEST_SUITE_P(
    Uses, MonitorFaultTest,
    testing::Values(
        Use{"AttachAndWrongAnswers", Machine::Holds::kFirmware, {"-o", "OUT"}, kWrongAnswers},
        Use{"AttachAndNoAnswers", Machine::Holds::kFirmware, {"-o", "OUT"}, kNoAnswers},
        Use{"Ops", Machine::Holds::kKernel, {"ops", "--request", "REQUEST", "-o", "OUT"}, kFew},
        Use{"Watch", Machine::Holds::kKernel, {"watch", "--json", "--count", "1"}, kSome}),
    [](const testing::TestParamInfo<Use>& info) { return info.param.name; });

class KilledQemuTest : public MonitorFaultTest {};

TEST_P(KilledQemuTest, IsAnErrorThatLeavesNothingWhateverTheStep) {
  for (int step = 1;; ++step) {
    ASSERT_LT(step, kMostSteps);
    const auto machine = Machine::Start(GetParam().holds);
    ASSERT_NE(machine, nullptr);
    machine->monitor().Arm(Fault::kQemuKilled, step);
    const ProgramEnd end = Run(*machine);
    const std::string spoiled = machine->monitor().spoiled();
    SCOPED_TRACE(fmt::format("killed at step {} ({})", step, spoiled));
    if (spoiled.empty()) {
      EXPECT_EQ(end.exit_code, 0) << end.said;
      EXPECT_GT(step, 10);
      return;
    }
    ExpectFailure(Fault::kQemuKilled, spoiled, end);
    EXPECT_TRUE(AwaitGuards());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Uses, KilledQemuTest,
    testing::Values(Use{"Attach", Machine::Holds::kFirmware, {"-o", "OUT"}, {Fault::kQemuKilled}}),
    [](const testing::TestParamInfo<Use>& info) { return info.param.name; });

}  // namespace
}  // namespace ktstr
