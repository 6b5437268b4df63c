#!/bin/bash
# Runs every fuzzer for some time: each gives a reader of ours whatever can come from outside, and fails when that makes
# it crash, hang, read out of bounds, do what C++ does not define, leak, or take more than a set amount of memory.
#
#   bash tests/fuzz/run.sh [--seed N] [SECONDS] [NAME...]
#   bash tests/fuzz/run.sh --build-only
#
#   --seed N      try the same inputs in the same order each time, as far as the time reaches; without it others each time
#   SECONDS       of each, two at once (30)
#   NAME          of those to run, such as archive or walk (all; the files here say what each proves)
#   --build-only  run none
#
# Builds them with clang in build-fuzz, with address and undefined-behaviour sanitizers. What they begin from is made
# of fixtures/states and of scenarios and rules in this tree. Runs of five minutes or more keep inputs that reached
# something new in build-fuzz/corpus, and begin from them the next time. What a reader failed at is in
# build-fuzz/failures: the fuzzer given this file alone fails again. Each failure that is mended leaves a unit test.
#
# Exit code 1 when a fuzzer failed, 4 when the machine cannot run them.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../../fixtures/setup/common.sh"
# shellcheck source=tests/sanitize/builds.sh
source "$root/tests/sanitize/builds.sh"

case "${1:-}" in
  -h | --help) show_usage ;;
esac
only=
if [ "${1:-}" = --build-only ]; then
  only=build
  shift
fi
seed=0
if [ "${1:-}" = --seed ]; then
  seed=${2:?--seed needs a number}
  shift 2
fi
seconds=${1:-30}
shift || true
# What no input may go beyond: of one input, and of all that is in memory at a time.
input_seconds=25
one_allocation_mb=600
memory_mb=2560

ensure_packages "${build_packages[@]}" "${fuzz_packages[@]}"
step "building the fuzzers"
configure_sanitized address,undefined
build_targets fuzzers
[ -z "$only" ] || exit 0
programs="$build/tests/fuzz"
state="$root/fixtures/states/traced.kts"
rm -rf "$build/seeds"
"$programs/fuzz_seeds" "$build/seeds" "$state"
mkdir -p "$build/seeds/scenario" "$build/seeds/rules" "$build/failures"
cp "$root"/fixtures/scenarios/*.toml "$build/seeds/scenario/"
cp "$root"/analyze/check/rules/*.toml "$build/seeds/rules/"

# run NAME: one fuzzer; a line of what it did, or what it failed at.
run() {
  local name=$1 status=0 log="$build/failures/$1.log" work corpus
  work=$(mktemp -d)
  # A kept one grows, and is gone through first: a short run would do nothing else.
  if [ "$seconds" -ge 300 ]; then corpus="$build/corpus/$name"; else corpus="$work/corpus"; fi
  mkdir -p "$corpus" "$build/seeds/$name"
  TMPDIR="$work" KTSTR_FUZZ_STATE="$state" \
    ASAN_OPTIONS=symbolize=1 UBSAN_OPTIONS=print_stacktrace=1 \
    "$programs/fuzz_$name" "$corpus" "$build/seeds/$name" -max_total_time="$seconds" -seed="$seed" \
    -timeout="$input_seconds" -rss_limit_mb="$memory_mb" -malloc_limit_mb="$one_allocation_mb" -len_control=0 \
    -max_len=65536 -artifact_prefix="$build/failures/$name-" -print_final_stats=1 >"$log" 2>&1 || status=$?
  rm -rf "$work"
  if [ "$status" != 0 ]; then
    echo "$name FAILED:"
    grep -vE '^(#[0-9]+\s+(NEW|REDUCE|pulse|INITED|RELOAD)|INFO:)' "$log" | head -n 40
    return 1
  fi
  printf '%-12s %8s inputs, %5s MB at most\n' "$name" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")"
  rm -f "$log"
}
export -f run
export build programs state seconds seed input_seconds one_allocation_mb memory_mb

mapfile -t names < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else cat "$programs/fuzzers.txt"; fi)
step "running ${#names[@]} fuzzers, $seconds s each"
printf '%s\n' "${names[@]}" | xargs -P 2 -I{} bash -c 'run "$1"' _ {} || exit 1
step "no failure"
