"""drgn_check.py ARCHIVE VMLINUX: drgn's own helpers over a frozen machine say what ktstr says."""

import sys

import drgn
from drgn.helpers.linux.cpumask import for_each_online_cpu
from drgn.helpers.linux.percpu import per_cpu
from drgn.helpers.linux.pid import find_task, for_each_task

import ktstr


def require(holds, what):
    if not holds:
        sys.exit(f"does not hold: {what}")


machine = ktstr.open(sys.argv[1])
program = ktstr.drgn_program(machine, [sys.argv[2]])
require(program.flags & drgn.ProgramFlags.IS_LINUX_KERNEL, "it is a Linux kernel")

ours = {(t.pid, t.comm, t.task_kva) for t in machine.tasks() if t.pid != 0}
theirs = {
    (task.pid.value_(), task.comm.string_().decode(), f"{task.value_():#018x}")
    for task in for_each_task(program)
}
require(ours == theirs, f"tasks are equal; only one has {ours ^ theirs}")
print(f"{len(theirs)} tasks are equal")

for row in machine.cpus():
    queue = per_cpu(program["runqueues"], row.cpu)
    require(queue.nr_running.value_() == row.nr_running, f"nr_running of CPU {row.cpu}")
    require(queue.curr.pid.value_() == row.curr_pid, f"curr of CPU {row.cpu}")
    require(queue.nr_switches.value_() == row.nr_switches, f"nr_switches of CPU {row.cpu}")
print(f"run queues of {len(list(for_each_online_cpu(program)))} CPUs are equal")

# Of sleeping tasks and of those on a CPU in the kernel: ours down to where user mode begins. drgn
# names inlined functions as well, and knows no labels within functions.
LABELS = {
    "entry_SYSCALL_64_after_hwframe": "entry_SYSCALL_64",
    "common_startup_64": "secondary_startup_64",
}


def plain(symbol):
    return LABELS.get(symbol, symbol.split(".")[0])


vcpus = machine.vcpus()
vcpu_of = {row.kernel_cpu: vcpus[row.cpu] for row in machine.sql("SELECT cpu, kernel_cpu FROM vcpu")}
stacks = {}
for frame in machine.sql(
    "SELECT pid, cpu, symbol, running FROM stack_frame WHERE kind <> 'end' ORDER BY pid, cpu, depth"
):
    stacks.setdefault((frame.pid, frame.cpu, frame.running), []).append(plain(frame.symbol))
running = 0
for (pid, cpu, is_running), symbols in stacks.items():
    if is_running:
        trace = program.stack_trace(ktstr.drgn_registers(program, vcpu_of[cpu]))
    elif pid != 0:
        trace = program.stack_trace(find_task(program, pid))
    else:
        continue
    names = [plain(frame.name) for frame in trace if not frame.is_inline and frame.name]
    require(names[: len(symbols)] == symbols, f"the stack of task {pid}: {names} against {symbols}")
    running += is_running
print(f"stacks of {len(stacks)} tasks are equal, {running} of them on a CPU")

try:
    program.read(0x10, 8)
    sys.exit("does not hold: memory that is not there cannot be read")
except drgn.FaultError as error:
    print("FaultError:", error)
missing = next(
    (
        physical
        for begin, end in machine.regions()
        for physical in range(begin, end, 4096)
        if machine.page(physical).fate == "not captured"
    ),
    None,
)
if missing is not None:
    try:
        program.read(missing, 8, physical=True)
        sys.exit("does not hold: a page that was left out cannot be read")
    except drgn.FaultError as error:
        print("FaultError:", error)
