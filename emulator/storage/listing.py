"""What a directory of a share holds, as its clients see it."""

from __future__ import annotations

import itertools
import os
import stat as modes
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.emulator.state import beneath
from batchai_scenario.emulator.storage.names import is_presentable
from batchai_scenario.emulator.storage.tree import status_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchai_scenario.emulator.storage.remembered import FolderNames, NamedEntry
    from batchai_scenario.emulator.storage.tree import Found


MOST_COUNTED = 50_000
"""Entries among which names that cannot be told are looked for."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of a directory: ``size`` in bytes, 0 for a directory; ``modified`` in ns since 1970."""

    name: str
    is_directory: bool
    size: int
    modified: int
    inode: int
    stat: os.stat_result


def entries(directory: Found, known: FolderNames) -> Sequence[NamedEntry]:
    """List a directory as (name, whether it is a directory), sorted by name without regard to case.

    Left out: what ``find`` would not find, names that cannot be written in XML, and links to a directory that
    stands on the way to this one already: whoever enters all that is listed comes to an end.
    """
    fd = directory.open(os.O_RDONLY | os.O_DIRECTORY)
    try:
        return known.of(fd, lambda: _read(directory, fd))
    finally:
        os.close(fd)


def page(names: Sequence[NamedEntry], prefix: str, start: str, limit: int) -> Sequence[NamedEntry]:
    """Give at most ``limit`` of the names that begin with ``prefix`` in any case, from ``start`` on."""
    low = bisect_left(names, _order((start, False)), key=_order)
    if not prefix:
        return names[low : low + limit]
    beginning = prefix.lower()
    low = max(low, bisect_left(names, beginning, key=lambda item: item[0].lower()))
    found = itertools.takewhile(
        lambda item: item[0].lower().startswith(beginning), itertools.islice(names, low, None)
    )
    return list(itertools.islice(found, limit))


def _read(directory: Found, fd: int) -> tuple[list[NamedEntry], bool]:
    """Read a directory; whether what it holds is all its own: what is behind a link changes without it."""
    names: list[NamedEntry] = []
    links = 0
    with os.scandir(fd) as scan:
        for entry in scan:
            name = entry.name
            if not is_presentable(name):
                continue
            if entry.is_symlink():
                links += 1
                status = _behind_link(directory, name)
                if status is not None:
                    names.append((name, modes.S_ISDIR(status.st_mode)))
            elif entry.is_dir(follow_symlinks=False):
                names.append((name, True))
            elif entry.is_file(follow_symlinks=False):
                names.append((name, False))
    names.sort(key=_order)
    return names, not links


def _order(item: NamedEntry) -> tuple[str, str]:
    return item[0].lower(), item[0]


def describe(directory: Found, names: Sequence[NamedEntry]) -> list[Listed]:
    """Add size and time to entries; those that vanished meanwhile are left out."""
    listed = []
    for name, is_directory in names:
        status = beneath.look(name, directory.fd)
        if status is not None and modes.S_ISLNK(status.st_mode):
            status = _behind_link(directory, name)
        if status is None or modes.S_ISDIR(status.st_mode) != is_directory:
            continue
        size = 0 if is_directory else status.st_size
        listed.append(Listed(name, is_directory, size, status.st_mtime_ns, status.st_ino, status))
    return listed


def count_untold(root: str, path: str) -> int:
    """Count the files below a folder that stand in no listing because of their names.

    These are names that are not UTF-8, and names with control characters, a line's end among them. Of a
    very large folder the first ``MOST_COUNTED`` entries are looked at.
    """
    seen = untold = 0
    with suppress(OSError), beneath.opened(root, [part for part in path.split("/") if part]) as top:
        for folder in beneath.walk(top):
            hidden = not all(map(is_presentable, folder.parts))
            for name in folder.names:
                seen += 1
                if hidden or not is_presentable(name):
                    status = beneath.look(name, folder.fd)
                    untold += status is not None and not modes.S_ISDIR(status.st_mode)
            if seen > MOST_COUNTED:
                break
    return untold


def _behind_link(directory: Found, name: str) -> os.stat_result | None:
    """Look at what a link leads to; None if it is outside, nothing to be shown, or on the way already."""
    here = directory.path.split("/") if directory.path else []
    status = status_of(directory.root, (*here, name))
    if status is None or not modes.S_ISDIR(status.st_mode):
        return status
    way = directory.way
    above = (status_of(directory.root, way[:depth]) for depth in range(len(way) + 1))
    met = {(known.st_dev, known.st_ino) for known in above if known is not None}
    met.add((directory.stat.st_dev, directory.stat.st_ino))
    return None if (status.st_dev, status.st_ino) in met else status
