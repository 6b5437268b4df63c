#!/bin/bash
# Measures ktstr-analyze's corpus check and corpus query over collections of archives, with and without indexes.
#
#   bash tests/bench/corpus.sh [--sizes LIST] [--against DIR] [--archives DIR]
#
#   --sizes LIST     how many archives, by commas (default: 10,100,1000)
#   --against DIR    programs of another build, measured in turn with this one's
#   --archives DIR   where archives are kept for the next time (default: a directory that goes at the end)
#
# The archives are those of fixtures/states, each changed in one word by `ktstr-replay ops --save`, so that no two are
# the same. For each collection it prints seconds, seconds per archive, CPU time and the peak of memory: of check and
# query without indexes ("cold"), of the merged index, and of both once indexes are there ("warm"), as JSON and with
# JUnit's XML, too; of check with one job, cold; how large the pack is, how long packing and unpacking take, and check
# of what was unpacked.
#
# A thousand archives take 9 GB of disk, their pack and its copies as much again.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../../fixtures/setup/common.sh"

sizes=10,100,1000 against="" kept=""
while [ $# -gt 0 ]; do
  case "$1" in
    --sizes) sizes=$2 ;;
    --against) against=$2 ;;
    --archives) kept=$2 ;;
    -h | --help) show_usage ;;
    *) wrong_usage "unknown option '$1'" ;;
  esac
  shift 2
done

ensure_packages "${build_packages[@]}" python3
step "building"
configure_and_build ktstr-analyze ktstr-replay -- >/dev/null
work=$(mktemp -d "${TMPDIR:-/tmp}/ktstr-corpus-XXXXXX")
trap 'rm -rf "$work"' EXIT
archives=${kept:-$work/archives}
mkdir -p "$archives"
states=("$root"/fixtures/states/*.kts)

# make N: the N-th archive, where it is not there already.
make() {
  local name
  name=$archives/$(printf '%04d' "$1").kts
  [ ! -e "$name" ] || return 0
  echo "{\"direction\":\"write\",\"entries\":[{\"target\":{\"symbol\":\"jiffies\"},\"value\":{\"u64\":$1}}]}" |
    "$build/bin/ktstr-replay" ops "${states[$1 % ${#states[@]}]}" --request - --save "$name" >/dev/null 2>&1
}
export -f make
export archives build
export states_text="${states[*]}"

# measure NAME ARCHIVES COMMAND...: runs it once, and prints what it took.
measure() {
  python3 - "$@" <<'PYTHON'
import os, subprocess, sys, time
name, count, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
begin = time.monotonic()
process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
wall = time.monotonic() - begin
code = os.waitstatus_to_exitcode(status)
if code not in (0, 1): sys.exit(f"{command}: exit code {code}")
cpu = usage.ru_utime + usage.ru_stime
print(f"{count:5} {name:24} {wall:8.2f} s {1000 * wall / count:8.1f} ms/archive   CPU {cpu:8.2f} s "
      f"{1000 * cpu / count:8.1f} ms/archive   peak {usage.ru_maxrss / 1024:7.0f} MiB", flush=True)
PYTHON
}

forget_indexes() { find "$1" -name '*.index' -delete; }
question="SELECT archive, rule, count(*) FROM finding GROUP BY 1, 2"
# The page cache is warm for all: what is compared is our work.
warm_page_cache() { cat "$1"/archives/*.kts >/dev/null; }

measure_with() {
  local programs=$1 size=$2 corpus=$3 label=$4
  local analyze=$programs/ktstr-analyze
  forget_indexes "$corpus"
  warm_page_cache "$corpus"
  measure "$label check, cold" "$size" "$analyze" corpus check "$corpus"
  measure "$label check, warm" "$size" "$analyze" corpus check "$corpus"
  measure "$label check --json, warm" "$size" "$analyze" corpus check "$corpus" --json
  measure "$label check --junit, warm" "$size" "$analyze" corpus check "$corpus" --junit "$work/check.xml"
  forget_indexes "$corpus"
  measure "$label check, one job" "$size" "$analyze" corpus check "$corpus" --jobs 1
  measure "$label query, merging" "$size" "$analyze" corpus query "$corpus" "$question"
  measure "$label query, merged" "$size" "$analyze" corpus query "$corpus" "$question"
  measure "$label query --each" "$size" "$analyze" corpus query "$corpus" --each "SELECT count(*) FROM task"
}

IFS=, read -ra counts <<<"$sizes"
for size in "${counts[@]}"; do
  step "making $size archives"
  # shellcheck disable=SC2016
  seq 0 $((size - 1)) |
    xargs -P "$(nproc)" -I{} bash -c 'read -ra states <<<"$states_text"; make {}'
  corpus=$work/corpus
  rm -rf "$corpus"
  (cd "$archives" && find . -name '*.kts' | sort | head -n "$size" |
    xargs -n 200 "$build/bin/ktstr-analyze" corpus add "$corpus" >/dev/null)
  step "measuring $size archives"
  [ -z "$against" ] || measure_with "$against" "$size" "$corpus" before
  measure_with "$build/bin" "$size" "$corpus" now
  forget_indexes "$corpus"
  measure "pack" "$size" "$build/bin/ktstr-analyze" corpus pack "$corpus" "$work/pack"
  printf '%5d loose %d MB, packed %d MB\n' "$size" "$(($(cat "$corpus"/archives/*.kts | wc -c) / 1000000))" \
    "$(($(stat -c %s "$work/pack") / 1000000))"
  rm -rf "$corpus"
  measure "unpack" "$size" "$build/bin/ktstr-analyze" corpus unpack "$work/pack" "$corpus"
  measure "unpacked: check, cold" "$size" "$build/bin/ktstr-analyze" corpus check "$corpus"
  rm -f "$work/pack"
done
