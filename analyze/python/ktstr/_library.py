"""libktstr.so by ctypes (replay/library/ktstr.h), and where it and the programs are."""

import ctypes
import ctypes.util
import os
import shutil
from pathlib import Path

from ._errors import Error, NotFoundError

_VERSION = 1

ACCEPT_DAMAGE = 1

NOT_FOUND, UNMAPPED, UNREADABLE, OUTSIDE, DAMAGED = 1, 2, 3, 4, 5


class ErrorStruct(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_int),
        ("address", ctypes.c_uint64),
        ("message", ctypes.c_char * 512),
    ]

    def text(self):
        return self.message.decode("utf-8", "replace")


class _SegmentStruct(ctypes.Structure):
    _fields_ = [
        ("selector", ctypes.c_uint16),
        ("base", ctypes.c_uint64),
        ("limit", ctypes.c_uint32),
        ("attributes", ctypes.c_uint32),
    ]


_WORDS_1 = (
    "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 rip rflags".split()
)
_SEGMENTS = "es cs ss ds fs gs ldt tr".split()
_WORDS_2 = "cr0 cr2 cr3 cr4 efer star lstar cstar fmask kernel_gs_base tsc".split()


class VcpuStruct(ctypes.Structure):
    _fields_ = (
        [(name, ctypes.c_uint32) for name in ("cpu", "halted", "unknown")]
        + [(name, ctypes.c_uint64) for name in _WORDS_1]
        + [(name, _SegmentStruct) for name in _SEGMENTS]
        + [("gdt_base", ctypes.c_uint64), ("idt_base", ctypes.c_uint64)]
        + [("gdt_limit", ctypes.c_uint32), ("idt_limit", ctypes.c_uint32)]
        + [(name, ctypes.c_uint64) for name in _WORDS_2]
    )


class Kernel(ctypes.Structure):
    _fields_ = [
        ("release", ctypes.c_char * 128),
        ("kaslr_known", ctypes.c_int),
        ("kaslr_offset", ctypes.c_uint64),
        ("phys_base", ctypes.c_uint64),
        ("page_offset", ctypes.c_uint64),
        ("paging_levels", ctypes.c_uint32),
    ]


_U64, _SIZE, _VOID, _TEXT = ctypes.c_uint64, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_char_p
_ERROR = ctypes.POINTER(ErrorStruct)
_FUNCTIONS = {
    "ktstr_library_version": (ctypes.c_int, []),
    "ktstr_open": (_VOID, [_TEXT, ctypes.c_int, _ERROR]),
    "ktstr_close": (None, [_VOID]),
    "ktstr_digest": (_TEXT, [_VOID]),
    "ktstr_region_count": (_SIZE, [_VOID]),
    "ktstr_region": (
        ctypes.c_int,
        [_VOID, _SIZE, ctypes.POINTER(_U64), ctypes.POINTER(_U64)],
    ),
    "ktstr_page_fate": (None, [_VOID, _U64, ctypes.POINTER(_TEXT), ctypes.POINTER(_TEXT)]),
    "ktstr_read_physical": (ctypes.c_int, [_VOID, _U64, _VOID, _SIZE, _ERROR]),
    "ktstr_read": (ctypes.c_int, [_VOID, _U64, _VOID, _SIZE, _ERROR]),
    "ktstr_read_of_vcpu": (ctypes.c_int, [_VOID, _SIZE, _U64, _VOID, _SIZE, _ERROR]),
    "ktstr_translate": (ctypes.c_int, [_VOID, _U64, ctypes.POINTER(_U64), _ERROR]),
    "ktstr_vcpu_count": (_SIZE, [_VOID]),
    "ktstr_vcpu_registers": (ctypes.c_int, [_VOID, _SIZE, ctypes.POINTER(VcpuStruct), _ERROR]),
    "ktstr_find_kernel": (ctypes.c_int, [_VOID, ctypes.POINTER(Kernel), _ERROR]),
    "ktstr_symbol": (ctypes.c_int, [_VOID, _TEXT, ctypes.POINTER(_U64), _ERROR]),
    "ktstr_symbol_at": (
        ctypes.c_int,
        [_VOID, _U64, _VOID, _SIZE, ctypes.POINTER(_U64), _ERROR],
    ),
    "ktstr_vmcoreinfo": (ctypes.c_int, [_VOID, _VOID, _SIZE, ctypes.POINTER(_SIZE), _ERROR]),
}


def _checkout_build():
    """The build directory of the checkout that this file lies in, where it does."""
    here = Path(__file__).resolve()
    return here.parents[min(3, len(here.parents) - 1)] / "build"


def analyze_program():
    """The path of ktstr-analyze."""
    named = os.environ.get("KTSTR_ANALYZE")
    found = named or shutil.which("ktstr-analyze")
    if not found:
        built = _checkout_build() / "bin" / "ktstr-analyze"
        if built.exists():
            found = str(built)
    if not found:
        raise NotFoundError(
            "the program ktstr-analyze is not in PATH; KTSTR_ANALYZE can name it"
        )
    return found


def _candidates():
    named = os.environ.get("KTSTR_LIBRARY")
    if named:
        return [named]
    candidates = []
    program = shutil.which("ktstr-analyze")
    if program:
        candidates.append(Path(program).resolve().parents[1] / "lib" / "libktstr.so.1")
    candidates.append(_checkout_build() / "lib" / "libktstr.so.1")
    existing = [str(path) for path in candidates if path.exists()]
    return existing + ["libktstr.so.1"]


def _load():
    reasons = []
    for candidate in _candidates():
        try:
            library = ctypes.CDLL(candidate)
        except OSError as error:
            reasons.append(str(error))
            continue
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        version = library.ktstr_library_version()
        if version != _VERSION:
            raise Error(f"{candidate} is of version {version}; this module needs {_VERSION}")
        return library
    raise NotFoundError(
        "libktstr.so.1 cannot be loaded (KTSTR_LIBRARY can name it): " + "; ".join(reasons)
    )


_loaded = None


def library():
    global _loaded
    if _loaded is None:
        _loaded = _load()
    return _loaded
