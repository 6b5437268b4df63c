#!/bin/bash
# Runs the kernel's own selftests of sched_ext, from Debian's source of that kernel, and freezes each at its first
# scheduler's end: what ktstr-run and ktstr-analyze say of it must be what the test provokes.
#
#   bash tests/selftests.sh [--kernel VERSION] [TEST...]
#
#   --kernel  as fixtures/guest/kernel.sh has them, with two numbers of which Debian has a package linux-source-VERSION:
#             7.3 (default)
#   TEST      as their runner lists them; all of them when none is named
#
# Run it when what reads sched_ext or judges schedulers has changed, and when a new kernel is out. It takes a quarter of a
# minute a test on two idle cores, and some minutes for the build at first, in the Debian sid of tests/elsewhere.sh. All
# build there with gcc 16 and clang 23, one of them (dequeue_remote) with a warning. Needs root.
#
# Exit code 1 when a check failed, 4 when the machine cannot build or run them.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../fixtures/setup/common.sh"

version=7.3
while [ $# -gt 0 ]; do
  case "$1" in
    --kernel)
      version=${2:?}
      shift
      ;;
    -h | --help) show_usage ;;
    *) break ;;
  esac
  shift
done
[ "$(id -u)" = 0 ] || give_up "only root can make and enter another Debian"

# shellcheck source=fixtures/setup/kernel_source.sh
source "$root/fixtures/setup/kernel_source.sh"
image=$(bash "$root/fixtures/guest/kernel.sh" "$version") || exit 4
made=${XDG_CACHE_HOME:-$HOME/.cache}/ktstr/selftests/${image##*/vmlinuz-}
# shellcheck disable=SC2016
[ -d "$made" ] || build_of_kernel "$version" "$made" '
  cd /src/tools/testing/selftests/sched_ext
  quietly make -j "$(nproc)" BPFTOOL=/usr/sbin/bpftool CLANG="$clang" VMLINUX_BTF=/src/btf OUTPUT=/src/out KHDR_INCLUDES= \
    CC="gcc -Wno-error=unused-but-set-variable"
  mv /src/out/runner /src/made/'
ensure_packages "${build_packages[@]}" "${test_packages[@]}" "${guest_packages[@]}"
step "building ktstr"
configure_and_build ktstr-run ktstr-analyze
# shellcheck source=tests/scenario_checks.sh
source "$root/tests/scenario_checks.sh"

# ends TEST: how its first scheduler ends (scx_exit_kind), and what the verdict then says; "none" for those whose scheduler
# is refused, as they want it to be, that have none, or that skip themselves here (nohz_tick wants a CPU without ticks). Most
# are unregistered by the test when it has seen enough.
ends() {
  case "$1" in
    ddsp_bogus_dsq_fail | select_cpu_dispatch_bad_dsq) echo "error|ends: runtime error: non-existent DSQ 0xcafef00d" ;;
    ddsp_vtimelocal_fail) echo "error|ends: runtime error: cannot use vtime ordering for built-in DSQs" ;;
    select_cpu_dispatch_dbl_dsp) echo "error|already direct-dispatched" ;;
    enq_last_no_enq_fails) echo "error|ends: runtime error: SCX_OPS_ENQ_LAST requires ops.enqueue() to be implemented" ;;
    exit) echo "unreg_bpf|the scheduler exit ends: unregistered from BPF" ;;
    prog_run) echo "unreg_bpf|ends: unregistered from BPF: Exited from PROG_RUN" ;;
    hotplug) echo "unreg_bpf|the scheduler hotplug_cbs ends: unregistered from BPF: hotplug event detected (1 going online)" ;;
    maybe_null | non_scx_kfunc_deny | nohz_tick | example) echo "none|scheduler-load: the program scheduler-loader ended, and no scheduler is enabled" ;;
    *) echo "unreg|ends: unregistered from user space" ;;
  esac
}

tests=("$@")
if [ ${#tests[@]} = 0 ]; then
  lock_sid_root
  mapfile -t tests < <(in_root --bind-read-only "$made" src "$sid_root" /src/runner -l)
  unlock_sid_root
fi
for test in "${tests[@]}"; do
  step "$test"
  cat >"$results/$test.toml" <<END
[machine]
kernel = "debian-$version"
cpus = 4
memory = "1G"
[scheduler]
loader = ["$made/runner", "-t", "$test"]
root = "$sid_root"
[[phase]]
name = "test"
duration = "60s"
END
  IFS='|' read -r kind verdict < <(ends "$test")
  run "$test" 1
  says "$test" "$verdict"
  [ "$kind" = none ] ||
    wants "$test" "$results/$test.kts" "SELECT exit_kind FROM scx WHERE exit_kind <> 'none' LIMIT 1" "$kind"
  [ "$kind" != error ] ||
    wants "$test" "$results/$test.kts" "SELECT count(*) FROM scx WHERE exit_message <> '' AND exit_backtrace <> ''" 1
  wants "$test" "$results/$test.kts" 'SELECT count(*) FROM anomaly' 0
done
finish "${tests[*]}"
