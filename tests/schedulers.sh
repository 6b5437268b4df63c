#!/bin/bash
# Runs schedulers that nobody here wrote on the newest kernel: those of tools/sched_ext in Debian's source of that kernel.
# Each is frozen at work, when its loader has been stopped, when it stalls and when it errs, as far as it can be made to;
# what ktstr-run and ktstr-analyze say of it is checked: the dump of the scheduler line for line against the kernel's own
# (SysRq-D, frozen when it begins), stacks of what sleeps against /proc/PID/stack.
#
#   bash tests/schedulers.sh [--kernel VERSION] [--build-only] [SCHEDULER...]
#
#   --kernel     as fixtures/guest/kernel.sh has them, with two numbers of which Debian has a package linux-source-VERSION:
#                7.3 (default)
#   --build-only builds them and prints where they are
#   SCHEDULER    simple, central, cpu0, flatcg, pair, qmap, sdt, userland; all of them when none is named
#
# Run it when what reads sched_ext, loads schedulers or judges them has changed, and when a new kernel is out. It takes a
# minute a scheduler on two idle cores, and ten for the first time. They are built in the Debian sid of tests/elsewhere.sh
# (ktstr/roots/sid in your cache; made when it is not there), with its newest clang: qmap needs clang 23. None is left
# out. What is built stays in ktstr/schedulers; remove that to have it built anew. Needs root.
#
# Exit code 1 when a check failed, 4 when the machine cannot build or run them.
set -euo pipefail
# shellcheck source=fixtures/setup/common.sh
source "$(dirname "$0")/../fixtures/setup/common.sh"

version=7.3
build_only=no
while [ $# -gt 0 ]; do
  case "$1" in
    --kernel)
      version=${2:?}
      shift
      ;;
    --build-only) build_only=yes ;;
    -h | --help) show_usage ;;
    *) break ;;
  esac
  shift
done
all=(simple central cpu0 flatcg pair qmap sdt userland)
schedulers=("${@:-${all[@]}}")
[ "$(id -u)" = 0 ] || give_up "only root can make and enter another Debian"

# shellcheck source=fixtures/setup/kernel_source.sh
source "$root/fixtures/setup/kernel_source.sh"
image=$(bash "$root/fixtures/guest/kernel.sh" "$version") || exit 4
release=${image##*/vmlinuz-}
made=${XDG_CACHE_HOME:-$HOME/.cache}/ktstr/schedulers/$release

# shellcheck disable=SC2016
[ -d "$made" ] || build_of_kernel "$version" "$made" '
  cd /src/tools/sched_ext
  quietly make -k -j "$(nproc)" BPFTOOL=/usr/sbin/bpftool CLANG="$clang" VMLINUX_BTF=/src/btf O=/src/out ||
    echo "not all of them can be built with $clang"
  mv /src/out/build/bin/scx_* /src/out/build/obj/sched_ext/*.bpf.o /src/made/'
if [ "$build_only" = yes ]; then
  echo "$made"
  exit
fi
ensure_packages "${build_packages[@]}" "${test_packages[@]}" "${guest_packages[@]}"
step "building ktstr"
configure_and_build ktstr-run ktstr-analyze

# shellcheck source=tests/scenario_checks.sh
source "$root/tests/scenario_checks.sh"

# scenario NAME SCHEDULER TEXT [ARGUMENT...]: writes it, with work for it.
scenario() {
  local name=$1 scheduler=$2 text=$3 loader argument
  shift 3
  loader="\"$made/scx_$scheduler\""
  for argument in "$@"; do loader+=", \"$argument\""; done
  cat >"$results/$name.toml" <<END
[machine]
kernel = "debian-$version"
cpus = 4
[scheduler]
loader = [$loader]
root = "$sid_root"
[[worker]]
kind = "spin"
count = 6
[[worker]]
kind = "sleep"
count = 3
[[worker]]
kind = "pipe"
$text
END
}
# healthy SCHEDULER ARCHIVE: nothing is wrong with it, and all of it is known.
healthy() {
  wants "$1" "$2" 'SELECT count(*) FROM anomaly' 0
  wants "$1" "$2" "SELECT count(*) FROM scx WHERE enable_state = 'enabled'" 1
  # What cpu0 is for: all work waits for that CPU, and the others idle. In userland a task can wait for the process that
  # decides, while a CPU idles, and in flatcg one that has used up its slice: no idle CPU is told of it.
  if [ "$1" = cpu0 ] || [ "$1" = userland ] || [ "$1" = flatcg ]; then
    wants "$1" "$2" "SELECT count(*) FROM finding WHERE severity = 'error'" 0
    return
  fi
  "$build/bin/ktstr-analyze" "$2" check >"$results/$1.check" 2>&1 ||
    complain "$1" "check: $(grep -v '^ok' "$results/$1.check" | tr '\n' ' ')"
}

# in_arenas SCHEDULER ARCHIVE: what those that have an arena keep there is found: qmap variables and contexts of tasks; of
# sdt's contexts its program does not know the type.
in_arenas() {
  case "$1" in
    qmap)
      wants "$1" "$2" "SELECT count(*) > 50 FROM task_context WHERE map = 'arena' AND comm IS NOT NULL" 1
      wants "$1" "$2" "SELECT json_extract(value, '\$.nr_enqueued') > 0 FROM map_value WHERE type = 'arena' AND key = '\"qa\"'" 1
      ;;
    sdt) wants "$1" "$2" 'SELECT count(*) > 0 FROM bpf_arena_page' 1 ;;
  esac
}

# special_fields SCHEDULER ARCHIVE: central has a timer that calls it again and again, flatcg a tree of what it keeps of each
# cgroup, and kptrs to those that are not in it.
special_fields() {
  case "$1" in
    central)
      wants "$1" "$2" "SELECT json_extract(value, '\$.timer.callback') FROM map_value WHERE map = 'central_timer'" central_timerfn
      ;;
    flatcg)
      wants "$1" "$2" "SELECT json_extract(value, '\$.type') FROM map_value WHERE key = '\"cgv_tree\"'" cgv_node
      wants "$1" "$2" "SELECT json_extract(value, '\$.elements') = (SELECT count(*) FROM bpf_element WHERE key = '\"cgv_tree\"')
        FROM map_value WHERE key = '\"cgv_tree\"'" 1
      wants "$1" "$2" "SELECT DISTINCT json_extract(value, '\$.node.type') FROM map_value WHERE map = 'cgv_node_stash'" cgv_node
      ;;
  esac
}

# What the guest says of itself: of each task how often it was switched, and its stack.
cat >"$results/account.sh" <<'END'
for status in /proc/[0-9]*/task/[0-9]*/status; do
  task=${status%/status} switches=
  while read -r name value; do
    case $name in
      *voluntary_ctxt_switches:) switches="$switches $value" ;;
    esac
  done <"$status"
  echo "task ${task##*/}$switches"
  while read -r _ place; do echo "$place"; done <"$task/stack"
done
END
# The stacks of an account in a test's log, and of an archive, a line for each task: "PID SWITCHES SWITCHES|FRAME|FRAME".
stacks_told() {
  awk '/^task [0-9]/ { if (line) print line; line = $2 " " $3 " " $4; next }
       /^\[/ { if (line) print line; line = "" }
       line && $1 ~ /\+0x/ { sub("/.*", "", $1); line = line "|" $1 }
       END { if (line) print line }' "$1"
}
stacks_read() {
  "$build/bin/ktstr-analyze" "$1" sql --csv "SELECT pid || ' ' || nvcsw || ' ' || nivcsw || (
      SELECT group_concat('|' || symbol || printf('+0x%x', offset), '') FROM (
        SELECT * FROM stack_frame f WHERE f.task_kva = t.task_kva AND kind <> 'end' ORDER BY depth)) AS line
    FROM task t WHERE pid <> 0 AND on_cpu = 0 AND on_rq = 0" | tr -d '\r' | tail -n +2
}
# same_stacks NAME ARCHIVE: each task that was not switched since the account was taken shows what the guest's kernel shows
# of it, which leaves out the frames of its scheduler.
same_stacks() {
  local same=0 line
  stacks_told "$results/$1.log" >"$results/$1.told"
  stacks_read "$2" >"$results/$1.read"
  while IFS='|' read -r task told; do
    line=$(grep "^$task|" "$results/$1.read") || continue
    [ -n "$told" ] || continue
    case "|${line#*|}" in
      *"|$told") same=$((same + 1)) ;;
      *) complain "$1" "the stack of task $task is $told, not ${line#*|}" ;;
    esac
  done <"$results/$1.told"
  [ "$same" -ge 20 ] || complain "$1" "only $same stacks could be compared"
}
# What two dumps of the same moment differ in: who asked for it, the innermost frames of the task that writes it, what is
# left of the slice of a task that runs (the kernel counts it when it looks), and what the scheduler itself adds.
plain_dump() {
  awk 'NF == 0 || /^Debug dump triggered by / || /^#/ || /scx_dump_(state|cpu)\+/ || /QMAP/ { next }
       /^ [ *>][*]/ || /^  ?[*]/ { running = 1 }
       /^  [ +]/ && !/^   / { running = 0 }
       running { sub(/slice=[0-9]+/, "slice=N") }
       { print }'
}
# same_dump NAME BEFORE AFTER: what we say of the machine frozen as the kernel is about to write its dump, and what it wrote.
same_dump() {
  "$build/bin/ktstr-analyze" "$2" dump | plain_dump >"$results/$1.ours"
  "$build/bin/ktstr-analyze" "$3" sql --csv "SELECT replace(text, 'sched_ext_dump: ', '') AS line FROM log
      WHERE text LIKE 'sched_ext_dump: %'" | tr -d '\r' | tail -n +2 | sed 's/^"\(.*\)"$/\1/' | plain_dump >"$results/$1.kernels"
  [ "$(wc -l <"$results/$1.kernels")" -ge 30 ] || complain "$1" "the kernel's dump is not in its log"
  diff "$results/$1.ours" "$results/$1.kernels" >"$results/$1.diff" ||
    complain "$1" "its dump is not the kernel's: $(head -n 20 "$results/$1.diff")"
}

at_work='[[phase]]
name = "work"
duration = "1500ms"
[[trigger]]
on = "phase"
phase = "work"
after = "1s"'
for scheduler in "${schedulers[@]}"; do
  [ -x "$made/scx_$scheduler" ] || {
    echo "$scheduler was not built: left out"
    continue
  }
  step "$scheduler: at work, and after its loader was told to end"
  scenario "$scheduler" "$scheduler" "$at_work
[[phase]]
name = \"end\"
duration = \"20s\"
signal = { scheduler-loader = \"INT\" }"
  run "$scheduler" 1
  says "$scheduler" "scheduler-exit: the scheduler"
  says "$scheduler" "ends: unregistered from user space"
  healthy "$scheduler" "$results/$scheduler.phase-1.kts"
  in_arenas "$scheduler" "$results/$scheduler.phase-1.kts"
  special_fields "$scheduler" "$results/$scheduler.phase-1.kts"
  wants "$scheduler" "$results/$scheduler.kts" "SELECT exit_kind = 'unreg' FROM scx LIMIT 1" 1
  wants "$scheduler" "$results/$scheduler.kts" 'SELECT count(*) FROM anomaly' 0

  # On one CPU nothing goes on while the kernel writes it, with interrupts off. pair wants two: of it only the stacks are
  # compared.
  step "$scheduler: the kernel's own dump of it, and its own stacks"
  cpus=1
  [ "$scheduler" != pair ] || cpus=2
  scenario "$scheduler-dump" "$scheduler" "[[payload]]
name = \"account\"
program = \"$sid_root/bin/dash\"
root = \"$sid_root\"
arguments = [\"/account.sh\"]
files = { \"/account.sh\" = \"$results/account.sh\" }
[[phase]]
name = \"work\"
duration = \"500ms\"
[[phase]]
name = \"account\"
start = [\"account\"]
until = \"account\"
duration = \"60s\"
[[phase]]
name = \"dump\"
duration = \"1s\"
[[phase.write]]
path = \"/proc/sysrq-trigger\"
text = \"D\"
[[phase]]
name = \"dumped\"
duration = \"5s\"
[[phase.write]]
path = \"/proc/sys/kernel/hostname\"
text = \"dumped\"
[[trigger]]
on = \"reached\"
symbol = \"scx_dump_cpu\"
fails = false
most = 1
[[trigger]]
on = \"reached\"
symbol = \"proc_do_uts_string\"
fails = false
most = 1"
  sed -i -e "s/^cpus = .*/cpus = $cpus/" \
    -e '/^\[machine\]/a cmdline = "trace_event=sched_ext:sched_ext_dump tp_printk log_buf_len=4M"' \
    "$results/$scheduler-dump.toml"
  run "$scheduler-dump" 0
  [ "$scheduler" = pair ] || same_dump "$scheduler-dump" "$results/$scheduler-dump.reached-1.kts" "$results/$scheduler-dump.reached-2.kts"
  same_stacks "$scheduler-dump" "$results/$scheduler-dump.reached-2.kts"

  # SysRq-S ends any scheduler.
  step "$scheduler: ended by the kernel"
  scenario "$scheduler-sysrq" "$scheduler" "[[phase]]
name = \"work\"
duration = \"500ms\"
[[phase]]
name = \"sysrq\"
duration = \"20s\"
[[phase.write]]
path = \"/proc/sysrq-trigger\"
text = \"S\""
  run "$scheduler-sysrq" 1
  says "$scheduler-sysrq" "ends: disabled by sysrq-S"
  wants "$scheduler-sysrq" "$results/$scheduler-sysrq.kts" "SELECT exit_kind = 'sysrq' FROM scx LIMIT 1" 1
done

# fails NAME SCHEDULER WHAT VERDICT KIND [ARGUMENT...]: an option of the scheduler's own makes it end so.
fails() {
  local name=$1 scheduler=$2 what=$3 verdict=$4 kind=$5
  shift 5
  step "$scheduler: $what"
  scenario "$name" "$scheduler" '[[phase]]
name = "work"
duration = "90s"' "$@"
  run "$name" 1
  says "$name" "$verdict"
  wants "$name" "$results/$name.kts" "SELECT exit_kind = '$kind' FROM scx LIMIT 1" 1
  wants "$name" "$results/$name.kts" "SELECT count(*) FROM finding WHERE rule = 'scheduler_ended'" 1
  wants "$name" "$results/$name.kts" 'SELECT count(*) FROM anomaly' 0
}
# below NAME CGROUP [ARGUMENT...]: prints a qmap as the sub-scheduler of that cgroup, for a scenario.
below() {
  local name=$1 cgroup=$2 argument
  shift 2
  printf '[[cgroup]]\npath = "%s"\nfiles = { "cpu.weight" = 100 }\n' "$cgroup"
  printf '[[payload]]\nname = "%s"\nprogram = "%s"\nroot = "%s"\nloads_scheduler = true\n' "$name" "$made/scx_qmap" "$sid_root"
  printf 'arguments = ["-c", "/sys/fs/cgroup%s"' "$cgroup"
  for argument in "$@"; do printf ', "%s"' "$argument"; done
  printf ']\n'
}
# Of three, each below the one before, the innermost errs. Work begins when all are loaded: the verifier takes long.
qmap_tree() {
  step "qmap: three below one another, of which the innermost errs"
  scenario qmap-tree qmap "$(below middle /a)
$(below inner /a/b -e 500)
[[cgroup]]
path = \"/a/own\"
files = { \"cpu.weight\" = 100 }
[[worker]]
kind = \"spin\"
name = \"of-middle\"
cgroup = \"/a/own\"
[[worker]]
kind = \"pipe\"
name = \"of-inner\"
cgroup = \"/a/b\"
[[phase]]
name = \"load\"
duration = \"100ms\"
start = [\"middle\", \"inner\"]
[[phase]]
name = \"work\"
duration = \"90s\"
start = [\"spin\", \"sleep\", \"pipe\", \"of-middle\", \"of-inner\"]"
  run qmap-tree 1
  says qmap-tree "scheduler-exit: the scheduler qmap of cgroup /a/b ends: scx_bpf_error: "
  wants qmap-tree "$results/qmap-tree.kts" "SELECT group_concat(cgroup || ' ' || exit_kind, ',') = '/ none,/a none,/a/b error_bpf' FROM scx" 1
  wants qmap-tree "$results/qmap-tree.kts" "SELECT count(*) FROM finding WHERE subject = 'scheduler qmap of cgroup /a/b'" 1
  wants qmap-tree "$results/qmap-tree.kts" "SELECT count(DISTINCT scx_scheduler) FROM task WHERE class = 'ext'" 3
  wants qmap-tree "$results/qmap-tree.kts" "SELECT count(DISTINCT scheduler) FROM dsq WHERE kind = 'user' AND dsq_id LIKE '%1'" 3
  wants qmap-tree "$results/qmap-tree.kts" 'SELECT count(*) FROM anomaly' 0
}
for scheduler in "${schedulers[@]}"; do
  case "$scheduler" in
    qmap)
      fails qmap-stall qmap "every 20th wakeup of a thread is lost" "runnable task stall: " error_stall -t 20
      fails qmap-error qmap "an error after 500 wakeups" "scx_bpf_error: " error_bpf -e 500
      qmap_tree
      ;;
    userland)
      step "userland: its loader stopped"
      scenario userland-stop userland '[[phase]]
name = "work"
duration = "500ms"
[[phase]]
name = "stopped"
duration = "60s"
signal = { scheduler-loader = "STOP" }
[[trigger]]
on = "stall"
over = "1500ms"'
      run userland-stop 1
      says userland-stop "has been runnable for"
      wants userland-stop "$results/userland-stop.kts" 'SELECT count(*) FROM anomaly' 0
      wants userland-stop "$results/userland-stop.kts" "SELECT count(*) FROM finding WHERE rule = 'loader_stopped'" 1
      wants userland-stop "$results/userland-stop.kts" "SELECT detail LIKE '% tasks wait for it, % queue map enqueued holds ' ||
        (SELECT entries FROM bpf_map WHERE name = 'enqueued' AND type = 'queue') || ', dispatched holds 0' FROM finding WHERE rule = 'loader_stopped'" 1
      wants userland-stop "$results/userland-stop.kts" "SELECT count(*) FROM finding WHERE rule = 'lost_task'" 0
      ;;
  esac
done
finish "${schedulers[*]}"
