"""Makes the wheel that pip installs (PEP 517 and 427): the package's files, and what tells of them.

It needs nothing but Python: pip fetches nothing for it, and it leaves no file beside the sources.
"""

import base64
import hashlib
import zipfile
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_NAME, _VERSION = "ktstr", "0.1.0"
_INFO = f"{_NAME}-{_VERSION}.dist-info"
_METADATA = f"""Metadata-Version: 2.1
Name: {_NAME}
Version: {_VERSION}
Summary: Frozen Linux machines (.kts) in Python: SQL, memory, registers, drgn
Requires-Python: >=3.9
"""
_WHEEL = """Wheel-Version: 1.0
Generator: ktstr
Root-Is-Purelib: true
Tag: py3-none-any
"""


def _write(directory, files):
    name = f"{_NAME}-{_VERSION}-py3-none-any.whl"
    files = {**files, f"{_INFO}/METADATA": _METADATA.encode(), f"{_INFO}/WHEEL": _WHEEL.encode()}
    record = ""
    with zipfile.ZipFile(Path(directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, content in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
            record += f"{path},sha256={digest.rstrip('=')},{len(content)}\n"
            wheel.writestr(path, content)
        wheel.writestr(f"{_INFO}/RECORD", record + f"{_INFO}/RECORD,,\n")
    return name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    sources = sorted((_HERE / _NAME).glob("*.py"))
    return _write(wheel_directory, {f"{_NAME}/{path.name}": path.read_bytes() for path in sources})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """For `pip install -e`: the directory of the sources is looked in (PEP 660)."""
    return _write(wheel_directory, {f"{_NAME}.pth": f"{_HERE}\n".encode()})
