#!/bin/bash
# Has another Debian's crash and drgn open what ktstr-replay exports, and compares what they say with what ktstr-analyze
# says of the archive.
#
#   bash tests/other_tools.sh [SUITE]
#
#   SUITE  trixie, forky or sid (trixie)
#
# A guest with the suite's own kernel is frozen twice, whole and without user pages (--keep kernel). Each is exported as
# an ELF core, kdump-compressed with zlib and zstd, and flattened through a pipe. Of each dump crash and drgn list all
# tasks and the stack of the guest's init. Run it when exports have changed. The suite's system, with its tools and the
# kernel's debug information, takes 2 GB of your cache, in ktstr/roots/tools-SUITE; remove it to have newer ones. Needs
# root, a build, and some minutes at first.
#
# Exit code 1 when a tool says something else, 4 when the suite cannot be had.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../fixtures/setup/common.sh"
# shellcheck source=fixtures/setup/root.sh
source "$root/fixtures/setup/root.sh"

suite=${1:-trixie}
case "$suite" in
  trixie | forky | sid) ;;
  -h | --help) show_usage ;;
  *) wrong_usage "which suite: trixie, forky or sid?" ;;
esac
[ "$(id -u)" = 0 ] || give_up "only root can make and enter another Debian"
place="${XDG_CACHE_HOME:-$HOME/.cache}/ktstr/roots/tools-$suite"

# make_root DIRECTORY: with crash and drgn, and beside them the suite's kernel and its debug information, unpacked.
make_root() {
  step "making a Debian $suite in $place"
  rm -rf "$1"
  fresh_root "$1" "$suite"
  # shellcheck disable=SC2016
  in_root "$1" bash -euc '
    apt-get update -q && apt-get install -y -q --no-install-recommends crash python3-drgn
    kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n "s/.*Depends: \(linux-image-[0-9].*\)/\1/p" | head -n 1)
    cd /tmp && apt-get download "$kernel" "$kernel-dbg"
    for package in *.deb; do dpkg-deb -x "$package" /; done
    rm -f *.deb && apt-get clean' >"$1.log" 2>&1 || give_up "the tools cannot be installed in $suite; see $1.log"
  rm -f "$1.log"
}
if [ ! -d "$place" ]; then
  mkdir -p "${place%/*}"
  make_root "$place.new"
  mkdir "$place.new/dumps"
  mv "$place.new" "$place"
fi
kernel=$(basename "$place"/boot/vmlinuz-*)
vmlinux=/usr/lib/debug/boot/vmlinux-${kernel#vmlinuz-}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/ask.py" <<'PYTHON'
import sys
import drgn
from drgn.helpers.linux import for_each_task
prog = drgn.Program()
prog.set_core_dump(sys.argv[1])
prog.load_debug_info([sys.argv[2]])
for task in for_each_task(prog):
    print(task.pid.value_(), task.comm.string_().decode())
for frame in prog.stack_trace(1):
    print("frame", frame.name)
PYTHON
printf 'ps\nbt 1\nquit\n' >"$work/ask.crash"

# in_tools COMMAND...
in_tools() { in_root --bind-read-only "$work" dumps "$place" "$@"; }
by_drgn() { in_tools python3 /dumps/ask.py "/dumps/$1" "$vmlinux" 2>"$work/errors"; }
by_crash() { in_tools crash -s -i /dumps/ask.crash "$vmlinux" "/dumps/$1" 2>"$work/errors"; }

# Of "ps": PID PPID CPU TASK ST %MEM VSZ RSS COMM, the current tasks with ">" before, threads of the kernel in brackets.
tasks_of_crash() {
  sed 's/^>/ /' | awk '$1 ~ /^[0-9]+$/ && $1 != 0 && $4 ~ /^[0-9a-f]+$/ && length($4) == 16 {
    pid = $1
    for (i = 0; i < 8; ++i) sub(/^ *[^ ]+/, "")
    sub(/^ +/, "")
    if (/^\[.*\]$/) $0 = substr($0, 2, length($0) - 2)
    print pid, $0
  }' | sort -n
}

failed=0
# same WHAT EXPECTED FOUND
same() {
  if [ "$2" = "$3" ]; then return; fi
  failed=1
  echo "$1 says something else:"
  diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") | head -n 10 || true
  head -n 5 "$work/errors"
}

versions=$(in_tools dpkg-query -W -f '${Package} ${Version}, ' crash python3-drgn)
step "with ${versions%, }, on $kernel"
for keep in all kernel; do
  archive=$work/$keep.kts
  quietly "$build/bin/ktstr-capture" boot --kernel "$place/boot/$kernel" --cpus 2 --keep "$keep" --work spin:2,sleep:3 \
    -o "$archive" || give_up "no guest can be frozen"
  tasks=$("$build/bin/ktstr-analyze" "$archive" sql --csv --no-index \
    "SELECT pid || ' ' || comm FROM task WHERE pid != 0 ORDER BY pid" | tail -n +2 | tr -d '\r"' | sort -n)
  export_to() { "$build/bin/ktstr-replay" export "$archive" "$@" >/dev/null; }
  export_to "$work/$keep.elf"
  export_to "$work/$keep.zlib" --format kdump
  export_to "$work/$keep.zstd" --format kdump --compression zstd
  "$build/bin/ktstr-replay" export "$archive" - --format kdump >"$work/$keep.flat" 2>/dev/null
  for dump in "$keep.elf" "$keep.zlib" "$keep.zstd" "$keep.flat"; do
    found=$(by_drgn "$dump") || true
    same "drgn of $dump" "$tasks" "$(grep -v '^frame ' <<<"$found" | sort -n)"
    grep -qE '^frame (do_sys_poll|__x64_sys_poll)' <<<"$found" || same "drgn's stack of $dump" do_sys_poll "$found"
    found=$(by_crash "$dump") || true
    same "crash of $dump" "$tasks" "$(tasks_of_crash <<<"$found")"
    grep -q 'do_sys_poll at ' <<<"$found" || same "crash's stack of $dump" do_sys_poll "$found"
    step "$dump"
  done
done
exit "$failed"
