#!/bin/bash
# Runs every fuzzer for ten minutes, two at once: an hour and a half. For nights; tests/run.sh has half a minute of each.
#
#   bash tests/fuzz/night.sh [NAME...]
#
# More is in run.sh. Exit code 1 when a fuzzer failed, 4 when the machine cannot run them.
set -euo pipefail
case "${1:-}" in
  -h | --help)
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
    exit 0
    ;;
esac
exec bash "$(dirname "$0")/run.sh" 600 "$@"
