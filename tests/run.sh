#!/bin/bash
# Installs what is missing, builds, and runs every test, then the unit tests with sanitizers (tests/sanitize), and each
# fuzzer (tests/fuzz) for a quarter of a minute.
#
#   bash tests/run.sh [--no-guest] [CTEST_OPTION...]
#
#   --no-guest       leave out the tests that boot a guest in QEMU, sanitizers and fuzzers
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

packages=("${build_packages[@]}" "${test_packages[@]}")
[ "$guest" = no ] || packages+=("${guest_packages[@]}")
ensure_packages "${packages[@]}"
if [ "$guest" = yes ]; then
  step "getting Debian's kernels 6.12, 6.1, the newest 6.x and the newest 7.x"
  bash "$root/fixtures/guest/kernel.sh" 6.12 6.1 newest-6 newest-7 >/dev/null || exit 4
  step "getting QEMU 10, beside the one that is installed"
  bash "$root/fixtures/qemu/get.sh" 10 >/dev/null || exit 4
  step "getting our sched_ext kernels (minutes where they are not built yet)"
  for variant in small distribution; do bash "$root/fixtures/kernel/build.sh" "$variant" >/dev/null || exit 4; done
fi
step "building"
configure_and_build -- -DKTSTR_TESTS=ON -DKTSTR_WERROR=ON \
  -DKTSTR_GUEST_TESTS="$([ "$guest" = yes ] && echo ON || echo OFF)"
step "testing"
# Guests wait as often as they compute.
ctest --test-dir "$build" --output-on-failure -j "$(($(nproc) + 1))" "$@" || exit 1
# Who asks for some tests waits for no more than these, nor who is in the middle of a change.
if [ "$guest" = no ] || [ $# -gt 0 ]; then exit 0; fi
bash "$root/tests/sanitize/run.sh" address,undefined || exit $?
bash "$root/tests/sanitize/run.sh" thread || exit $?
# The same inputs each time: a test is not to fail by chance. Longer runs of tests/fuzz/run.sh alone try others.
bash "$root/tests/fuzz/run.sh" --seed 1 15
