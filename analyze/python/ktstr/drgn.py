"""drgn (https://drgn.readthedocs.io) over a frozen machine."""

from ._errors import Error, MissingPageError, UnmappedError
from .machine import Machine

_KERNEL_HALF = 1 << 63


def drgn_program(machine, debug_info=()):
    """A drgn.Program over the archive's memory: of a Machine, or of one at a path.

    The kernel's memory is there by virtual and by physical address, and VMCOREINFO, so that drgn
    knows it for a Linux kernel. Types come from debug information as ever: name vmlinux and modules
    in `debug_info`, or call load_debug_info. What is not in the archive raises drgn.FaultError, which
    says why. drgn has no way to be told registers of CPUs for memory that is not a core dump:
    stack traces are of tasks that sleep; registers of CPUs are in Machine.vcpus().
    """
    import drgn

    if not isinstance(machine, Machine):
        machine = Machine(machine)
    platform = drgn.Platform(drgn.Architecture.X86_64)
    program = drgn.Program(platform, vmcoreinfo=machine.vmcoreinfo)

    def fault(error, address):
        return drgn.FaultError(str(error), getattr(error, "address", None) or address)

    def read_virtual(address, count, offset, physical):
        try:
            return machine.read(address, count)
        except (MissingPageError, UnmappedError, Error) as error:
            raise fault(error, address) from None

    def read_physical(address, count, offset, physical):
        try:
            return machine.read_physical(address, count)
        except (MissingPageError, Error) as error:
            raise fault(error, address) from None

    program.add_memory_segment(_KERNEL_HALF, _KERNEL_HALF, read_virtual, False)
    for region in machine.regions():
        program.add_memory_segment(region.begin, region.end - region.begin, read_physical, True)
    if debug_info:
        program.load_debug_info(list(debug_info))
    return program
