#!/bin/bash
# Builds this checkout in another Debian, warnings as errors, and runs its unit tests there.
#
#   bash tests/elsewhere.sh SUITE [--clang] [CTEST_OPTION...]
#
#   SUITE    bookworm, trixie, forky or sid
#   --clang  build with the newest clang of the suite, not with its g++
#
# Run it when the build, the packages or the way a library is called have changed, and before a release: other people's
# compilers and libraries are older and newer than yours. It is no part of tests/run.sh, since it takes half an hour at
# first, and later as long as it takes to compile what has changed.
#
# The other Debian is a directory of 3 GB in your cache, ktstr/roots/SUITE. It is made with debootstrap, from the mirror
# that apt takes on this machine; remove it to have newer packages. What is built stays in it, and the checkout is only
# read. Needs root.
#
# Exit code 1 when a test failed, 4 when the suite cannot be had or the build failed there.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../fixtures/setup/common.sh"
# shellcheck source=fixtures/setup/root.sh
source "$root/fixtures/setup/root.sh"

suite=
compiler=g++
newest=
while [ $# -gt 0 ]; do
  case "$1" in
    bookworm | trixie | forky | sid) suite=$1 ;;
    --clang) compiler=clang ;;
    -h | --help) show_usage ;;
    *) break ;;
  esac
  shift
done
[ -n "$suite" ] || wrong_usage "which suite: bookworm, trixie, forky or sid?"
[ "$(id -u)" = 0 ] || give_up "only root can make and enter another Debian"

cache="${XDG_CACHE_HOME:-$HOME/.cache}"
place="$cache/ktstr/roots/$suite"
# Shared with builds outside, where they have one.
ccache=$(ccache --get-config cache_dir 2>/dev/null) || ccache="$cache/ccache"
ccache_size=$(ccache --get-config max_size 2>/dev/null) || ccache_size=5G
mkdir -p "${place%/*}" "$ccache"
exec 9>"$place.lock"
flock 9

# enter DIRECTORY [NAME=VALUE]... COMMAND...: runs a command in a root, with the checkout and the cache of compilations.
enter() {
  in_root --bind-read-only "$root" ktstr --bind "$ccache" ccache "$1" \
    CCACHE_DIR=/ccache CCACHE_MAXSIZE="$ccache_size" ${http_proxy:+http_proxy="$http_proxy"} "${@:2}"
}

# make_root DIRECTORY
make_root() {
  step "making a Debian $suite in $place"
  rm -rf "$1"
  fresh_shared_root "$1" "$suite"
  # shellcheck disable=SC2016
  enter "$1" bash -euc 'source /ktstr/fixtures/setup/common.sh
    ensure_packages ccache "${build_packages[@]}" "${test_packages[@]}"
    apt-get clean' || give_up "the packages cannot be installed in $suite"
}

if [ ! -d "$place" ]; then
  # Under another name until it is whole: a run may be killed.
  make_root "$place.new"
  mv "$place.new" "$place"
fi

# Each checkout is /ktstr there; what was built of another one would look newer than this one's files.
of_checkout=/build/$(cksum <<<"$root" | cut -d ' ' -f 1)
settings=(KTSTR_BUILD="$of_checkout/g++")
if [ "$compiler" = clang ]; then
  newest=$(enter "$place" apt-cache pkgnames clang- | grep -xE 'clang-[0-9]+' | sort -V | tail -n 1)
  # shellcheck disable=SC2016
  enter "$place" bash -euc 'source /ktstr/fixtures/setup/common.sh; ensure_packages "$1"' bash "$newest" ||
    give_up "$newest cannot be installed in $suite"
  # The name of the build's directory has the version in it, since CMake cannot change a directory's compiler.
  settings=(KTSTR_BUILD="$of_checkout/$newest" CC="$newest" CXX="${newest/clang/clang++}")
fi
step "in Debian $suite, with $(enter "$place" "${newest:-g++}" --version | head -n 1)"
status=0
enter "$place" "${settings[@]}" bash /ktstr/tests/run.sh --no-guest "$@" || status=$?
exit "$status"
