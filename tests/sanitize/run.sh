#!/bin/bash
# Runs the unit tests with sanitizers: fails when anything that they run, tests or programs of ours, reads or writes out
# of bounds, leaks, does what C++ does not define, or has two threads at one thing at once.
#
#   bash tests/sanitize/run.sh [--build-only] [LIST [NAME...]]
#
#   --build-only  run nothing
#   LIST          address,undefined or thread (one after the other)
#   NAME          of test programs, such as walk_test (all)
#
# Builds in build-fuzz, which the fuzzers share, and in build-thread. A test program is one process, a large one
# several, since under a sanitizer to begin takes longer than most tests. What is left out, and why, says
# tests/sanitize/left_out.
#
# Exit code 1 when a test failed or a sanitizer found something, 4 when the machine cannot run them.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../../fixtures/setup/common.sh"
# shellcheck source=tests/sanitize/builds.sh
source "$root/tests/sanitize/builds.sh"

only=()
case "${1:-}" in
  -h | --help) show_usage ;;
  --build-only)
    only=(--build-only)
    shift
    ;;
esac
if [ $# = 0 ]; then
  bash "$0" ${only[0]+"${only[@]}"} address,undefined
  exec bash "$0" ${only[0]+"${only[@]}"} thread
fi
list=$1
shift
# As many tests as one process has: of larger programs several run at once.
tests_each=50

ensure_packages "${build_packages[@]}" "${test_packages[@]}" "${fuzz_packages[@]}"
step "building unit tests with the sanitizers $list"
configure_sanitized "$list"
# What is left out: names of programs, and of tests with a colon between them.
mapfile -t left_out < <(awk -v list="$list" '/^[^#]/ && ($1 == "all" || $1 == list) {print $2}' \
  "$root/tests/sanitize/left_out")
mapfile -t names < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else sed 's|.*/||' "$build/tests/unit_tests.txt"; fi |
  grep -vxF "$(printf '%s\n' "${left_out[@]}")")
[ "${#names[@]}" -gt 0 ] || give_up "all of these are left out with $list"
build_targets "${names[@]}"
[ "${#only[@]}" = 0 ] || exit 0
no_tests=$(printf '%s\n' "${left_out[@]}" | { grep -F . || true; } | paste -sd:)
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT

# run PROGRAM SHARD SHARDS: what it prints when something fails.
run() {
  local log="$reports/log.$$"
  # By log_path also what goes wrong in a program whose answer a test does not look at is seen.
  GTEST_TOTAL_SHARDS=$3 GTEST_SHARD_INDEX=$2 GTEST_BRIEF=1 GTEST_FILTER="-$no_tests" \
    ASAN_OPTIONS="log_path=$reports/report:allocator_may_return_null=1" \
    LSAN_OPTIONS="suppressions=$root/tests/sanitize/leaks_of_others:print_suppressions=0" \
    UBSAN_OPTIONS="log_path=$reports/report:print_stacktrace=1" \
    TSAN_OPTIONS="log_path=$reports/report:second_deadlock_stack=1:die_after_fork=0" \
    "$1" >"$log" 2>&1 </dev/null && return 0
  echo "${1##*/} FAILED (part $2 of $3):"
  grep -v '^Running main' "$log" | tail -n 60
  return 1
}
export -f run
export root reports no_tests
# At some points of each operation, not at a hundred.
export KTSTR_FAULT_POINTS=3

# PROGRAM SHARD SHARDS, the largest first.
parts() {
  local name program tests shards
  for name in "$@"; do
    program=$(grep "/$name\$" "$build/tests/unit_tests.txt") || give_up "there is no test program $name"
    tests=$(GTEST_FILTER="-$no_tests" "$program" --gtest_list_tests | grep -c '^  ' || true)
    shards=$(((tests + tests_each - 1) / tests_each))
    seq 0 $((shards - 1)) | sed "s|^|$tests $program |; s|\$| $shards|"
  done | sort -rn | cut -d' ' -f2-
}
step "running ${#names[@]} test programs"
failed=no
parts "${names[@]}" | xargs -P "$(nproc)" -L 1 bash -c 'run "$@"' _ || failed=yes
for report in "$reports"/report.*; do
  [ -s "$report" ] || continue
  failed=yes
  head -n 60 "$report"
done
[ "$failed" = no ] || exit 1
step "no failure"
