#!/bin/bash
# The tests of guests on KVM. To be run where it works:
#
#   fixtures/kvm/run.sh bash tests/kvm/run_tests.sh usual|faults|kvm|all BUILD/tests
#
# usual   faults and kvm, where the machine has KVM itself; where it is emulated, which is slow, the part
#         of them that hangs most on how KVM does things
# faults  tests of tests/guest that show one thing each that KVM does in its own way, with what they assert
#         on TCG, and a healthy run
# kvm     tests that are about KVM alone, and waking
# all     everything that boots guests of ours: where KVM is emulated this takes an hour
#
# Run faults and kvm, and in the end all, after a change to what freezes, wakes, watches or reads a
# running guest.
set -euo pipefail
what=$1
tests=$2
export KTSTR_TEST_ACCEL=kvm
status=0
run() { "$tests/$1" --gtest_filter="$2" || status=1; }
waking() { run guest/wake_guest_test 'WakeGuestTest.IsWhatWasFrozenAndWorkersGoOnCounting'; }
faults() {
  run guest/fault_guest_test 'All/*/stall:All/*/selfexit:All/*/wrongcpu:All/*/panic:All/*/oops'
  "$tests/../bin/ktstr-run" "$(dirname "$0")/../../fixtures/scenarios/healthy.toml" --accel kvm \
    --out "$(mktemp -d)" || status=1
}
case "$what" in
  usual)
    if [ -z "${KTSTR_KVM_EMULATED:-}" ]; then
      faults
      waking
      run kvm/kvm_guest_test '*'
    else
      run guest/fault_guest_test 'All/*/stall:All/*/panic'
      run kvm/kvm_guest_test '-*FunctionTracing*:*TenSeconds*'
    fi
    ;;
  faults) faults ;;
  kvm)
    waking
    run kvm/kvm_guest_test '*'
    ;;
  all)
    for test in fault trigger run watch ops keep scheduler capture wake; do run "guest/${test}_guest_test" '*'; done
    run kvm/kvm_guest_test '*'
    ;;
  *)
    echo "run_tests.sh: usual, faults, kvm or all?" >&2
    exit 2
    ;;
esac
exit "$status"
