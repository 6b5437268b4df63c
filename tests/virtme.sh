#!/bin/bash
# Captures a guest that virtme-ng has started, by the QMP socket that it opens and by its process, and imports what `vng
# --dump` makes of it.
#
#   bash tests/virtme.sh [SUITE] [BUILD_DIR]
#
#   SUITE   whose virtme-ng, QEMU and kernel: trixie (also when not given), forky or sid
#
# virtme-ng runs in a Debian of its own: a directory of 2 GB in your cache, ktstr/roots/virtme-SUITE, made at the first
# run; remove it to have newer packages. Its guest is one of `vng --debug`, whose QMP socket is on TCP port 3636, and whose
# memory is private: it is read out of the process of QEMU, which sees neither our files nor our processes. It is no part
# of tests/run.sh, since the port is taken for all of the machine: run it after changes to how guests of others are found.
# Needs root.
#
# Exit code 1 when something is not as it should be, 4 when there is no such Debian.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../fixtures/setup/common.sh"
# shellcheck source=fixtures/setup/root.sh
source "$root/fixtures/setup/root.sh"

suite=${1:-trixie}
programs=${2:-$build}/bin
[ "$(id -u)" = 0 ] || give_up "only root can make and enter another Debian"
place="${XDG_CACHE_HOME:-$HOME/.cache}/ktstr/roots/virtme-$suite"
directory=$(mktemp -d)
children() { cat /proc/"$1"/task/*/children; }
guest=''
end() {
  # What runs in the other Debian ends with the program that has entered it.
  # shellcheck disable=SC2046
  [ -z "$guest" ] || kill -KILL $(children "$guest") 2>/dev/null || true
  wait
  rm -rf "$directory"
}
trap end EXIT

fail() {
  echo "virtme.sh: $*" >&2
  tail -n 20 "$directory/vng" >&2
  exit 1
}

make_root() {
  step "making a Debian $suite with virtme-ng in $place"
  rm -rf "$place.new"
  mkdir -p "${place%/*}"
  fresh_root "$place.new" "$suite"
  quietly in_root "$place.new" bash -euc 'apt-get update -q
    apt-get install -q -y --no-install-recommends virtme-ng qemu-system-x86 busybox-static kmod zstd \
      iproute2 procps udev
    # The kernel for virtual machines cannot mount what virtme-ng shares. Not installed: an initrd is not needed.
    cd /root
    kernel=$(apt-cache depends linux-image-amd64 | sed -n "s/^ *Depends: \(linux-image-[0-9].*\)$/\1/p" | head -n 1)
    apt-get download -q "$kernel"
    dpkg-deb -x "$kernel"_*.deb /
    rm "$kernel"_*.deb
    depmod "${kernel#linux-image-}"
    apt-get clean' || give_up "virtme-ng cannot be installed in $suite"
  mv "$place.new" "$place"
}
[ -d "$place" ] || make_root

# newest_below PID: the QEMU among a process's descendants.
newest_below() {
  local child
  for child in $(children "$1"); do
    if [[ $(cat "/proc/$child/comm") = qemu-system* ]]; then echo "$child"; else newest_below "$child"; fi
  done
}

# expect ARCHIVE SQL VALUE: asks for one value.
expect() {
  local answer
  answer=$("$programs/ktstr-analyze" "$1" --no-index sql --csv "$2" | tr -d '\r') || fail "no answer to $2"
  [ "${answer#*$'\n'}" = "$3" ] || fail "$2 gives ${answer#*$'\n'}, not $3"
}
sleeps="SELECT count(*) FROM task WHERE comm = 'sleep'"

step "starting a guest that sleeps, which takes minutes without KVM"
in_root "$place" TERM=dumb bash -c 'cd /root && exec vng --run "$(ls /boot/vmlinuz-* | grep -v cloud | tail -n 1)" \
  --disable-kvm --cpus 2 --memory 512M --debug -- "sleep 1000 & \
    until grep -q sleep /proc/\$!/comm; do :; done; echo the guest is here; wait"' \
  >"$directory/vng" 2>&1 </dev/null &
guest=$!
grep -q -m 1 "the guest is here" < <(timeout 600 tail -n +1 -f --pid="$guest" "$directory/vng") ||
  fail "the guest does not come up"
step "capturing it by the port of its QMP socket"
archive=$directory/vng.kts
"$programs/ktstr-capture" --qmp localhost:3636 -o "$archive" || fail "no capture by port"
expect "$archive" "$sleeps" 1
expect "$archive" "SELECT count(*) FROM anomaly" 0
step "capturing it by its process"
qemu=$(newest_below "$guest")
"$programs/ktstr-capture" --pid "$qemu" -o "$archive" --force || fail "no capture by process $qemu"
expect "$archive" "$sleeps" 1
step "importing what virtme-ng dumps of it"
in_root "$place" TERM=dumb bash -c 'cd /root && rm -f dumped && exec vng --dump dumped' >"$directory/dump" 2>&1 </dev/null ||
  fail "virtme-ng does not dump: $(cat "$directory/dump")"
mv "$place/root/dumped" "$directory/dumped"
"$programs/ktstr-replay" import "$directory/dumped" -o "$directory/dumped.kts" || fail "no import of what virtme-ng dumped"
expect "$directory/dumped.kts" "$sleeps" 1
expect "$directory/dumped.kts" "SELECT count(*) FROM anomaly WHERE kind != 'no registers'" 0
echo "virtme.sh: all as it should be"
