#!/bin/bash
# The Python module in Debian 13, which has drgn and pandas: its unit tests there, and drgn's own helpers over a frozen
# machine, held against ktstr's tables.
#
#   bash tests/drgn.sh [ARCHIVE VMLINUX]
#
#   ARCHIVE VMLINUX  a frozen machine, and its kernel with debug information (a guest of ours with the small kernel of
#                    fixtures/kernel, which is booted and frozen for it)
#
# Takes what is built in build/. The other Debian is a directory of 0.6 GB in your cache, ktstr/roots/drgn-trixie, made
# with debootstrap at the first time; remove it to have newer packages. Needs root. No part of tests/run.sh.
#
# Exit code 1 when a test failed, 4 when the suite cannot be had.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../fixtures/setup/common.sh"
# shellcheck source=fixtures/setup/root.sh
source "$root/fixtures/setup/root.sh"

case "${1:-}" in
  -h | --help) show_usage ;;
esac
[ "$(id -u)" = 0 ] || give_up "only root can make and enter another Debian"
[ -x "$build/bin/ktstr-analyze" ] && [ -e "$build/lib/libktstr.so.1" ] || give_up "nothing is built in $build"

place="${XDG_CACHE_HOME:-$HOME/.cache}/ktstr/roots/drgn-trixie"
mkdir -p "${place%/*}"
exec 9>"$place.lock"
flock 9
if [ ! -d "$place" ]; then
  step "making a Debian trixie in $place"
  rm -rf "$place.new"
  fresh_shared_root "$place.new" trixie
  in_root "$place.new" ${http_proxy:+http_proxy="$http_proxy"} bash -euc '
    apt-get update -q; apt-get install -y -q --no-install-recommends python3-drgn python3-pandas python3-pip
    apt-get clean' >"$place.log" 2>&1 || give_up "the packages cannot be installed: $place.log"
  mv "$place.new" "$place"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ $# = 2 ]; then
  cp "$1" "$work/machine.kts"
  vmlinux=$2
else
  image=$(bash "$root/fixtures/kernel/build.sh" small)
  vmlinux=${image%/*}/vmlinux
  step "freezing a guest"
  "$build/bin/ktstr-capture" boot --kernel "$image" --cpus 2 --work spin:1,sleep:3 -o "$work/machine.kts"
fi
ln "$vmlinux" "$work/vmlinux" 2>/dev/null || cp "$vmlinux" "$work/vmlinux"
# The libraries that these programs were linked with, but for those that every Debian has in a newer version.
mkdir "$work/lib"
ldd "$build/bin/ktstr-analyze" "$build/lib/libktstr.so.1" |
  awk '$2 == "=>" && $1 !~ /^(libc|libm|libstdc\+\+|libgcc_s|ld-linux.*)\.so/ { print $3 }' | sort -u |
  xargs cp -Lt "$work/lib"

in_debian() {
  in_root --bind-read-only "$root" ktstr --bind-read-only "$build" build --bind "$work" src "$place" \
    LD_LIBRARY_PATH=/src/lib PYTHONPATH=/ktstr/analyze/python PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME=/src/cache \
    KTSTR_ANALYZE=/build/bin/ktstr-analyze KTSTR_LIBRARY=/build/lib/libktstr.so.1 \
    KTSTR_STATE_DIR=/ktstr/fixtures/states KTSTR_SOURCE_DIR=/ktstr "$@"
}
status=0
step "in Debian trixie, $(in_debian python3 -c 'import drgn, pandas, sys
print("Python", sys.version.split()[0], "drgn", drgn.__version__, "pandas", pandas.__version__)')"
in_debian python3 /ktstr/tests/analyze/python/ktstr_test.py || status=1
step "drgn's helpers"
in_debian python3 /ktstr/tests/analyze/python/drgn_check.py /src/machine.kts /src/vmlinux || status=1
exit "$status"
