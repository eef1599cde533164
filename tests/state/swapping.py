"""A job that swaps folders for links between two system calls of ours, without a clock or a second thread.

Python tells an audit hook of each call before it makes it (``open``, ``os.mkdir``, ``os.rename``, ...): that
is the moment at which another process may have changed anything. A plan says at which calls the job moves.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_CALLS = ("open", "os.", "shutil.")


class Moves:
    """Calls ``move(number)`` before each system call of the thread that is inside ``watch``."""

    def __init__(self) -> None:
        self._move: Callable[[int], None] | None = None
        self._thread = 0
        self._count = 0
        sys.addaudithook(self._hear)  # hooks cannot be removed: one for all tests of a process

    @contextmanager
    def watch(self, move: Callable[[int], None]) -> Iterator[None]:
        self._move, self._thread, self._count = move, threading.get_ident(), 0
        try:
            yield
        finally:
            self._move = None

    @property
    def count(self) -> int:
        """How many calls the last ``watch`` saw."""
        return self._count

    def _hear(self, event: str, _: object) -> None:
        move = self._move
        if move is None or threading.get_ident() != self._thread or not event.startswith(_CALLS):
            return
        self._move = None  # what the job does itself is not counted
        try:
            move(self._count)
        finally:
            self._count += 1
            self._move = move


_made: list[Moves] = []


def moves() -> Moves:
    """Give this process's only hook."""
    if not _made:
        _made.append(Moves())
    return _made[0]


class Swapping:
    """A job with folders and files that it puts aside for links to ``outside`` and its file, and back.

    Args:
        victims: the folders (or files) that it swaps.
        outside: where its links lead.
        aside: a folder for what it puts away, on the same file system.
    """

    def __init__(self, victims: Sequence[Path], outside: Path, aside: Path) -> None:
        self._victims = victims
        self._outside = outside
        self._aside = aside
        aside.mkdir(exist_ok=True)

    def swap(self, which: int) -> None:
        """Put a link in a folder's place, or the folder back."""
        victim, kept = self._victims[which], self._aside / str(which)
        if os.path.realpath(victim.parent) != str(victim.parent):
            return  # a container's links do not lead it out of the container
        try:
            if victim.is_symlink():
                victim.unlink()
                if os.path.lexists(kept):
                    kept.rename(victim)
            elif victim.exists():
                target = self._outside if victim.is_dir() else self._outside / "precious"
                victim.rename(kept)
                victim.symlink_to(target)
        except OSError:
            return  # somebody is at it: the next move will do

    def at(self, call: int, which: int) -> Callable[[int], None]:
        """Swap one victim before the call of that number."""
        return lambda number: self.swap(which) if number == call else None

    def seeded(self, seed: int, share: float = 0.3) -> Callable[[int], None]:
        """Swap any of them before a share of all calls."""
        chance = random.Random(seed)

        def move(_: int) -> None:
            if chance.random() < share:
                self.swap(chance.randrange(len(self._victims)))

        return move


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes | None]]:
    """Read everything of a folder that a system call of ours could change, and what stands in it."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return found
