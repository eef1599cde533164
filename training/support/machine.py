"""What this machine must be and have before anything is fetched for it."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
from collections.abc import Iterable
from pathlib import Path

from training.support.events import RequirementError

_LIBRARIES = ("libstdc++.so.6", "libz.so.1")
_ST_NOEXEC = getattr(os, "ST_NOEXEC", 8)


def this_machine() -> tuple[str, str, str]:
    """Give the system, the processor and the C library: ``("Linux", "x86_64", "glibc")``."""
    return platform.system(), platform.machine(), platform.libc_ver()[0]


def check_platform(what: str, this: tuple[str, str, str] | None = None) -> None:
    """See that programs for Linux with glibc on x86-64 run here (or on ``this`` machine).

    Raises:
        RequirementError: they do not; ``what`` begins the sentence: "CNTK's wheels are for Linux with glibc ...".
    """
    system, machine, library = this or this_machine()
    if (system, machine, library) == ("Linux", "x86_64", "glibc"):
        return
    without = " without glibc" if system == "Linux" and library != "glibc" else ""
    raise RequirementError(
        f"{what} for Linux with glibc on x86-64; this machine is {system} {machine}{without}.",
        "Use a Docker engine that runs x86-64 images, or another machine.",
    )


def check_libraries() -> None:
    """See that the libraries which every wheel may expect of a system are there.

    Raises:
        RequirementError: one is not; names it, and the package that has it.
    """
    for name in _LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            raise RequirementError(
                f"this system has no {name}.",
                "Install it: your system's package libstdc++6 or libstdc++, zlib1g or zlib.",
            ) from None


def check_programs(what: str, names: Iterable[str]) -> None:
    """See that this machine has the programs that ``what`` is made with.

    Raises:
        RequirementError: one is not on PATH; names it.
    """
    for name in names:
        if shutil.which(name) is None:
            raise RequirementError(
                f"{what} is compiled on this machine, which has no {name}.",
                f"Install it: your system's package {name} (gcc-c++ on Fedora), or use a Docker engine.",
            )


def check_place(folder: Path, room: int, *, programs: bool = True) -> None:
    """See that a folder, or the nearest one above it that exists, can hold so many bytes, and run ``programs``.

    Raises:
        RequirementError: it may not be written, programs in it may not be run, or there is no room.
    """
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK | os.X_OK):
        raise RequirementError(
            f"{existing} may not be written.", "Name another home folder with SCENARIO_HOME."
        )
    if programs and os.statvfs(existing).f_flag & _ST_NOEXEC:
        raise RequirementError(
            f"{existing} is on a file system that is mounted noexec, so no program in it can run.",
            "Name a home folder on another file system with SCENARIO_HOME, or use a Docker engine.",
        )
    free = shutil.disk_usage(existing).free
    if free < room:
        raise RequirementError(
            f"{existing} has {free / 1e6:.0f} MB free, and {room / 1e6:.0f} MB are needed.",
            "Make room, or name another home folder with SCENARIO_HOME.",
        )
