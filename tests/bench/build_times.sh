#!/bin/bash
# What a build costs: the time of each target and the dearest files.
#
#   bash tests/bench/build_times.sh BUILD_DIR                    of a build that is there
#   bash tests/bench/build_times.sh --build BUILD_DIR [TARGET...] [-- CMAKE_OPTION...]
#                                                                builds first, from nothing
#
# --build measures the user time of every compiler and linker, without ccache; it hardly depends on
# what else the machine does. Of any other build ninja's log has the wall time of each step alone.
#
# Exit code 2 for wrong usage, 4 when the build failed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

usage() {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}

# user_times LOG: "seconds file" of each line that time_compiler.sh wrote.
user_times() { awk '{ print $1, $4 }' "$1"; }

# wall_times LOG: the same of the last run of each step in ninja's log, which counts milliseconds.
wall_times() {
  awk -F '\t' '/^[0-9]/ && !/\.(stamp|rule)|CMakeFiles\/.*ninja|build\.ninja/ { last[$4] = $2 - $1 }
    END { for (file in last) print last[file] / 1000, file }' "$1"
}

# report TITLE: sums up lines of "seconds file".
report() {
  local times
  times=$(mktemp)
  sort -rn >"$times"
  awk -v title="$1" '{ sum += $1 } END { printf "%s: %.0f s in %d steps\n", title, sum, NR }' "$times"
  printf '\nseconds steps  target\n'
  awk '{
      target = $2
      # An object lies in CMakeFiles/TARGET.dir; anything else was linked.
      if (!sub(/\.dir\/.*/, "", target)) target = "(linking)"
      sub(/.*CMakeFiles\//, "", target)
      sum[target] += $1
      steps[target]++
    }
    END { for (target in sum) printf "%7.1f %5d  %s\n", sum[target], steps[target], target }' "$times" | sort -rn
  printf '\nseconds  the dearest files\n'
  awk 'NR <= 25 { sub(/CMakeFiles\/[^\/]*\.dir\//, "", $2); printf "%7.1f  %s\n", $1, $2 }' "$times"
  rm -f "$times"
}

build=no
if [ "${1:-}" = --build ]; then
  build=yes
  shift
fi
[ $# -ge 1 ] || usage
directory=$1
shift
log=$directory/user_times.log

if [ "$build" = yes ]; then
  targets=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    targets+=("$1")
    shift
  done
  shift || true
  [ ! -e "$directory" ] || { echo "build_times.sh: '$directory' exists already" >&2; exit 2; }
  mkdir -p "$directory"
  log=$(cd "$directory" && pwd)/user_times.log
  launcher="$here/time_compiler.sh;$log"
  cmake -S "$here/../.." -B "$directory" -G Ninja -DCMAKE_BUILD_TYPE=Release -DKTSTR_CCACHE=OFF \
    -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher" -DCMAKE_CXX_LINKER_LAUNCHER="$launcher" "$@" >/dev/null || exit 4
  cmake --build "$directory" ${targets[0]+--target "${targets[@]}"} >"$directory/build_output" || {
    tail -n 40 "$directory/build_output" >&2
    exit 4
  }
fi
[ $# -eq 0 ] || [ "$build" = yes ] || usage

if [ -e "$log" ]; then
  user_times "$log" | report "user time"
elif [ -e "$directory/.ninja_log" ]; then
  wall_times "$directory/.ninja_log" | report "wall time of the steps, added up"
else
  echo "build_times.sh: '$directory' has no log of a build by ninja" >&2
  exit 2
fi
