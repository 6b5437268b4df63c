"""Frozen Linux machines (.kts) in Python.

    import ktstr
    machine = ktstr.open("stall.kts")
    for task in machine.sql("SELECT pid, comm FROM task"):
        print(task.pid, task.comm)

Tables and SQL are answered by the program ktstr-analyze, memory, registers and symbols by the library
libktstr.so. Both are looked for where they are installed; KTSTR_ANALYZE and KTSTR_LIBRARY name others.
"""

from ._errors import (
    DamagedError,
    Error,
    MissingPageError,
    NotFoundError,
    QueryError,
    UnmappedError,
)
from ._rows import Row, Rows
from .corpus import Corpus, corpus
from .drgn import drgn_program, drgn_registers
from .machine import Machine, Region, open

__all__ = [
    "Corpus",
    "DamagedError",
    "Error",
    "Machine",
    "MissingPageError",
    "NotFoundError",
    "QueryError",
    "Region",
    "Row",
    "Rows",
    "UnmappedError",
    "corpus",
    "drgn_program",
    "drgn_registers",
    "open",
]
