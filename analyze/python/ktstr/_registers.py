"""The registers of a vCPU."""

from typing import NamedTuple, Optional

_SEGMENTS = "es cs ss ds fs gs ldt tr".split()

# Which registers a bit of ktstr_vcpu.unknown stands for (replay/library/ktstr.h). Of segments it is base, limit and
# attributes, of LDT and TR all of them.
_DESCRIPTORS, _GS_BASE = 1, 2
_UNKNOWN = {
    _DESCRIPTORS: "ldt tr gdt_base gdt_limit idt_base idt_limit".split(),
    4: ["kernel_gs_base"],
    8: "cr0 cr2 cr3 cr4".split(),
    16: "efer star lstar cstar fmask".split(),
    32: ["tsc"],
    64: ["halted"],
}


class Segment(NamedTuple):
    """A segment register. None for what is not known of it."""

    selector: int
    base: Optional[int]
    limit: Optional[int]
    attributes: Optional[int]

    def __repr__(self):
        parts = (
            f"{name}={'None' if value is None else hex(value)}"
            for name, value in self._asdict().items()
        )
        return f"Segment({', '.join(parts)})"


def _segment(name, struct, unknown):
    described = not unknown & _DESCRIPTORS
    based = {"fs": True, "gs": not unknown & _GS_BASE}.get(name, described)
    return Segment(
        struct.selector,
        struct.base if based else None,
        struct.limit if described else None,
        struct.attributes if described else None,
    )


class Vcpu:
    """The registers of one vCPU, each an attribute; `cpu` as the VMM counts, `halted` 0 or 1. None for what a machine
    that came from another tool's dump does not tell."""

    def __init__(self, struct):
        lacking = {name for bit, names in _UNKNOWN.items() if struct.unknown & bit for name in names}
        for name, *_ in struct._fields_:
            value = getattr(struct, name)
            if name in _SEGMENTS:
                value = _segment(name, value, struct.unknown)
            if name != "unknown":
                setattr(self, name, None if name in lacking else value)

    @property
    def in_user_mode(self):
        return self.cs.selector & 3 != 0

    def __repr__(self):
        cr3 = "None" if self.cr3 is None else hex(self.cr3)
        return f"Vcpu(cpu={self.cpu}, rip={self.rip:#x}, rsp={self.rsp:#x}, cr3={cr3})"
