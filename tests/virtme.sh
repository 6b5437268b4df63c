#!/bin/bash
# Captures a guest that virtme-ng has started, by the QMP socket that it opens and by its process.
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
guest='' qemu=''
end() {
  [ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true
  [ -z "$guest" ] || kill "$guest" 2>/dev/null || true
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
  # A mirror may stand still, and its lists expire.
  echo 'Acquire::Check-Valid-Until "false";' >"$place.new/etc/apt/apt.conf.d/90-virtme"
  quietly in_root "$place.new" bash -euc 'apt-get update -q
    apt-get install -q -y --no-install-recommends virtme-ng qemu-system-x86 busybox-static kmod zstd \
      iproute2 procps
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
  for child in $(cat /proc/"$1"/task/*/children); do
    if [[ $(cat "/proc/$child/comm") = qemu-system* ]]; then echo "$child"; else newest_below "$child"; fi
  done
}

# ask ARCHIVE SQL: the one value that is the answer.
ask() { "$programs/ktstr-analyze" "$1" --no-index sql --csv "$2" | sed -n 2p; }
sleeps="SELECT count(*) FROM task WHERE comm = 'sleep'"

step "starting a guest that sleeps, which takes minutes without KVM"
in_root "$place" TERM=dumb bash -c 'cd /root && exec vng --run "$(ls /boot/vmlinuz-* | grep -v cloud | tail -n 1)" \
  --disable-kvm --cpus 2 --memory 512M --debug -- "echo the guest is here; sleep 1000"' \
  >"$directory/vng" 2>&1 </dev/null &
guest=$!
timeout 600 tail -n +1 -f --pid="$guest" "$directory/vng" | grep -q -m 1 "the guest is here" ||
  fail "the guest does not come up"
step "capturing it by the port of its QMP socket"
archive=$directory/vng.kts
"$programs/ktstr-capture" --qmp localhost:3636 -o "$archive" || fail "no capture by port"
[ "$(ask "$archive" "$sleeps")" = 1 ] || fail "the archive does not show what runs in the guest"
[ "$(ask "$archive" "SELECT count(*) FROM anomaly")" = 0 ] || fail "something of the archive could not be read"
step "capturing it by its process"
qemu=$(newest_below "$guest")
"$programs/ktstr-capture" --pid "$qemu" -o "$archive" --force || fail "no capture by process $qemu"
[ "$(ask "$archive" "$sleeps")" = 1 ] || fail "the archive does not show what runs in the guest"
echo "virtme.sh: all as it should be"
