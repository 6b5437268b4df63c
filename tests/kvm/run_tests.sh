#!/bin/bash
# The tests of guests on KVM. To be run where it works:
#
#   fixtures/kvm/run.sh bash tests/kvm/run_tests.sh [--all] BUILD/tests
#
# Tests of tests/guest that show one thing each that KVM does in its own way, with what they assert on
# TCG; then those that are about KVM alone. With --all everything that boots guests of ours: where KVM is
# emulated this takes an hour; for changes to what freezes, watches or reads a running guest.
set -euo pipefail
all=no
if [ "$1" = --all ]; then
  all=yes
  shift
fi
tests=$1
export KTSTR_TEST_ACCEL=kvm
status=0
run() { "$tests/$1" --gtest_brief=1 --gtest_filter="$2" || status=1; }
if [ "$all" = yes ]; then
  for test in fault trigger run watch ops keep scheduler capture; do run "guest/${test}_guest_test" '*'; done
else
  run guest/fault_guest_test 'All/*/stall:All/*/selfexit:All/*/wrongcpu:All/*/panic:All/*/oops'
  "$tests/../bin/ktstr-run" "$(dirname "$0")/../../fixtures/scenarios/healthy.toml" --accel kvm \
    --out "$(mktemp -d)" || status=1
fi
run kvm/kvm_guest_test '*'
exit "$status"
