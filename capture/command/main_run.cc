// ktstr-run: runs scheduler tests, and keeps the frozen machine of each that failed.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "capture/command/capture_command.h"
#include "capture/command/manual_run.h"
#include "capture/run/ci_result.h"
#include "capture/run/kernel_choice.h"
#include "capture/run/live_view.h"
#include "capture/run/reference.h"
#include "capture/run/suite.h"
#include "capture/scenario/scenario_reader.h"
#include "capture/system/system_error.h"
#include "libcore/base/output.h"
#include "libcore/base/private_directory.h"
#include "libcore/base/program.h"
#include "libcore/base/text_file.h"
#include "libcore/cli/completion.h"
#include "libcore/cli/parse.h"
#include "libcore/results/junit.h"

namespace {

using namespace ktstr;  // NOLINT: a program
namespace fs = std::filesystem;

struct Arguments {
  std::vector<std::string> scenarios;
  std::string out = "ktstr-results";
  std::string junit;
  std::string kernel;
  std::string accelerator;
  std::string keep;
  int jobs = 1;
  int repeat = 1;
  int level = kKernelPagesLevel;
  std::optional<int64_t> seed;
  std::string resume;
  bool cold = false;
  bool timing = false;
  bool reference = false;
};

const std::map<std::string, Accelerator> kAccelerators = {
    {"auto", Accelerator::kAuto}, {"kvm", Accelerator::kKvm}, {"tcg", Accelerator::kTcg}};

int Report(const Error& error) {
  fmt::print(stderr, "ktstr-run: {}\n", error.ToString());
  return static_cast<int>(ExitCodeFor(error.code()));
}

Result<std::vector<Scenario>> ReadScenarios(const Arguments& arguments) {
  std::vector<Scenario> scenarios;
  std::set<std::string> names;
  for (const std::string& file : arguments.scenarios) {
    Scenario scenario = KTSTR_TRY(ReadScenario(file));
    if (!names.insert(scenario.name).second) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: two scenarios are called '{}', and their files in '{}' would "
                              "be, too",
                              file, scenario.name, arguments.out));
    }
    if (!arguments.kernel.empty()) {
      scenario.kernel = arguments.kernel;
      scenario.kernel_line = 0;
    }
    if (!arguments.accelerator.empty()) {
      scenario.machine.accelerator = kAccelerators.at(arguments.accelerator);
    }
    if (!arguments.keep.empty()) {
      scenario.keep = arguments.keep == "kernel" ? Keep::kKernel : Keep::kAll;
    }
    scenarios.push_back(KTSTR_TRY(ResolveScenario(std::move(scenario))));
  }
  return scenarios;
}

// Two runs that write to one directory would mix up their files.
Result<UniqueFd> LockDirectory(const fs::path& directory) {
  KTSTR_TRY(MakePrivateDirectories(directory));
  UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(fmt::format("opening '{}'", directory.string()));
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return Fail(ErrorCode::kIo, fmt::format("another ktstr-run writes to '{}': give this one "
                                            "another directory with --out",
                                            directory.string()));
  }
  return fd;
}

std::vector<SuiteJob> MakeJobs(const std::vector<Scenario>& scenarios, const Arguments& arguments,
                               LiveView& view) {
  std::vector<SuiteJob> jobs;
  for (int round = 0; round < arguments.repeat; ++round) {
    for (const Scenario& scenario : scenarios) {
      SuiteJob job = {scenario, {}};
      job.options.out = arguments.out;
      job.options.compression_level = arguments.level;
      job.options.resume = arguments.resume;
      job.options.cold = arguments.cold;
      job.options.seed = arguments.seed.value_or(scenario.seed) + round;
      if (round > 0) job.options.file_name = fmt::format("{}@{}", scenario.name, round + 1);
      const std::string name = round > 0 ? job.options.file_name : scenario.name;
      job.options.progress = [&view, name](const std::string& step) { view.Step(name, step); };
      jobs.push_back(std::move(job));
    }
  }
  return jobs;
}

// A user who ended it gets no "passed" for what was not run.
int Conclude(const std::vector<TestResult>& results) {
  size_t passed = 0;
  bool error = false;
  for (const TestResult& result : results) {
    passed += result.verdict == Verdict::kPassed;
    error |= result.verdict == Verdict::kError;
  }
  std::ignore = Output::Standard().Write(fmt::format("{} of {} passed\n", passed, results.size()));
  if (passed == results.size()) return static_cast<int>(ExitCode::kDone);
  return static_cast<int>(error ? ExitCode::kEnvironment : ExitCode::kAnswerIsNo);
}

int Run(const Arguments& arguments) {
  const auto interrupt = Interrupt::FromSignals();
  if (!interrupt) return Report(interrupt.error());
  const auto scenarios = ReadScenarios(arguments);
  if (!scenarios) return Report(scenarios.error());
  const auto lock = LockDirectory(arguments.out);
  if (!lock) return Report(lock.error());
  LiveView view(Output::Standard(), arguments.timing);
  const auto jobs = MakeJobs(*scenarios, arguments, view);
  const auto results = RunSuite(jobs, arguments.jobs, **interrupt,
                                [&](const TestResult& result) { view.Finish(result); });
  if (!arguments.junit.empty()) {
    std::vector<CaseResult> cases;
    for (const TestResult& result : results) cases.push_back(ForCi(result));
    const auto written =
        WriteTextFile(arguments.junit, ToJunit("ktstr-run", cases), Readers::kByUmask);
    if (!written) return Report(written.error());
  }
  return Conclude(results);
}

int Main(int argc, char** argv) {
  Options app("ktstr-run",
              "Runs scheduler tests in guests of their own. Of a test that fails, the whole frozen "
              "machine\n"
              "stays: OUT/SCENARIO.kts, frozen at the moment of failure (ktstr-analyze opens it).");
  Arguments arguments;
  app.SetHelpStyle({.column = 24, .plain = true});
  app.Add("SCENARIO", &arguments.scenarios, "What to run: TOML files (see --reference)")
      .TypeName("")
      .Files(".toml")
      .RequiredUnless("--reference");
  app.Add("--out", &arguments.out, "Where logs, consoles and archives go")
      .TypeName("DIR")
      .ShowDefault();
  app.Add("--jobs", &arguments.jobs, "So many tests at a time")
      .TypeName("N")
      .Between(1, 1024)
      .ShowDefault();
  app.Add("--repeat", &arguments.repeat,
          "Runs each so often, with seeds that follow each other; the second is SCENARIO@2")
      .TypeName("N")
      .Between(1, 1'000'000)
      .ShowDefault();
  app.Add("--seed", &arguments.seed, "What the workers' random numbers begin with").TypeName("N");
  app.Add("--junit", &arguments.junit, "Writes the results as JUnit XML").TypeName("FILE");
  app.Add("--kernel", &arguments.kernel, "Takes this kernel in place of the scenarios'")
      .TypeName("KERNEL")
      .Files()
      .Offer(KnownKernelNames);
  app.Add("--accel", &arguments.accelerator, "Takes this in place of the scenarios'")
      .TypeName("auto|kvm|tcg")
      .OneOf({"auto", "kvm", "tcg"});
  app.Add("--keep", &arguments.keep,
          "What archives hold: all, or kernel, without free, page-cache and user pages; in "
          "place of what the scenarios say")
      .TypeName("all|kernel")
      .OneOf({"all", "kernel"});
  app.Add(
         "--level", &arguments.level,
         "How hard archives are compressed, from -5 (fastest) to 19, which makes them small, to be "
         "kept with the sources")
      .TypeName("N")
      .Between(kLeastLevel, kMostLevel)
      .ShowDefault();
  app.Add("--resume", &arguments.resume,
          "Goes on from this frozen machine of a guest of ours, in place of booting one; what the "
          "scenario sets up and is there already stays as it is")
      .TypeName("ARCHIVE")
      .Files(".kts");
  app.Add("--cold", &arguments.cold,
          "Boots every machine; else one that was booted before (the same kernel, files, QEMU and "
          "options) is woken as it was then")
      .Excludes("--resume");
  app.Add("--timing", &arguments.timing,
          "Says of each test where its time went: machine (booted or woken), scheduler, phases, "
          "archives");
  app.Add("--reference", &arguments.reference, "Prints all that a scenario can say");
  app.AddVersion("--version", "ktstr-run " KTSTR_VERSION);
  app.SetFooter(
      "Ctrl-C freezes and keeps what runs; a second one ends it at once.\n\n"
      "Exit codes: 0 all passed, 1 one failed or was interrupted, 2 wrong usage or a mistake in a\n"
      "scenario, 4 a test could not be run (QEMU, guest, disk).");
  app.SetManual(RunManual);
  app.SetSubcommandNeed(SubcommandNeed::kOptional);
  AddCompletion(&app);
  if (const auto code = ParseCommandLine(app, argc, argv)) return *code;
  if (arguments.reference) {
    std::ignore = Output::Standard().Write(ScenarioReference());
    return 0;
  }
  return Run(arguments);
}

}  // namespace

int main(int argc, char** argv) { return RunProgram("ktstr-run", argc, argv, Main); }
