// Walking a guest of 10,000 threads out of its archive: each walker on its own, and all of them.
//
// The kernel is taken from the environment variable KTSTR_BENCH_SCX_KERNEL (a bzImage).
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>

#include "analyze/index/tables.h"
#include "capture/boot/guest_machine.h"
#include "capture/capture.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/walk/bpf/map.h"
#include "libcore/walk/sched/rq_task.h"
#include "libcore/walk/stack/stack.h"
#include "libcore/walk/system/timer.h"
#include "libcore/walk/task/task.h"
#include "libcore/walk/wait/wait.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

constexpr int kThreads = 10'000;

[[noreturn]] void Die(const Error& error) {
  std::fprintf(stderr, "walk_bench: %s\n", error.ToString().c_str());
  std::exit(4);
}

template <typename T>
T Must(Result<T> result) {
  if (!result) Die(result.error());
  return *std::move(result);
}

// The archive of one guest, for all benchmarks.
class Bench {
 public:
  static const std::string& Archive() {
    static Bench bench;
    return bench.archive_;
  }

 private:
  Bench() : archive_(directory_ / "bench.kts") {
    const char* kernel = std::getenv("KTSTR_BENCH_SCX_KERNEL");
    if (kernel == nullptr)
      Die(Error(ErrorCode::kInvalidArgument, "KTSTR_BENCH_SCX_KERNEL is not set"));
    MachineOptions machine_options;
    machine_options.kernel = kernel;
    machine_options.memory_bytes = uint64_t{4} << 30;
    const auto machine = Must(GuestMachine::Boot(machine_options));
    const auto started = machine->StartWorkers({{.kind = "futex-wait", .count = kThreads}});
    if (!started) Die(started.error());
    CaptureOptions options;
    options.output = archive_;
    options.pid = machine->qemu().pid();
    Must(Capture(machine->qmp(), options));
  }

  synthetic::TemporaryDirectory directory_;
  std::string archive_;
};

// Opens the archive anew for each iteration, so that nothing is in a cache, and walks.
template <typename Walk>
void Measure(benchmark::State& state, Walk walk) {
  const std::string& archive = Bench::Archive();
  size_t rows = 0;
  for (auto _ : state) {
    const auto machine = Must(FrozenMachine::Open(archive));
    rows = walk(*Must(machine->Kernel()));
  }
  state.counters["rows"] = static_cast<double>(rows);
}

void BM_OpenKernel(benchmark::State& state) {
  Measure(state, [](const GuestKernel&) { return size_t{1}; });
}
void BM_Tasks(benchmark::State& state) {
  Measure(state, [](const GuestKernel& kernel) { return Must(WalkTasks(kernel)).rows.size(); });
}
void BM_Stacks(benchmark::State& state) {
  Measure(state, [](const GuestKernel& kernel) { return Must(WalkStacks(kernel)).rows.size(); });
}
void BM_StacksAndWaits(benchmark::State& state) {
  Measure(state, [](const GuestKernel& kernel) {
    const auto stacks = Must(WalkStacks(kernel));
    return Must(WalkLockWaits(kernel, stacks.rows)).rows.size();
  });
}
void BM_RunQueues(benchmark::State& state) {
  Measure(state, [](const GuestKernel& kernel) { return Must(WalkRqTasks(kernel)).rows.size(); });
}
void BM_AllTables(benchmark::State& state) {
  const std::string& archive = Bench::Archive();
  size_t rows = 0;
  for (auto _ : state) {
    const auto machine = Must(FrozenMachine::Open(archive));
    rows = 0;
    for (const auto& table : BuildTables(*machine, {}).tables) rows += table->row_count();
  }
  state.counters["rows"] = static_cast<double>(rows);
}
BENCHMARK(BM_OpenKernel)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_Tasks)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_Stacks)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_StacksAndWaits)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_RunQueues)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_AllTables)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace ktstr

BENCHMARK_MAIN();
