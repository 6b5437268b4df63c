"""One frozen machine."""

import ctypes
import os
from typing import NamedTuple

from . import _library
from ._errors import DamagedError, Error, MissingPageError, NotFoundError, UnmappedError
from ._registers import Vcpu
from ._rows import ask


class Region(NamedTuple):
    """RAM in guest-physical addresses: [begin, end)."""

    begin: int
    end: int


class Page(NamedTuple):
    """What became of a page, and why it was left out ("" where it was not)."""

    fate: str
    reason: str


def open(path, accept_damage=False):
    """Opens an archive. One whose metadata or registers are damaged has none of them where
    `accept_damage` is true; answers that may lack something say so in their `notes`.
    Errors: NotFoundError, DamagedError, Error."""
    return Machine(path, accept_damage)


class Machine:
    """A frozen machine. Use it in a `with` statement, or close() it; it closes by itself otherwise.

    It can be used by several threads at once.
    """

    def __init__(self, path, accept_damage=False):
        self._handle = None
        self.path = os.fspath(path)
        self.accepts_damage = accept_damage
        self._library = _library.library()
        error = _library.ErrorStruct()
        self._handle = self._library.ktstr_open(
            os.fsencode(self.path),
            _library.ACCEPT_DAMAGE if accept_damage else 0,
            ctypes.byref(error),
        )
        if not self._handle:
            self._handle = None
            self._raise(error)
        self._kernel = None

    def close(self):
        if self._handle is not None:
            self._library.ktstr_close(self._handle)
            self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def __del__(self):
        self.close()

    def __repr__(self):
        return f"ktstr.open({self.path!r})"

    def _open_handle(self):
        if self._handle is None:
            raise Error(f"{self.path} is closed")
        return self._handle

    def _raise(self, error):
        text = error.text()
        if error.code in (_library.UNREADABLE, _library.OUTSIDE) and self._handle is not None:
            raise MissingPageError(text, error.address, None, "", "")
        if error.code == _library.UNMAPPED:
            raise UnmappedError(text, error.address)
        if error.code == _library.NOT_FOUND:
            raise NotFoundError(text)
        if error.code == _library.DAMAGED:
            raise DamagedError(text)
        raise Error(text)

    def _call(self, name, *arguments):
        error = _library.ErrorStruct()
        if getattr(self._library, name)(self._open_handle(), *arguments, ctypes.byref(error)):
            self._raise(error)

    # Tables.

    def sql(self, query, timeout=60):
        """The rows of one SELECT over the tables (`ktstr-analyze schema`) and the memory. They come
        from the index that ktstr-analyze keeps of the archive, which the first query builds.
        Columns that hold JSON are lists and dicts. `timeout` is in seconds; 0: none.
        Errors: QueryError."""
        return ask([self.path, "sql", query, "--timeout", timeout], self.accepts_damage)

    def frame(self, query, timeout=60):
        """The same as a pandas DataFrame."""
        return self.sql(query, timeout).frame()

    def tasks(self):
        """All threads: rows of the table task."""
        return self.sql("SELECT * FROM task")

    def cpus(self):
        """The kernel's CPUs: rows of the table cpu."""
        return self.sql("SELECT * FROM cpu")

    def findings(self):
        """What is wrong: rows of the table finding, the deepest first."""
        return self.sql("SELECT * FROM finding")

    # Registers.

    def vcpus(self):
        """The registers of all vCPUs, as they stood when the machine was frozen."""
        handle = self._open_handle()
        vcpus = []
        for index in range(self._library.ktstr_vcpu_count(handle)):
            registers = _library.VcpuStruct()
            self._call("ktstr_vcpu_registers", index, ctypes.byref(registers))
            vcpus.append(Vcpu(registers))
        return vcpus

    # Memory. Nothing that is not in the archive is given as zero.

    def _read(self, function, physical_of, address, size, *first):
        if size < 0 or not 0 <= address < 1 << 64:
            raise ValueError("addresses have 64 bits, and sizes are not negative")
        buffer = ctypes.create_string_buffer(size)
        try:
            self._call(function, *first, address, buffer, size)
        except MissingPageError as error:
            error.physical = physical_of(error.address)
            if error.physical is not None:
                error.fate, error.reason = self.page(error.physical)
            raise
        return buffer.raw

    def read(self, address, size):
        """Bytes at a kernel address. Errors: MissingPageError, UnmappedError."""

        def physical(at):
            try:
                return self.translate(at)
            except Error:
                return None

        return self._read("ktstr_read", physical, address, size)

    def read_physical(self, address, size):
        """Bytes of physical memory. Errors: MissingPageError."""
        return self._read("ktstr_read_physical", lambda at: at, address, size)

    def read_of_vcpu(self, vcpu, address, size):
        """Bytes at any address by the page tables that a vCPU (by its place in vcpus()) has: user
        space of what it runs. Errors: MissingPageError, UnmappedError."""
        return self._read("ktstr_read_of_vcpu", lambda at: None, address, size, vcpu)

    def translate(self, address):
        """Where a kernel address leads in physical memory. Errors: UnmappedError."""
        physical = ctypes.c_uint64()
        self._call("ktstr_translate", address, ctypes.byref(physical))
        return physical.value

    def page(self, physical):
        """What became of the page at a physical address."""
        fate, reason = ctypes.c_char_p(), ctypes.c_char_p()
        self._library.ktstr_page_fate(
            self._open_handle(), physical, ctypes.byref(fate), ctypes.byref(reason)
        )
        return Page(fate.value.decode(), reason.value.decode())

    def regions(self):
        """All RAM, ascending."""
        handle = self._open_handle()
        regions = []
        for index in range(self._library.ktstr_region_count(handle)):
            begin, end = ctypes.c_uint64(), ctypes.c_uint64()
            self._library.ktstr_region(handle, index, ctypes.byref(begin), ctypes.byref(end))
            regions.append(Region(begin.value, end.value))
        return regions

    # The kernel.

    def _find_kernel(self):
        if self._kernel is None:
            kernel = _library.Kernel()
            self._call("ktstr_find_kernel", ctypes.byref(kernel))
            self._kernel = kernel
        return self._kernel

    @property
    def digest(self):
        """The archive's identity: 32 hexadecimal digits."""
        return self._library.ktstr_digest(self._open_handle()).decode()

    @property
    def release(self):
        """The kernel's release, such as "6.12.117+deb12-cloud-amd64"."""
        return self._find_kernel().release.decode("utf-8", "replace")

    @property
    def kaslr_offset(self):
        """How far KASLR moved the kernel's text, in bytes; None where that is not known."""
        kernel = self._find_kernel()
        return kernel.kaslr_offset if kernel.kaslr_known else None

    @property
    def page_offset(self):
        """Where the kernel's direct map of physical memory begins."""
        return self._find_kernel().page_offset

    @property
    def vmcoreinfo(self):
        """The note in which the kernel tells crash tools of itself. Errors: NotFoundError."""
        buffer = ctypes.create_string_buffer(4096)
        length = ctypes.c_size_t()
        self._call("ktstr_vmcoreinfo", buffer, len(buffer), ctypes.byref(length))
        return buffer.raw[: min(length.value, len(buffer))]

    def symbol(self, name):
        """The address of a symbol of the kernel's. Errors: NotFoundError."""
        address = ctypes.c_uint64()
        self._call("ktstr_symbol", name.encode(), ctypes.byref(address))
        return address.value

    def symbol_at(self, address):
        """The symbol that an address in the kernel's image belongs to, and how many bytes behind its
        begin the address is; None for other addresses."""
        name, offset = ctypes.create_string_buffer(512), ctypes.c_uint64()
        try:
            self._call(
                "ktstr_symbol_at", address, name, len(name), ctypes.byref(offset)
            )
        except NotFoundError:
            return None
        return name.value.decode("utf-8", "replace"), offset.value
