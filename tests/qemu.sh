#!/bin/bash
# Runs the tests on real guests with another QEMU than the one that is installed.
#
#   bash tests/qemu.sh 10 | 11 [CTEST_OPTION...]
#
#   10, 11   of Debian 12's backports and of Debian sid (fixtures/qemu/get.sh)
#
# Run it when what asks or reads QEMU has changed (capture/qemu), and when a new QEMU is out: tests/run.sh has a few
# tests with QEMU 10, the rest with the installed one. Builds as tests/run.sh does, and takes as long.
#
# Exit code 1 when a test failed, 4 when the machine cannot run them.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../fixtures/setup/common.sh"

case "${1:-}" in
  10 | 11) version=$1 ;;
  -h | --help) show_usage ;;
  *) wrong_usage "which QEMU: 10 or 11?" ;;
esac
shift
program=$(bash "$root/fixtures/qemu/get.sh" "$version") || exit 4
step "with $("$program" --version | head -n 1)"
PATH="${program%/*}:$PATH" exec bash "$root/tests/run.sh" -L guest "$@"
