"""drgn (https://drgn.readthedocs.io) over a frozen machine."""

import struct
import tempfile

from ._errors import Error
from .machine import Machine

_KERNEL_HALF = 1 << 63

# Of ELF: a core of x86-64 whose only segment holds notes.
_ET_CORE, _EM_X86_64, _PT_NOTE = 4, 62, 4
_HEADER_SIZE, _SEGMENT_SIZE = 64, 56

# struct pt_regs (arch/x86/include/asm/ptrace.h), 64 bits each.
_PT_REGS = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs rflags rsp ss"
).split()


def _core_of_note(vmcoreinfo):
    """A core dump's bytes with the note VMCOREINFO and no memory."""
    name = b"VMCOREINFO\0"
    note = struct.pack("<III", len(name), len(vmcoreinfo), 0)
    note += name + b"\0" * (-len(name) % 4) + vmcoreinfo + b"\0" * (-len(vmcoreinfo) % 4)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\2\1\1" + b"\0" * 9,
        *(_ET_CORE, _EM_X86_64, 1, 0, _HEADER_SIZE, 0, 0, _HEADER_SIZE, _SEGMENT_SIZE, 1, 0, 0, 0),
    )
    offset = _HEADER_SIZE + _SEGMENT_SIZE
    return header + struct.pack("<IIQQQQQQ", _PT_NOTE, 0, offset, 0, 0, len(note), 0, 4) + note


def drgn_program(machine, debug_info=()):
    """A drgn.Program over the archive's memory: of a Machine, or of one at a path.

    drgn is given a core dump that holds VMCOREINFO alone, by which it knows the machine for a Linux
    kernel; memory, virtual and physical, it reads from the archive as it asks for it. Types come from
    debug information as ever: name vmlinux and modules in `debug_info`, or call load_debug_info. What
    is not in the archive raises drgn.FaultError.

    drgn (0.0.31) finds registers of a task on a CPU only where the kernel has crashed and saved them:
    for its stack give program.stack_trace what drgn_registers makes.
    """
    import drgn

    if not isinstance(machine, Machine):
        machine = Machine(machine)

    def reader(read):
        def read_segment(address, count, offset, physical):
            try:
                return read(address, count)
            except Error as error:
                at = getattr(error, "address", None)
                raise drgn.FaultError(str(error), address if at is None else at) from None

        return read_segment

    program = drgn.Program()
    with tempfile.NamedTemporaryFile(prefix="ktstr-", suffix=".core") as core:
        core.write(_core_of_note(machine.vmcoreinfo))
        core.flush()
        program.set_core_dump(core.name)
    program.add_memory_segment(_KERNEL_HALF, _KERNEL_HALF, reader(machine.read), False)
    for begin, end in machine.regions():
        program.add_memory_segment(begin, end - begin, reader(machine.read_physical), True)
    if debug_info:
        program.load_debug_info(list(debug_info))
    return program


def drgn_registers(program, vcpu):
    """The registers of one of Machine.vcpus() as the struct pt_regs of a program that has types:
    program.stack_trace(drgn_registers(program, vcpu)) is the stack of what that CPU runs."""
    import drgn

    def value_of(name):
        if name == "orig_rax":
            return (1 << 64) - 1  # no system call's number
        value = getattr(vcpu, name)
        return getattr(value, "selector", value)

    content = struct.pack(f"<{len(_PT_REGS)}Q", *map(value_of, _PT_REGS))
    return drgn.Object.from_bytes_(program, "struct pt_regs", content)
