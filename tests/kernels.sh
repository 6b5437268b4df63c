#!/bin/bash
# Runs the tests that hold us against the guest's own account with other kernels of Debian's than tests/run.sh does.
#
#   bash tests/kernels.sh [KERNEL...]
#
#   KERNEL  as fixtures/guest/kernel.sh has them: 6.18, 7.3-rt, newest-7-full. Without any: all with two numbers that
#           can be had, and the newest 7.x with PREEMPT_RT and for all machines.
#
# Run it when what reads the kernel's structures has changed, and when a new kernel is out; then note it in
# libcore/kernel/tried_kernels.h. Takes two minutes a kernel. A summary comes last, with the results of each kernel in
# a file of its own.
#
# Exit code 1 when a test failed, 4 when the machine cannot run them.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../fixtures/setup/common.sh"

case "${1:-}" in
  -h | --help) show_usage ;;
esac
kernels=("$@")
if [ "${#kernels[@]}" = 0 ]; then
  mapfile -t kernels < <(bash "$root/fixtures/guest/kernel.sh" --list)
  kernels+=(newest-7-rt newest-7-full)
fi
ensure_packages "${build_packages[@]}" "${test_packages[@]}" "${guest_packages[@]}"
tests=(agreement_test keep_guest_test scheduler_guest_test stack_guest_test system_walk_guest_test)
step "building"
configure_and_build "${tests[@]}" -- -DKTSTR_TESTS=ON -DKTSTR_GUEST_TESTS=ON

results=$(mktemp -d)
failed=0
for kernel in "${kernels[@]}"; do
  step "$kernel"
  bash "$root/fixtures/guest/kernel.sh" "$kernel" >/dev/null || exit 4
  for test in "${tests[@]}"; do
    KTSTR_TEST_KERNELS=$kernel "$build/tests/guest/$test" --gtest_filter='Others/*' --gtest_brief=1 \
      >>"$results/$kernel" 2>&1 </dev/null || {
      failed=1
      echo "  FAILED $test: $results/$kernel"
    }
  done
done
step "$([ "$failed" = 0 ] && echo "all pass" || echo "some failed"): ${kernels[*]}"
exit "$failed"
