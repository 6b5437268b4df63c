#!/bin/bash
# Installs what is missing, builds, and runs every test, then those of threads with the thread sanitizer, and each fuzzer
# (tests/fuzz), with those of memory, for half a minute.
#
#   bash tests/run.sh [--no-guest] [--sanitize LIST] [CTEST_OPTION...]
#
#   --no-guest       leave out the tests that boot a guest in QEMU, and the fuzzers
#   --sanitize LIST  build with these sanitizers, such as address,undefined, in a directory of its own
#
# Exit code 1 when a test failed, 4 when the machine cannot run them.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../fixtures/setup/common.sh"

guest=yes
sanitize=
while [ $# -gt 0 ]; do
  case "$1" in
    --no-guest) guest=no ;;
    --sanitize)
      sanitize=${2:?--sanitize needs a list}
      build="$build-${sanitize//,/-}"
      shift
      ;;
    -h | --help)
      sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
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
flags=()
# Optimizing what the sanitizers add takes several times as long as it saves.
[ -z "$sanitize" ] || flags=(-DCMAKE_CXX_FLAGS_RELEASE=-O0)
configure_and_build -- "${flags[@]}" -DKTSTR_TESTS=ON -DKTSTR_WERROR=ON -DKTSTR_SANITIZE="$sanitize" \
  -DKTSTR_GUEST_TESTS="$([ "$guest" = yes ] && echo ON || echo OFF)"
step "testing"
ctest --test-dir "$build" --output-on-failure -j "$(nproc)" "$@" || exit 1
# Who asks for some tests waits for no more than these, nor who is in the middle of a change.
if [ "$guest" = no ] || [ -n "$sanitize" ] || [ $# -gt 0 ]; then exit 0; fi
step "testing readers in several threads, with the thread sanitizer"
(
  build="$build-thread"
  configure_and_build replay_test -- -DCMAKE_CXX_FLAGS_RELEASE=-O0 -DKTSTR_SANITIZE=thread -DKTSTR_TESTS=ON \
    -DKTSTR_GUEST_TESTS=OFF -DKTSTR_BENCHMARKS=OFF
  quietly "$build/tests/replay/replay_test" --gtest_brief=1
) || exit $?
bash "$root/tests/fuzz/run.sh" 30
