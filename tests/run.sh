#!/bin/bash
# Installs what is missing, builds, and runs every test, then the unit tests with sanitizers (tests/sanitize), and each
# fuzzer (tests/fuzz) for a quarter of a minute.
#
#   bash tests/run.sh [--no-guest] [CTEST_OPTION...]
#
#   --no-guest       leave out the tests that boot a guest in QEMU, sanitizers and fuzzers
#
# What guests boot is got while the programs compile, and what has sanitizers is compiled, at the lowest priority, while
# guests run. In the end it says how long each stage took.
#
# Exit code 1 when a test failed, 4 when the machine cannot run them.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../fixtures/setup/common.sh"

guest=yes
while [ $# -gt 0 ]; do
  case "$1" in
    --no-guest) guest=no ;;
    -h | --help) show_usage ;;
    *) break ;;
  esac
  shift
done
# Who asks for some tests waits for no more than these, nor who is in the middle of a change.
sanitizers=$([ "$guest" = no ] || [ $# -gt 0 ] || echo yes)

# beside FUNCTION: starts it beside what follows, in a session of its own: its number is in $beside, what it says in
# $log.
log=$(mktemp)
beside=
beside() {
  setsid bash -euc "root=$(printf %q "$root"); $(declare -f "$1"); $1" >"$log" 2>&1 </dev/null &
  beside=$!
}
# What was started beside ends: with its exit code.
await() {
  local status=0
  wait "$beside" || status=$?
  beside=
  return "$status"
}
end() {
  [ -z "$beside" ] || kill -- "-$beside" 2>/dev/null || true
  rm -f "$log"
  show_times
}
trap end EXIT

get_guests() {
  local kernel variant
  for kernel in 6.12 6.1 newest-6 newest-7; do bash "$root/fixtures/guest/kernel.sh" "$kernel" >/dev/null || return 4; done
  bash "$root/fixtures/qemu/get.sh" 10 >/dev/null || return 4
  for variant in small distribution; do bash "$root/fixtures/kernel/build.sh" "$variant" >/dev/null || return 4; done
}
# Where that fails, the stage that runs it says why.
build_with_sanitizers() {
  renice -n 19 -p $$ >/dev/null
  # Where the kernel groups processes by session it is the group's own that counts (autogroup, sched(7)).
  [ ! -e /proc/$$/autogroup ] || echo 19 2>/dev/null >/proc/$$/autogroup || true
  bash "$root/tests/sanitize/run.sh" --build-only address,undefined
  bash "$root/tests/fuzz/run.sh" --build-only
  bash "$root/tests/sanitize/run.sh" --build-only thread
}

packages=("${build_packages[@]}" "${test_packages[@]}")
[ "$guest" = no ] || packages+=("${guest_packages[@]}" "${kernel_packages[@]}")
[ -z "$sanitizers" ] || packages+=("${fuzz_packages[@]}")
stage "installing what is missing"
ensure_packages "${packages[@]}"
[ "$guest" = no ] || beside get_guests
stage "building"
configure_and_build -- -DKTSTR_TESTS=ON -DKTSTR_WERROR=ON \
  -DKTSTR_GUEST_TESTS="$([ "$guest" = yes ] && echo ON || echo OFF)"
if [ "$guest" = yes ]; then
  stage "getting Debian's kernels, QEMU 10 and our sched_ext kernels (minutes where they are not built yet)"
  await || {
    cat "$log" >&2
    give_up "what guests need cannot be had"
  }
fi
[ -z "$sanitizers" ] || beside build_with_sanitizers
stage "testing"
# Guests, of two processors each, compute half of the time.
ctest --test-dir "$build" --output-on-failure -j "$(($(nproc) * 2))" "$@" || exit 1
[ -n "$sanitizers" ] || exit 0
stage "building with sanitizers what is not built yet"
await || true
stage "testing with the sanitizers of memory and of undefined behaviour"
bash "$root/tests/sanitize/run.sh" address,undefined || exit $?
stage "testing with the sanitizer of threads"
bash "$root/tests/sanitize/run.sh" thread || exit $?
stage "fuzzing"
# The same inputs each time: a test is not to fail by chance. Longer runs of tests/fuzz/run.sh alone try others.
bash "$root/tests/fuzz/run.sh" --seed 1 15
