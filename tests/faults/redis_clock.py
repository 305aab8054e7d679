"""Set the clock of a running redis-server, and of nothing else.

A program asks for the time of day in the vDSO, a page of code that the kernel lends to each process. Writing
to it makes a copy for that process: there the function asks the kernel, as it would without a vDSO, and adds
the seconds that we say. On Linux on x86-64; elsewhere tests skip.
"""

from __future__ import annotations

import platform
import struct
import sys
from datetime import timedelta
from pathlib import Path

IS_POSSIBLE = sys.platform == "linux" and platform.machine() == "x86_64"
SYMBOL = b"__vdso_gettimeofday"
# mov eax, 96 (gettimeofday); syscall; add qword [rdi], <32 bits>; ret
CODE = b"\xb8\x60\x00\x00\x00\x0f\x05\x48\x81\x07%b\xc3"
DYNSYM = 11  # type of an ELF section


def set_ahead(pid: int, by: timedelta) -> None:
    """From now on the process' time of day is ahead of the machine's by that; it may be negative."""
    first, last = _vdso(pid)
    with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
        memory.seek(first)
        place = first + _offset_of(SYMBOL, memory.read(last - first))
        memory.seek(place)
        memory.write(CODE % struct.pack("<i", int(by.total_seconds())))


def _vdso(pid: int) -> tuple[int, int]:
    """Where it is in the process' memory."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith("[vdso]"):
            first, last = line.split()[0].split("-")
            return int(first, 16), int(last, 16)
    raise AssertionError("the process has no vDSO")


def _offset_of(symbol: bytes, elf: bytes) -> int:
    (headers,), (count,) = struct.unpack_from("<Q", elf, 0x28), struct.unpack_from("<H", elf, 0x3C)
    # name, type, flags, address, offset, size, link, …
    sections = [struct.unpack_from("<IIQQQQI", elf, headers + 64 * number) for number in range(count)]
    for _, kind, _, _, start, size, names in sections:
        for at in range(start, start + size, 24) if kind == DYNSYM else ():
            name, _, _, _, value = struct.unpack_from("<IBBHQ", elf, at)
            if elf[sections[names][4] + name :].startswith(symbol + b"\x00"):
                return int(value)
    raise AssertionError(f"the vDSO has no {symbol!r}")
