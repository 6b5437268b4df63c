#!/bin/bash
# The tests of guests on KVM. To be run where it works:
#
#   fixtures/kvm/run.sh bash tests/kvm/run_tests.sh faults|kvm|all BUILD/tests
#
# faults  tests of tests/guest that show one thing each that KVM does in its own way, with what they assert
#         on TCG, and a healthy run
# kvm     tests that are about KVM alone
# all     everything that boots guests of ours: where KVM is emulated this takes an hour; for changes to
#         what freezes, watches or reads a running guest
set -euo pipefail
what=$1
tests=$2
export KTSTR_TEST_ACCEL=kvm
status=0
run() { "$tests/$1" --gtest_brief=1 --gtest_filter="$2" || status=1; }
case "$what" in
  faults)
    run guest/fault_guest_test 'All/*/stall:All/*/selfexit:All/*/wrongcpu:All/*/panic:All/*/oops'
    "$tests/../bin/ktstr-run" "$(dirname "$0")/../../fixtures/scenarios/healthy.toml" --accel kvm \
      --out "$(mktemp -d)" || status=1
    ;;
  kvm) run kvm/kvm_guest_test '*' ;;
  all)
    for test in fault trigger run watch ops keep scheduler capture; do run "guest/${test}_guest_test" '*'; done
    run kvm/kvm_guest_test '*'
    ;;
  *)
    echo "run_tests.sh: faults, kvm or all?" >&2
    exit 2
    ;;
esac
exit "$status"
