#!/bin/bash
# Captures a guest that libvirt has started, through libvirt, with files handed to QEMU by it; and imports what `virsh
# save` makes of it.
#
#   bash tests/libvirt.sh [BUILD_DIR]
#
# Needs a libvirtd that virsh reaches (LIBVIRT_DEFAULT_URI; by itself qemu:///system), whose QEMUs may read this user's
# cache. It is no part of tests/run.sh, which starts no daemons: run it after changes to how a monitor is reached.
#
# Exit code 1 when something is not as it should be, 4 when there is no libvirt.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../fixtures/setup/common.sh"

programs=${1:-$build}/bin
export LIBVIRT_DEFAULT_URI=${LIBVIRT_DEFAULT_URI:-qemu:///system}
ensure_packages strace
virsh list >/dev/null || give_up "no libvirt at $LIBVIRT_DEFAULT_URI"
kernel=$(bash "$root/fixtures/guest/kernel.sh" 6.12) || exit 4
directory=$(mktemp -d)
domain=ktstr-test-$$
end() {
  virsh destroy "$domain" >/dev/null 2>&1 || true
  rm -rf "$directory"
}
trap end EXIT

fail() {
  echo "libvirt.sh: $*" >&2
  exit 1
}

cat >"$directory/domain.xml" <<XML
<domain type='qemu'>
  <name>$domain</name>
  <memory unit='MiB'>256</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$kernel</kernel>
    <cmdline>console=ttyS0 panic=0</cmdline>
  </os>
  <cpu mode='maximum'/>
</domain>
XML
step "starting a guest"
virsh create "$directory/domain.xml" >/dev/null
archive=$directory/libvirt.kts
step "capturing it until its kernel has panicked for want of a root file system"
for _ in $(seq 60); do
  "$programs/ktstr-capture" --qmp "libvirt:$domain" -o "$archive" --force || fail "no capture"
  text=$("$programs/ktstr-analyze" "$archive" --no-index log --json) || text=
  [[ $text != *"end Kernel panic"* ]] || break
done
[[ $text == *"end Kernel panic"* ]] || fail "the guest's log has no panic"
[ "$(virsh domstate "$domain" | head -n 1)" = running ] || fail "the guest did not go on"
step "killing a capture while the guest stands still"
capture=("$programs/ktstr-capture" --qmp "libvirt:$domain" -o "$archive" --force)
strace -qq -s 300 -e trace=sendmsg -o "$directory/trace" "${capture[@]}" >/dev/null || fail "no capture behind strace"
stop=$(grep '^sendmsg(' "$directory/trace" | grep -nF 'execute\":\"stop' | cut -d : -f 1)
[ -n "$stop" ] || fail "strace saw no stop"
if strace -qq -o "$directory/trace" -e "inject=sendmsg:signal=KILL:when=$((stop + 2))" "${capture[@]}" 2>/dev/null; then
  fail "the capture was not killed"
fi
for _ in $(seq 100); do
  state=$(virsh domstate "$domain" | head -n 1)
  [ "$state" != running ] || break
done
[ "$state" = running ] || fail "the guest did not go on after its capture was killed: $state"
"${capture[@]}" || fail "no capture after one that was killed"
if "$programs/ktstr-capture" --qmp libvirt:no-such-guest -o "$archive" --force 2>"$directory/said"; then
  fail "a guest that is not there was captured"
fi
grep -q no-such-guest "$directory/said" || fail "the error does not name the guest: $(cat "$directory/said")"
step "saving it, and comparing what is imported with a capture of the same moment"
virsh suspend "$domain" >/dev/null
"${capture[@]}" || fail "no capture of a guest that stands still"
virsh save "$domain" "$directory/saved" >/dev/null || fail "libvirt does not save the guest"
"$programs/ktstr-replay" import "$directory/saved" -o "$directory/imported.kts" || fail "no import of what libvirt saved"
"$programs/ktstr-analyze" --no-index "$archive" diff "$directory/imported.kts" >"$directory/differences" ||
  fail "what libvirt saved differs from our capture: $(head -n 30 "$directory/differences")"
registers="SELECT group_concat(cpu || ' ' || rip || ' ' || rsp || ' ' || cr3 || ' ' || lstar || ' ' || mode) FROM vcpu"
for file in "$archive" "$directory/imported.kts"; do
  "$programs/ktstr-analyze" "$file" --no-index sql --csv "$registers" >"$file.vcpus" || fail "no registers in $file"
done
cmp "$archive.vcpus" "$directory/imported.kts.vcpus" || fail "what libvirt saved has other registers than our capture"
echo "libvirt.sh: all as it should be"
