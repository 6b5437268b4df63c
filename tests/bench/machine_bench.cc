// What a user waits for, on a real guest of 512 MiB with Debian's stock kernel: freezing it into an
// archive, beside QEMU's own dumps of the same guest; and the first and later questions about it.
//
// The kernel is taken from the environment variable KTSTR_BENCH_KERNEL (a bzImage).
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "capture/boot/guest_machine.h"
#include "capture/capture.h"
#include "capture/freeze.h"
#include "fixtures/sample/temporary_directory.h"

extern char** environ;

namespace ktstr {
namespace {

[[noreturn]] void Die(const Error& error) {
  std::fprintf(stderr, "machine_bench: %s\n", error.ToString().c_str());
  std::exit(4);
}

// One guest for all benchmarks, at work.
class Bench {
 public:
  static Bench& Get() {
    static Bench bench;
    return bench;
  }
  GuestMachine& machine() { return *machine_; }
  std::string Path(const std::string& name) const { return (directory_ / name).string(); }
  uint64_t Size(const std::string& name) const {
    return std::filesystem::file_size(directory_ / name);
  }

 private:
  Bench() {
    const char* kernel = std::getenv("KTSTR_BENCH_KERNEL");
    if (kernel == nullptr) Die(Error(ErrorCode::kInvalidArgument, "KTSTR_BENCH_KERNEL is not set"));
    MachineOptions options;
    options.kernel = kernel;
    auto machine = GuestMachine::Boot(options);
    if (!machine) Die(machine.error());
    machine_ = *std::move(machine);
    const auto started =
        machine_->StartWorkers({{.kind = "spin", .count = 2}, {.kind = "sleep", .count = 3}});
    if (!started) Die(started.error());
  }

  synthetic::TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
};

void KeepInArchive(Bench& bench, benchmark::State& state, const char* name = "bench.kts",
                   Keep keep = Keep::kAll) {
  CaptureOptions options;
  options.output = bench.Path(name);
  options.keep = keep;
  options.overwrite = true;
  options.pid = bench.machine().qemu().pid();
  const auto captured = Capture(bench.machine().qmp(), options);
  if (!captured) Die(captured.error());
  state.counters["frozen_ms"] = static_cast<double>(captured->frozen_for.count()) / 1000;
}

void BM_CaptureToArchive(benchmark::State& state) {
  Bench& bench = Bench::Get();
  for (auto _ : state) KeepInArchive(bench, state);
  state.counters["file_MB"] = static_cast<double>(bench.Size("bench.kts")) / 1e6;
}
BENCHMARK(BM_CaptureToArchive)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(10);

// Without free pages, contents of files and user data.
void BM_CaptureKernelToArchive(benchmark::State& state) {
  Bench& bench = Bench::Get();
  for (auto _ : state) KeepInArchive(bench, state, "kernel.kts", Keep::kKernel);
  state.counters["file_MB"] = static_cast<double>(bench.Size("kernel.kts")) / 1e6;
}
BENCHMARK(BM_CaptureKernelToArchive)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(10);

void QemuDump(benchmark::State& state, const char* format) {
  Bench& bench = Bench::Get();
  constexpr auto kTimeout = std::chrono::seconds(60);
  for (auto _ : state) {
    const auto dumped = bench.machine().qmp().Execute(
        "dump-guest-memory",
        {{"paging", false}, {"protocol", "file:" + bench.Path("bench.dump")}, {"format", format}},
        {.timeout = kTimeout});
    if (!dumped) Die(dumped.error());
  }
  state.counters["file_MB"] = static_cast<double>(bench.Size("bench.dump")) / 1e6;
}
void BM_QemuDumpKdumpZlib(benchmark::State& state) { QemuDump(state, "kdump-zlib"); }
BENCHMARK(BM_QemuDumpKdumpZlib)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(10);
void BM_QemuDumpElf(benchmark::State& state) { QemuDump(state, "elf"); }
BENCHMARK(BM_QemuDumpElf)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(5);

// ktstr-analyze as a whole process, while the guest stands still: its vCPUs would take our CPUs.
void Ask(benchmark::State& state, std::vector<std::string> arguments) {
  Bench& bench = Bench::Get();
  if (!std::filesystem::exists(bench.Path("bench.kts"))) KeepInArchive(bench, state);
  const auto frozen = Frozen::Freeze(bench.machine().qmp());
  if (!frozen) Die(frozen.error());
  arguments.insert(arguments.begin(), {KTSTR_ANALYZE, bench.Path("bench.kts")});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t to_nowhere;
  posix_spawn_file_actions_init(&to_nowhere);
  posix_spawn_file_actions_addopen(&to_nowhere, 1, "/dev/null", O_WRONLY, 0);
  for (auto _ : state) {
    pid_t pid;
    int status = -1;
    if (posix_spawn(&pid, KTSTR_ANALYZE, &to_nowhere, nullptr, argv.data(), environ) == 0) {
      waitpid(pid, &status, 0);
    }
    if (status != 0) Die(Error(ErrorCode::kPeer, "ktstr-analyze failed"));
  }
  posix_spawn_file_actions_destroy(&to_nowhere);
}
void BM_ListTasksWithoutIndex(benchmark::State& state) { Ask(state, {"tasks", "--no-index"}); }
BENCHMARK(BM_ListTasksWithoutIndex)->Unit(benchmark::kMillisecond)->UseRealTime()->MinTime(2);
void BM_ListTasksWithIndex(benchmark::State& state) { Ask(state, {"tasks"}); }
BENCHMARK(BM_ListTasksWithIndex)->Unit(benchmark::kMillisecond)->UseRealTime()->MinTime(1);
void BM_SummaryWithIndex(benchmark::State& state) { Ask(state, {"summary"}); }
BENCHMARK(BM_SummaryWithIndex)->Unit(benchmark::kMillisecond)->UseRealTime()->MinTime(1);

}  // namespace
}  // namespace ktstr

BENCHMARK_MAIN();
