#!/bin/bash
# Kills ktstr-capture (kill -9) at 100 points of a capture, of archives that are new and of ones that replace another:
# see capture_kills_test.cc for what must be so afterwards. tests/run.sh does the same at 12 points.
#
#   bash tests/fault/capture_kills.sh [POINTS]
#
# Exit code 1 when something is not as it should be, 4 when this cannot be run.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../../fixtures/setup/common.sh"

ensure_packages "${build_packages[@]}" "${test_packages[@]}" "${guest_packages[@]}"
bash "$root/fixtures/guest/kernel.sh" 6.12 >/dev/null || exit 4
step "building"
configure_and_build live_fault_test -- -DKTSTR_TESTS=ON -DKTSTR_GUEST_TESTS=ON
step "killing"
KTSTR_KILL_POINTS=${1:-100} "$build/tests/fault/live_fault_test" --gtest_filter='*CaptureKillsTest*' || exit 1
