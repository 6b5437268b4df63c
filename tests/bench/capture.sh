#!/bin/bash
# Measures captures of one guest against QEMU's dump of it, both to memory, in turn, and prints medians and ratios.
#
#   bash tests/bench/capture.sh [--kernel NAME] [--memory MIB] [--rounds N] [--against DIR] [--untouched | --filled MIB]
#
#   --kernel NAME   one of Debian's kernels, as fixtures/guest/kernel.sh knows them (default: newest-7)
#   --memory MIB    the guest's memory (default: 256)
#   --rounds N      how often each is done (default: 7)
#   --against DIR   programs of another build, measured in turn with this one's
#   --filled MIB    only once a program has filled so much memory, with pointers, numbers and noise, and has 10,000
#                   threads, for which a guest needs 2 GiB
#   --untouched     only as it is after its boot, and without QEMU's dump, after which no page is untouched
#
# The guest is measured as it is after its boot, with holes in its RAM file, and once every page has been touched, as
# those of any guest that has run for long; each time at rest, and with a busy process on each CPU.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../../fixtures/setup/common.sh"

kernel_name=newest-7 memory=256 rounds=7 against="" untouched=no filled=0
while [ $# -gt 0 ]; do
  case "$1" in
    --kernel) kernel_name=$2 ;;
    --memory) memory=$2 ;;
    --rounds) rounds=$2 ;;
    --against) against=$2 ;;
    --filled) filled=$2 ;;
    --untouched)
      untouched=yes
      shift
      continue
      ;;
    -h | --help) show_usage ;;
    *) wrong_usage "unknown option '$1'" ;;
  esac
  shift 2
done

ensure_packages "${build_packages[@]}" "${guest_packages[@]}" busybox-static socat python3 gcc
step "building"
configure_and_build ktstr-capture -- >/dev/null
kernel=$(bash "$root/fixtures/guest/kernel.sh" "$kernel_name") || exit 4

work=$(mktemp -d /dev/shm/ktstr-bench-XXXXXX)
guest=""
# shellcheck disable=SC2329
finish() {
  [ -z "$guest" ] || kill "$guest" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

mkdir -p "$work/root/bin" "$work/root/proc" "$work/root/tmp"
cp "$(command -v busybox)" "$work/root/bin/busybox"
if [ "$filled" != 0 ]; then
  gcc -O2 -static -pthread -x c - -o "$work/root/bin/fill" <<'FILL'
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *wait(void *unused) {
  pause();
  return unused;
}

int main(int argc, char **argv) {
  uint64_t random = 88172645463325252u;
  for (int mib = 0; argc == 2 && mib < atoi(argv[1]); ++mib) {
    uint64_t *words = malloc(1 << 20);
    for (int i = 0; i < (1 << 20) / 8; ++i) {
      random ^= random << 13;
      random ^= random >> 7;
      random ^= random << 17;
      switch (random % 8) {
        case 0: case 1: case 2: words[i] = 0xffff888000000000u | random >> 36; break;
        case 3: words[i] = random >> 58; break;
        case 4: words[i] = random; break;
        default: words[i] = 0;
      }
    }
  }
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 1 << 16);
  for (int i = 0; i < 10000; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, wait, 0) != 0) return 1;
  }
  puts("guest-is-filled");
  fflush(stdout);
  pause();
}
FILL
fi
cat >"$work/root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
for i in 0 1 2 3 4 5 6 7; do /bin/busybox sleep 100000 & done
echo guest-is-up
while read -r order; do
  case "$order" in
    touch) /bin/busybox mount -t tmpfs -o size=95% tmpfs /tmp
           /bin/busybox dd if=/dev/zero of=/tmp/f bs=1M 2>/dev/null; /bin/busybox rm /tmp/f; echo guest-has-touched ;;
    fill*) /bin/fill "${order#fill }" ;;
    busy) for i in 0 1; do (while :; do :; done) & done; echo guest-is-busy ;;
  esac
done
INIT
chmod +x "$work/root/init"
(cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/initrd"
qemu-system-x86_64 -m "$memory" -smp 2 -cpu max -accel tcg -kernel "$kernel" -initrd "$work/initrd" \
  -append "console=ttyS0 quiet panic=-1" -display none -no-reboot \
  -object "memory-backend-memfd,id=ram,size=${memory}M,share=on" -machine memory-backend=ram \
  -chardev "socket,id=console,path=$work/console,server=on,wait=on" -serial chardev:console \
  -qmp "unix:$work/qmp,server=on,wait=off" &
guest=$!
while [ ! -S "$work/console" ]; do sleep 0.1; done
coproc CONSOLE { socat - "UNIX-CONNECT:$work/console"; }
expect() {
  while read -r -t 300 -u "${CONSOLE[0]}" line; do case "$line" in *"$1"*) return ;; esac; done
  echo "the guest does not say $1" >&2
  exit 4
}
expect guest-is-up

# Sends one command and waits for its answer.
qmp() {
  python3 - "$work/qmp" "$1" <<'PYTHON'
import json, socket, sys
monitor = socket.socket(socket.AF_UNIX)
monitor.connect(sys.argv[1])
lines = monitor.makefile("rw")
lines.readline()
for command in '{"execute":"qmp_capabilities"}', sys.argv[2]:
    print(command, file=lines, flush=True)
    while True:
        answer = json.loads(lines.readline())
        if "error" in answer: sys.exit(answer["error"]["desc"])
        if "return" in answer: break
PYTHON
}
now() { date +%s%N; }
qemu_dump() {
  local begin
  begin=$(now)
  qmp "{\"execute\":\"dump-guest-memory\",\"arguments\":{\"paging\":false,\"format\":\"kdump-zlib\",\"protocol\":\"file:$work/dump\"}}"
  echo "$((($(now) - begin) / 1000)) $(stat -c %s "$work/dump") 0"
  rm "$work/dump"
}
# Microseconds, bytes, microseconds that the guest stood still.
capture() {
  local programs=$1 begin took said
  shift
  rm -f "$work/x.kts"
  begin=$(now)
  said=$("$programs/ktstr-capture" --qmp "$work/qmp" -o "$work/x.kts" "$@" 2>&1)
  took=$((($(now) - begin) / 1000))
  echo "$took $(stat -c %s "$work/x.kts") $(sed -n 's/.*frozen for \([0-9.]*\) ms.*/\1/p' <<<"$said" | awk '{printf "%d", $1 * 1000}')"
}
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

measure() {
  local what=$1 round kind name
  local -A lines=()
  local kinds=(all kernel)
  [ "$untouched" = yes ] || kinds=(dump "${kinds[@]}")
  [ -z "$against" ] || kinds+=(old-all old-kernel)
  for ((round = 0; round < rounds; ++round)); do
    for kind in "${kinds[@]}"; do
      case $kind in
        dump) lines[$kind]+="$(qemu_dump)"$'\n' ;;
        old-*) lines[$kind]+="$(capture "$against" --keep "${kind#old-}")"$'\n' ;;
        *) lines[$kind]+="$(capture "$build/bin" --keep "$kind")"$'\n' ;;
      esac
    done
  done
  local dump=0
  [ "$untouched" = yes ] || dump=$(cut -d' ' -f1 <<<"${lines[dump]}" | grep . | median)
  for kind in "${kinds[@]}"; do
    name=$kind
    printf '%-32s %-12s %8.1f ms %8.1f MiB  frozen %8.1f ms  dump/this %6.2f\n' "$what" "$name" \
      "$(cut -d' ' -f1 <<<"${lines[$kind]}" | grep . | median | awk '{print $1 / 1000}')" \
      "$(cut -d' ' -f2 <<<"${lines[$kind]}" | grep . | median | awk '{print $1 / 1048576}')" \
      "$(cut -d' ' -f3 <<<"${lines[$kind]}" | grep . | median | awk '{print $1 / 1000}')" \
      "$(cut -d' ' -f1 <<<"${lines[$kind]}" | grep . | median | awk -v d="$dump" '{print d / $1}')"
  done
}

step "measuring"
if [ "$filled" != 0 ]; then
  echo "fill $filled" >&"${CONSOLE[1]}"
  expect guest-is-filled
  measure "filled, going on"
  qmp '{"execute":"stop"}'
  measure "filled, paused"
  exit 0
fi
qmp '{"execute":"stop"}'
measure "just booted, paused"
[ "$untouched" = no ] || exit 0
qmp '{"execute":"cont"}'
echo touch >&"${CONSOLE[1]}"
expect guest-has-touched
qmp '{"execute":"stop"}'
measure "every page touched, paused"
qmp '{"execute":"cont"}'
echo busy >&"${CONSOLE[1]}"
expect guest-is-busy
measure "the same, busy"
