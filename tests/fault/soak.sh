#!/bin/bash
# Captures one guest 200 times, lets it go on and analyses each archive: see soak_test.cc for what must be so
# afterwards. tests/run.sh does the same ten times.
#
#   bash tests/fault/soak.sh [ROUNDS]
#
# Exit code 1 when something is not as it should be, 4 when this cannot be run.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../../fixtures/setup/common.sh"

ensure_packages "${build_packages[@]}" "${test_packages[@]}" "${guest_packages[@]}"
bash "$root/fixtures/guest/kernel.sh" 6.12 >/dev/null || exit 4
step "building"
configure_and_build live_fault_test -- -DKTSTR_TESTS=ON -DKTSTR_GUEST_TESTS=ON
step "capturing"
KTSTR_SOAK_ROUNDS=${1:-200} "$build/tests/fault/live_fault_test" --gtest_filter='SoakTest.*' || exit 1
