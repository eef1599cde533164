"""The emulator's own log, read from any process."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LOOK_SECONDS = 0.25


def emulator_log(
    home: Path, *, follow: bool = False, pause: Callable[[float], object] = time.sleep
) -> Iterator[str]:
    """Give the lines of a home's log, oldest first, without their ends; none if nothing was written.

    Args:
        home: the home folder; whether an emulator serves it does not matter.
        follow: go on for ever with what is written from now on.
        pause: waits between two looks for more, in seconds; what it raises ends the reading.
    """
    from batchai_scenario.emulator.api import Home

    path = Home(home).log
    older = path.with_name(f"{path.name}.1")
    with ExitStack() as held:
        file = _open(older, held)
        if file is not None:
            yield from _lines(file, whole=True)
        file = _open(path, held)
        if file is not None:
            yield from _lines(file, whole=not follow)
        while follow:
            newer = None if file is not None and _same(file, path) else _open(path, held)
            if newer is None:
                pause(_LOOK_SECONDS)
            elif file is not None:
                yield from _lines(file, whole=True)  # what came before it was put aside
                file.close()
            file = newer or file
            if file is not None:
                yield from _lines(file, whole=False)


def _open(path: Path, held: ExitStack) -> TextIO | None:
    try:
        return held.enter_context(path.open(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return None


def _same(file: TextIO, path: Path) -> bool:
    """Tell whether the log is still this file: one that is full is put aside."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return True


def _lines(file: TextIO, *, whole: bool) -> Iterator[str]:
    """Give the lines that are there; ``whole``: also one that has no end yet."""
    while True:
        place = file.tell()
        line = file.readline()
        if not line:
            return
        if not (line.endswith("\n") or whole):
            file.seek(place)
            return
        yield line.rstrip("\n")
