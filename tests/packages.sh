#!/bin/bash
# Builds the Debian packages and the tarball, and tries them in fresh systems that have nothing else.
#
#   bash tests/packages.sh [--suite SUITE] [--no-example] [--keep]
#
#   --suite SUITE  the Debian release whose systems the tarball is tried in; the packages are for the
#                  release of this machine, and tried in that (both: the one of this machine)
#   --no-example   do not build fixtures/example against the packages, for which a compiler is
#                  installed in a system
#   --keep         leave the systems below build-packages/roots, to look at
#
# The packages are in build-packages/packages afterwards. It needs root and the network, and takes some
# ten minutes, most of it for the first build. Run it before a release, and after changes to what is
# installed, to how programs find their files, or to packages/.
#
# Exit code 1 when something does not work as installed, 4 when the machine cannot try it.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../fixtures/setup/common.sh"
# shellcheck source=fixtures/setup/root.sh
source "$root/fixtures/setup/root.sh"

# shellcheck disable=SC1091
own_suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
suite=$own_suite
example=yes
keep=no
while [ $# -gt 0 ]; do
  case "$1" in
    --suite)
      suite=${2:?--suite needs the name of a Debian release}
      shift
      ;;
    --no-example) example=no ;;
    --keep) keep=yes ;;
    -h | --help) show_usage ;;
    *) wrong_usage "unknown option '$1'" ;;
  esac
  shift
done

fail() {
  echo "packages.sh: $*" >&2
  exit 1
}

# expect TEXT COMMAND...: what the command prints has this in it.
expect() {
  local text=$1 printed
  shift
  printed=$("$@" 2>&1) || fail "'$*' ended with $?: $printed"
  case "$printed" in
    *"$text"*) ;;
    *) fail "'$*' does not say '$text' but: $printed" ;;
  esac
}

# try_programs ROOT BIN: each program runs, finds what belongs to it, and reads an archive.
try_programs() {
  local directory=$1 bin=$2 program
  for program in ktstr-analyze ktstr-capture ktstr-replay ktstr-run; do
    expect "$program $version" in_root "$directory" "$bin/$program" --version
    expect "_$program" in_root "$directory" cat "$bin/../share/zsh/$functions/_$program"
  done
  cp "$root/fixtures/states/stall.kts" "$directory/root/"
  expect "ktstr_vtime has dispatched nothing" in_root "$directory" "$bin/ktstr-analyze" /root/stall.kts findings
  expect '"success":true' in_root "$directory" bash -c "cd /root && echo '{\"direction\":\"read\",\"entries\":[
    {\"target\":{\"symbol\":\"jiffies\"},\"value\":{\"u64\":0}}]}' | '$bin/ktstr-replay' ops stall.kts --request -"
  # The message names a script that is there.
  printf '[machine]\nkernel = "debian-newest"\n' >"$directory/root/no_kernel.toml"
  expect "$(realpath -m "$bin/../share/ktstr/fixtures/guest/kernel.sh") newest gets it" in_root "$directory" bash -c \
    "'$bin/ktstr-run' /root/no_kernel.toml || true"
  expect "usage: kernel.sh" in_root "$directory" bash -c "bash '$bin/../share/ktstr/fixtures/guest/kernel.sh' || true"
  # The message names the schedulers that are found.
  printf '[machine]\nkernel = "/bin/true"\n[scheduler]\nobject = "vtimes"\n' >"$directory/root/typo.toml"
  expect "did you mean 'vtime'" in_root "$directory" bash -c "'$bin/ktstr-run' /root/typo.toml || true"
}

ensure_packages "${build_packages[@]}" libgtest-dev clang debootstrap dpkg-dev file
build="$root/build-packages"
roots="$build/roots"
step "building"
configure_and_build -- -DKTSTR_TESTS=OFF -DKTSTR_SCHEDULERS=ON -DKTSTR_BENCHMARKS=OFF
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")

step "packing"
rm -rf "$build/packages" "$roots"
for generator in DEB TGZ; do
  (cd "$build" && quietly cpack -G "$generator") || fail "cpack -G $generator failed"
done
# Programs that name a place of this machine would work on this machine only.
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
tar -xzf "$build"/packages/ktstr-*.tar.gz -C "$unpacked" --strip-components=1
! grep -rlF "$root" "$unpacked/bin" "$unpacked/share" "$unpacked/lib/cmake" ||
  fail "these name the directory that they were built in"

for library in libarchive.so.13 libedit.so.2 liblzo2.so.2 libsnappy.so.1; do
  [ -e "$unpacked/lib/ktstr/$library" ] || fail "the tarball has no $library, which is loaded when it is needed"
done

step "making a fresh system: $own_suite"
mkdir -p "$roots"
fresh_root "$roots/deb" "$own_suite"
if [ "$suite" = "$own_suite" ]; then
  cp -a "$roots/deb" "$roots/tarball"
else
  step "making a fresh system: $suite"
  fresh_root "$roots/tarball" "$suite"
fi

step "the package ktstr: installing it"
cp "$build"/packages/*.deb "$roots/deb/root/"
in_root "$roots/deb" bash -c 'apt-get update -q && apt-get install -q -y --no-install-recommends man-db'  \
  >"$build/apt.log" 2>&1 || give_up "apt-get failed in the fresh system: see $build/apt.log"
in_root "$roots/deb" bash -c "apt-get install -q -y --no-install-recommends /root/ktstr_${version}_*.deb" \
  >>"$build/apt.log" 2>&1 || fail "the package cannot be installed: see $build/apt.log"
step "the package ktstr: trying it"
functions=vendor-completions
try_programs "$roots/deb" /usr/bin
expect "/usr/share/man/man1/ktstr-analyze.1" in_root "$roots/deb" man -w ktstr-analyze
# shellcheck disable=SC2016
expect "qemu-system-x86" in_root "$roots/deb" dpkg-query -W -f '${Recommends}' ktstr
for package in libarchive13 libedit2 liblzo2-2 libsnappy1v5; do
  # shellcheck disable=SC2016
  expect "$package" in_root "$roots/deb" dpkg-query -W -f '${Depends}' ktstr
done
if [ "$example" = yes ]; then
  step "the package libktstr-dev: building fixtures/example with it"
  in_root "$roots/deb" bash -c "apt-get install -q -y --no-install-recommends \
    g++ cmake ninja-build /root/libktstr-dev_${version}_*.deb" >>"$build/apt.log" 2>&1 ||
    fail "libktstr-dev cannot be installed: see $build/apt.log"
  cp -r "$root/fixtures/example" "$roots/deb/root/example"
  in_root "$roots/deb" bash -c 'cmake -S /root/example -B /root/example/build -G Ninja &&
    cmake --build /root/example/build' >"$build/example.log" 2>&1 ||
    fail "the example cannot be built: see $build/example.log"
  expect "EverySpinnerGetsItsShare" in_root "$roots/deb" /root/example/build/fairness_test --gtest_list_tests
fi

step "the tarball: trying it in $suite, which has none of its libraries"
mkdir -p "$roots/tarball/opt/some where"
cp -a "$unpacked" "$roots/tarball/opt/some where/ktstr"
functions=site-functions
try_programs "$roots/tarball" "/opt/some where/ktstr/bin"

[ "$keep" = yes ] || rm -rf "$roots"
step "all of it works; the packages are:"
(cd "$build/packages" && ls -sh -- *.deb *.tar.gz)
