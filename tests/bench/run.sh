#!/bin/bash
# Measures on real guests what a user waits for, and prints the ratios to QEMU's own dumps side by side.
#
#   bash tests/bench/run.sh [BENCHMARK_OPTION...]
#
# Quote the ratios: both sides run in turn on the same guest, while times depend on the machine.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../../fixtures/setup/common.sh"

ensure_packages "${build_packages[@]}" "${test_packages[@]}" "${guest_packages[@]}" jq
step "building"
configure_and_build machine_bench walk_bench ktstr-analyze ktstr-guest-init -- -DKTSTR_TESTS=ON -DKTSTR_BENCHMARKS=ON
KTSTR_BENCH_KERNEL=$(bash "$root/fixtures/guest/kernel.sh" 6.12) || exit 4
KTSTR_BENCH_SCX_KERNEL=$(bash "$root/fixtures/kernel/build.sh" small) || exit 4
export KTSTR_BENCH_KERNEL KTSTR_BENCH_SCX_KERNEL
step "measuring"
results=$(mktemp)
trap 'rm -f "$results"' EXIT
"$build/tests/bench/machine_bench" --benchmark_repetitions=3 --benchmark_out="$results" --benchmark_out_format=json "$@"
echo
jq -r '
  def time(n): [.benchmarks[] | select(.aggregate_name == "median" and (.run_name | startswith(n)))][0].real_time;
  def size(n): [.benchmarks[] | select(.aggregate_name == "median" and (.run_name | startswith(n)))][0].file_MB;
  def frozen(n): [.benchmarks[] | select(.aggregate_name == "median" and (.run_name | startswith(n)))][0].frozen_ms;
  def r: . * 100 | round / 100;
  "medians                        time      size",
  "ktstr archive                \(time("BM_CaptureToArchive") | r) ms  \(size("BM_CaptureToArchive") | r) MB (guest frozen \(frozen("BM_CaptureToArchive") | r) ms)",
  "the same, --keep kernel      \(time("BM_CaptureKernelToArchive") | r) ms  \(size("BM_CaptureKernelToArchive") | r) MB (guest frozen \(frozen("BM_CaptureKernelToArchive") | r) ms)",
  "QEMU kdump-zlib              \(time("BM_QemuDumpKdumpZlib") | r) ms  \(size("BM_QemuDumpKdumpZlib") | r) MB",
  "QEMU ELF                     \(time("BM_QemuDumpElf") | r) ms  \(size("BM_QemuDumpElf") | r) MB",
  "ratio archive / kdump-zlib   \(time("BM_CaptureToArchive") / time("BM_QemuDumpKdumpZlib") | r)       \(size("BM_CaptureToArchive") / size("BM_QemuDumpKdumpZlib") | r)",
  "ratio keep kernel / keep all \(time("BM_CaptureKernelToArchive") / time("BM_CaptureToArchive") | r)       \(size("BM_CaptureKernelToArchive") / size("BM_CaptureToArchive") | r)",
  "ratio keep kernel / kdump    \(time("BM_CaptureKernelToArchive") / time("BM_QemuDumpKdumpZlib") | r)       \(size("BM_CaptureKernelToArchive") / size("BM_QemuDumpKdumpZlib") | r)",
  "ratio archive / ELF          \(time("BM_CaptureToArchive") / time("BM_QemuDumpElf") | r)       \(size("BM_CaptureToArchive") / size("BM_QemuDumpElf") | r)",
  "list all tasks, no index     \(time("BM_ListTasksWithoutIndex") | r) ms (limit 100 ms)",
  "list all tasks, index there  \(time("BM_ListTasksWithIndex") | r) ms"' "$results"
step "walking a guest of 10,000 threads"
"$build/tests/bench/walk_bench" "$@"
