#include "capture/run/test_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "capture/boot/boot_retry.h"
#include "capture/capture.h"
#include "capture/command/command_line.h"
#include "capture/qemu/json_access.h"
#include "capture/run/expectations.h"
#include "capture/run/first_machine.h"
#include "capture/run/kept_archives.h"
#include "capture/run/kept_verdict.h"
#include "capture/run/monitor.h"
#include "capture/run/payload_end.h"
#include "capture/run/scheduler_start.h"
#include "capture/run/step_times.h"
#include "capture/run/test_log.h"
#include "libcore/base/quantity.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kDyingTimeout(30);
// Of a test whose guest dies of a fault of QEMU's (GuestMachine::TrippedOverTcg).
constexpr int kAttempts = 3;

class Test {
 public:
  Test(const Scenario& scenario, const TestOptions& options, const Interrupt& interrupt,
       TestLog& log, StepTimes& times, TestResult& result)
      : scenario_(scenario),
        options_(options),
        interrupt_(interrupt),
        log_(log),
        times_(times),
        result_(result),
        phase_("setting up"),
        first_(scenario, options, log, [this](const std::string& step) { Tell(step); }) {}

  // Errors: those of the environment, for which the test has no verdict of its own. When
  // TrippedOverTcg() it says nothing of the scheduler, and nothing is kept unless `keep_tripped`.
  Status Run(bool keep_tripped);
  bool TrippedOverTcg() const;

 private:
  std::string BaseName() const {
    return options_.file_name.empty() ? scenario_.name : options_.file_name;
  }
  SchedulerStart start() {
    return {*monitor_, *machine_, log_, [this](const std::string& step) { Tell(step); }};
  }
  // Of an archive that is kept at this moment.
  KeptState state() const {
    return {scenario_, options_, interrupt_, *machine_, *monitor_, phase_};
  }
  void Tell(const std::string& step) {
    log_.Add(step);
    if (options_.progress) options_.progress(step);
  }

  Status Boot();
  Status SetUpCgroupsAndScheduler();
  Status SetUpTheRest(std::vector<std::string> names);
  Status SetUp();
  Status StartWork(const std::vector<std::string>& names);
  Status RunPhase(const PhaseSpec& phase);
  Status AwaitDying();
  Status Judge();
  void WriteAccounts(const json& answer);

  Status CheckQueries(Frozen& frozen);
  Status Keep(Frozen& frozen, const Fired& fired, const fs::path& file);
  Status KeepAndGoOn(const Fired& fired);
  Status KeepFailure();

  const Scenario& scenario_;
  const TestOptions& options_;
  const Interrupt& interrupt_;
  TestLog& log_;
  StepTimes& times_;
  TestResult& result_;
  std::string phase_;
  FirstMachine first_;
  std::unique_ptr<GuestMachine> machine_;
  std::unique_ptr<Monitor> monitor_;
  int kept_ = 0;
};

// An oops is frozen before newer kernels have written it to the console.
bool Test::TrippedOverTcg() const {
  if (machine_ == nullptr || machine_->TrippedOverTcg()) return machine_ != nullptr;
  if (monitor_ == nullptr || !monitor_->fired() || machine_->accelerator() != Accelerator::kTcg) {
    return false;
  }
  const auto log = monitor_->fired()->values.find("log");
  return log != monitor_->fired()->values.end() && ShowsStaleBreakpoint(log->second);
}

Status Test::Run(bool keep_tripped) {
  KTSTR_TRY(Boot());
  KTSTR_TRY(SetUp());
  for (const PhaseSpec& phase : scenario_.phases) {
    if (monitor_->fired()) break;
    KTSTR_TRY(RunPhase(phase));
  }
  if (!monitor_->fired()) KTSTR_TRY(Judge());
  if (monitor_->fired() && (keep_tripped || !TrippedOverTcg())) KTSTR_TRY(KeepFailure());
  machine_->qemu().Kill();
  return {};
}

Status Test::Boot() {
  times_.Begin("machine");
  MachineOptions machine = scenario_.machine;
  machine.guest_end = GuestEnd::kPause;
  machine.gdb_stub = true;
  std::set<std::pair<std::string, int>> watched;
  for (const TriggerSpec& spec : scenario_.triggers) {
    if (spec.kind == TriggerKind::kWrite) watched.emplace(spec.symbol, spec.size);
  }
  machine.watched_variables = int(watched.size());
  machine.console = result_.console;
  machine_ = KTSTR_TRY(first_.Get(machine));
  result_.began_from = first_.began_from();
  monitor_ = KTSTR_TRY(Monitor::Start(*machine_, scenario_.triggers, scenario_.timeout, interrupt_,
                                      [this](const Fired& fired) { return KeepAndGoOn(fired); }));
  return {};
}

Status Test::SetUp() {
  if (!first_.has_scheduler()) KTSTR_TRY(SetUpCgroupsAndScheduler());
  // What no phase starts runs from the beginning.
  std::set<std::string> later;
  for (const PhaseSpec& phase : scenario_.phases)
    later.insert(phase.start.begin(), phase.start.end());
  std::vector<std::string> names;
  for (const WorkerSpec& worker : scenario_.workers) names.push_back(worker.name);
  for (const PayloadSpec& payload : scenario_.payloads) names.push_back(payload.name);
  std::erase_if(names, [&](const std::string& name) { return later.contains(name); });
  times_.Begin("work begins");
  return options_.resume.empty() ? StartWork(names) : SetUpTheRest(std::move(names));
}

Status Test::SetUpCgroupsAndScheduler() {
  for (const CgroupSpec& cgroup : scenario_.cgroups) {
    KTSTR_TRY(monitor_->Ask("cgroup", {{"path", cgroup.path}, {"files", *cgroup.files}}));
  }
  if (!scenario_.scheduler) return {};
  times_.Begin("scheduler");
  if (!options_.resume.empty()) {
    const json state = KTSTR_TRY(monitor_->Ask("scheduler-state", json::object()));
    const json* files = JsonMember(state, "sched_ext");
    const bool enabled = files != nullptr && StringMember(*files, "state") == "enabled";
    if (enabled || monitor_->fired()) return {};
  }
  KTSTR_TRY(start().Scheduler(*scenario_.scheduler));
  if (!monitor_->fired()) first_.KeepWithScheduler(*machine_, monitor_->planted());
  return {};
}

// Of a machine that was frozen at work, only what it does not do yet.
Status Test::SetUpTheRest(std::vector<std::string> names) {
  const json at_work = KTSTR_TRY(monitor_->Ask("workers", json::object()));
  if (monitor_->fired()) return {};
  for (const json& task : at_work["workers"]) std::erase(names, StringMember(task, "worker"));
  for (const json& payload : at_work["payloads"]) std::erase(names, StringMember(payload, "name"));
  return StartWork(names);
}

Status Test::StartWork(const std::vector<std::string>& names) {
  const auto wanted = [&](const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  };
  std::vector<WorkerSpec> workers;
  for (WorkerSpec worker : scenario_.workers) {
    if (!wanted(worker.name)) continue;
    if (!worker.parameters->contains("seed")) (*worker.parameters)["seed"] = options_.seed;
    workers.push_back(std::move(worker));
  }
  if (!workers.empty()) KTSTR_TRY(monitor_->Ask("start", {{"workers", ToJson(workers)}}));
  for (const PayloadSpec& payload : scenario_.payloads) {
    if (!wanted(payload.name)) continue;
    std::vector<std::string> argv = {payload.program.string()};
    argv.insert(argv.end(), payload.arguments.begin(), payload.arguments.end());
    json request = *payload.setting;
    request.update({{"name", payload.name},
                    {"argv", argv},
                    {"env", *payload.environment},
                    {"root", payload.root.guest}});
    const size_t schedulers = payload.loads_scheduler ? KTSTR_TRY(start().Count()) : 0;
    KTSTR_TRY(monitor_->Ask("payload", request));
    if (payload.loads_scheduler) KTSTR_TRY(start().AwaitLoader(payload.name, schedulers));
  }
  return {};
}

Status Test::RunPhase(const PhaseSpec& phase) {
  phase_ = phase.name;
  times_.Begin("phase " + phase.name);
  monitor_->PhaseBegins(phase.name);
  Tell(fmt::format("{} for {}", phase.name, FormatDuration(phase.duration)));
  if (!phase.stop.empty()) KTSTR_TRY(monitor_->Ask("stop", {{"workers", phase.stop}}));
  if (!phase.set->empty()) KTSTR_TRY(monitor_->Ask("scheduler-set", {{"variables", *phase.set}}));
  KTSTR_TRY(StartWork(phase.start));
  for (const FileWrite& write : phase.writes) {
    KTSTR_TRY(
        monitor_->Ask("write-file", {{"path", write.path}, {"text", write.text}, {"wait", false}}));
  }
  for (const SignalSpec& signal : phase.signals) {
    KTSTR_TRY(monitor_->Ask("signal", {{"name", signal.payload}, {"signal", signal.number}}));
  }
  const Deadline end = After(milliseconds(0)) + duration_cast<Deadline::duration>(phase.duration);
  if (phase.until.empty()) return monitor_->WaitUntil(end);
  KTSTR_TRY(monitor_->WaitUntil(end, [&] { return monitor_->PayloadEnded(phase.until); }));
  if (!monitor_->fired() && !monitor_->PayloadEnded(phase.until)) {
    monitor_->Fire({.trigger = "expectation",
                    .detail = fmt::format("the program {} did not end within {}", phase.until,
                                          FormatDuration(phase.duration))});
  }
  return {};
}

// A kernel that is in the middle of a panic or an oops prints it first, which takes a slow console
// seconds: the trigger is yet to come, and nothing has passed.
Status Test::AwaitDying() {
  const auto holds = [this](const char* symbol, int32_t idle) {
    return monitor_->kernel().ReadSymbol<int32_t>(symbol).value_or(idle) != idle;
  };
  constexpr int32_t kNobody = -1;  // PANIC_CPU_INVALID (include/linux/panic.h)
  const auto dying = [&] { return holds("panic_cpu", kNobody) || holds("oops_in_progress", 0); };
  if (!dying()) return {};
  Tell("the kernel is in trouble: waiting for what it says");
  KTSTR_TRY(monitor_->WaitUntil(After(kDyingTimeout), [&] { return !dying(); }));
  if (!monitor_->fired() && dying()) {
    monitor_->Fire({.trigger = "panic", .detail = "the kernel is in the middle of a panic"});
  }
  return {};
}

Status Test::Judge() {
  phase_ = "the end";
  times_.Begin("judging");
  KTSTR_TRY(AwaitDying());
  if (monitor_->fired()) return {};
  const json answer = KTSTR_TRY(monitor_->Ask("workers", json::object()));
  if (monitor_->fired()) return {};
  WriteAccounts(answer);
  result_.problems = CheckAllWorkers(scenario_.expectations, answer["workers"]);
  Frozen frozen = KTSTR_TRY(Frozen::Freeze(machine_->qmp()));
  const bool queries = std::ranges::any_of(scenario_.expectations,
                                           [](const Expectation& e) { return !e.sql.empty(); });
  if (queries) KTSTR_TRY(CheckQueries(frozen));
  result_.verdict = result_.problems.empty() ? Verdict::kPassed : Verdict::kFailed;
  if (result_.verdict == Verdict::kPassed) return {};
  result_.trigger = "expectation";
  const Fired failed = {.trigger = result_.trigger,
                        .detail = fmt::format("{}", fmt::join(result_.problems, "; "))};
  KTSTR_TRY(Keep(frozen, failed, options_.out / (BaseName() + ".kts")));
  return {};
}

Status Test::CheckQueries(Frozen& frozen) {
  Tell("asking the frozen machine what is expected of it");
  CaptureOptions options =
      CaptureOptionsFor(state(), {.trigger = "expectation"}, options_.out / (BaseName() + ".kts"));
  // It never gets a name: what does not hold is part of the archive that is kept.
  options.accept = [this](const fs::path& archive) -> Result<bool> {
    std::ranges::move(KTSTR_TRY(CheckAllQueries(scenario_, options_.analyze, archive)),
                      std::back_inserter(result_.problems));
    return false;
  };
  KTSTR_TRY(CaptureFrozen(frozen, options));
  return {};
}

void Test::WriteAccounts(const json& answer) {
  for (const json& task : answer["workers"]) {
    log_.Add(fmt::format(
        "{:<15} {:>9} rounds, longest gap {}", SafeText(StringMember(task, "name")),
        IntegerMember(task, "rounds").value_or(0),
        FormatDuration(
            std::chrono::nanoseconds(IntegerMember(task, "longest_gap_ns").value_or(0)))));
  }
  for (const json& payload : answer["payloads"]) {
    log_.Add(fmt::format("output of {}:", SafeText(StringMember(payload, "name"))));
    log_.AddText(StringMember(payload, "output"));
  }
}

Status Test::Keep(Frozen& frozen, const Fired& fired, const fs::path& file) {
  std::string before = times_.Begin("keeping");
  const CaptureSummary summary =
      KTSTR_TRY(CaptureFrozen(frozen, CaptureOptionsFor(state(), fired, file)));
  for (const std::string& change : monitor_->TakeChanges()) log_.Add("warning: " + change);
  for (const std::string& warning : summary.warnings) log_.Add("warning: " + warning);
  result_.archives.push_back(file);
  log_.Add(fmt::format("kept {}: {}, frozen for {}", file.string(),
                       FormatSize(summary.archive.file_size), FormatDuration(summary.frozen_for)));
  times_.Begin(std::move(before));
  return {};
}

Status Test::KeepAndGoOn(const Fired& fired) {
  Tell(fmt::format("{}: {}", fired.trigger, fired.detail));
  Frozen frozen = KTSTR_TRY(Frozen::Freeze(machine_->qmp()));
  const std::string name = fmt::format("{}.{}-{}.kts", BaseName(), fired.trigger, ++kept_);
  KTSTR_TRY(Keep(frozen, fired, options_.out / name));
  return frozen.Resume();
}

Status Test::KeepFailure() {
  const Fired& fired = *monitor_->fired();
  Tell(fmt::format("{}: {}", fired.trigger, fired.detail));
  if (const auto output = fired.values.find("output"); output != fired.values.end()) {
    log_.Add("its output:");
    log_.AddText(output->second);
  }
  result_.trigger = fired.trigger;
  result_.problems.push_back(fired.detail);
  result_.verdict = fired.trigger == "interrupt" ? Verdict::kInterrupted : Verdict::kFailed;
  Frozen frozen = KTSTR_TRY(Frozen::Freeze(machine_->qmp()));
  return Keep(frozen, fired, options_.out / (BaseName() + ".kts"));
}

}  // namespace

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPassed:
      return "passed";
    case Verdict::kFailed:
      return "FAILED";
    case Verdict::kError:
      return "ERROR";
    case Verdict::kInterrupted:
      return "interrupted";
  }
  return "?";
}

TestResult RunTest(const Scenario& scenario, const TestOptions& options,
                   const Interrupt& interrupt) {
  TestResult result;
  result.name = options.file_name.empty() ? scenario.name : options.file_name;
  result.log = options.out / (result.name + ".log");
  result.console = options.out / (result.name + ".console");
  RemoveArchivesOf(options.out, result.name);
  auto log = TestLog::Create(result.log);
  if (!log) {
    result.problems.push_back(log.error().ToString());
    return result;
  }
  StepTimes times;
  TestOptions next = options;
  for (int attempt = 1;; ++attempt) {
    Test test(scenario, next, interrupt, *log, times, result);
    const bool last = attempt == kAttempts;
    const auto ran = test.Run(last);
    if (test.TrippedOverTcg() && !last && !interrupt.asked()) {
      log->Add("the guest's kernel died of a fault of TCG's (a stale breakpoint); booting it anew");
      // What was woken may have had the fault in it.
      next.cold = true;
      result.began_from.clear();
      result.problems.clear();
      result.archives.clear();
      continue;
    }
    if (!ran) {
      result.verdict = interrupt.asked() ? Verdict::kInterrupted : Verdict::kError;
      result.problems.push_back(ran.error().ToString());
    }
    break;
  }
  if (result.verdict == Verdict::kFailed && !result.archives.empty()) {
    times.Begin("asking for the cause");
    auto cause = VerdictOf(options.analyze, result.archives.back());
    if (!cause) log->Add("the archive could not be asked: " + cause.error().ToString());
    result.cause = std::move(cause).value_or("");
  }
  if (!result.cause.empty()) log->Add("what the machine shows: " + result.cause);
  for (const std::string& problem : result.problems) log->Add(problem);
  result.steps = std::move(times).End();
  log->Add("where the time went: " + ToText(result.steps));
  log->Add(fmt::format("verdict: {}", VerdictName(result.verdict)));
  result.duration = duration_cast<milliseconds>(log->age());
  return result;
}

}  // namespace ktstr
