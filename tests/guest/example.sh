#!/bin/bash
# Builds fixtures/example against an installed ktstr, as a user's project would be, and runs it: its
# tests pass, and one that fails leaves its machine.
#
#   example.sh BUILD_DIRECTORY
set -euo pipefail
build=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/ktstr" >"$work/install.log" || { cat "$work/install.log"; exit 1; }
cmake -S "$root/fixtures/example" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$work/ktstr"
cmake --build "$work/build"

export KTSTR_RESULTS="$work/results"
"$work/build/fairness_test"
[ ! -e "$KTSTR_RESULTS" ] || { echo "tests that passed left: $(ls "$KTSTR_RESULTS")"; exit 1; }

if KTSTR_EXAMPLE_FAILS=1 "$work/build/fairness_test"; then
  echo "a test that was to fail passed"
  exit 1
fi
archive=$KTSTR_RESULTS/FairnessTest.LeavesItsMachineWhenItFails.kts
"$work/ktstr/bin/ktstr-analyze" "$archive" sql \
  "SELECT count(*) AS sleepers, value FROM task, machine WHERE comm LIKE 'sleep-%' AND key = 'trigger'" |
  tee /dev/stderr | grep -q '2  assertion'
