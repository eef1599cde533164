"""Writes small shared libraries, so that no compiler is needed to satisfy a loader.

CNTK's wheels are linked against the names that Open MPI's libraries had in 2016: ``libmpi.so.12`` and
``libmpi_cxx.so.1``. Today's Open MPI has the same C functions under another name, and no C++ ones. A library
from here either needs another library and brings it along under the old name, or defines the few C++ symbols
that are linked and never called (each of them stops the process if it is).
"""

from __future__ import annotations

import struct

_ALIGN = 0x1000
_TRAP = b"\x0f\x0b"  # ud2
_NEEDED, _HASH, _STRTAB, _SYMTAB, _STRSZ, _SYMENT, _SONAME, _RUNPATH, _NULL = 1, 4, 5, 6, 10, 11, 14, 29, 0
_LOAD, _DYNAMIC, _STACK = 1, 2, 0x6474E551
_READ, _READ_WRITE, _READ_EXECUTE = 4, 6, 5


def shared_library(
    soname: str, *, needed: tuple[str, ...] = (), runpath: str = "", traps: tuple[str, ...] = ()
) -> bytes:
    """Give the bytes of a shared library for Linux on x86-64.

    ``needed``: names of libraries that it brings along, looked for in ``runpath`` (``$ORIGIN`` is the folder
    of the library itself). ``traps``: functions that it defines; calling one ends the process (SIGILL).
    """
    strings = _Strings()
    names = [strings.add(name) for name in traps]
    code = 64 + 4 * 56  # after the headers; all functions are the same two bytes
    symbols = bytes(24) + b"".join(
        struct.pack("<IBBHQQ", name, 0x12, 0, 1, code, len(_TRAP)) for name in names
    )
    entries = [(_NEEDED, strings.add(name)) for name in needed] + [(_SONAME, strings.add(soname))]
    if runpath:
        entries.append((_RUNPATH, strings.add(runpath)))
    # One hash chain that holds every symbol: for a handful that is as good as any.
    count = len(traps) + 1
    chain = [0, *[index + 1 for index in range(1, count - 1)], 0] if traps else [0]
    table = struct.pack(f"<{3 + len(chain)}I", 1, count, 1 if traps else 0, *chain)

    hash_at = code + 8
    symbols_at = hash_at + len(table) + -(hash_at + len(table)) % 8
    strings_at = symbols_at + len(symbols)
    end = strings_at + len(strings.data)
    dynamic_at = end + -end % _ALIGN
    entries += [
        (_HASH, hash_at),
        (_STRTAB, strings_at),
        (_SYMTAB, symbols_at),
        (_STRSZ, len(strings.data)),
        (_SYMENT, 24),
        (_NULL, 0),
    ]
    dynamic = b"".join(struct.pack("<QQ", tag, value) for tag, value in entries)

    image = bytearray(dynamic_at + len(dynamic))
    for at, data in (
        (0, _headers(end, dynamic_at, len(dynamic))),
        (code, _TRAP),
        (hash_at, table),
        (symbols_at, symbols),
        (strings_at, bytes(strings.data)),
        (dynamic_at, dynamic),
    ):
        image[at : at + len(data)] = data
    return bytes(image)


def _headers(end: int, dynamic_at: int, dynamic_size: int) -> bytes:
    """Give the file's header and those of its segments: code up to ``end``, and the dynamic section."""
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, 64, 0, 0, 64, 56, 4, 64, 0, 0
    )
    dynamic = (dynamic_at, dynamic_at, dynamic_at, dynamic_size, dynamic_size)
    segments = (
        (_LOAD, _READ_EXECUTE, 0, 0, 0, end, end, _ALIGN),
        (_LOAD, _READ_WRITE) + dynamic + (_ALIGN,),
        (_DYNAMIC, _READ_WRITE) + dynamic + (8,),
        (_STACK, _READ_WRITE, 0, 0, 0, 0, 0, 16),
    )
    return header + b"".join(struct.pack("<IIQQQQQQ", *segment) for segment in segments)


class _Strings:
    """An ELF string table."""

    def __init__(self) -> None:
        self.data = bytearray(1)

    def add(self, text: str) -> int:
        at = len(self.data)
        self.data += text.encode() + b"\0"
        return at
