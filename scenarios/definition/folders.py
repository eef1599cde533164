"""Walking a folder of this machine: links are followed, and every walk has an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_ENTRIES = 1_000_000
"""Entries after which a walk gives up."""


class TooMuchError(Exception):
    """A folder holds more than can be meant."""

    def __str__(self) -> str:
        """Say how much is too much."""
        return f"holds more than {MOST_ENTRIES:,} files"


def walk_folder(folder: Path) -> Iterator[Path]:
    """Give everything below a folder that is no folder itself, sorted, folders that links lead to included.

    A link that leads back to a folder on the way to it (device and inode) is not entered. What is given may
    be a link that leads nowhere, a FIFO, a file that cannot be read.

    Raises:
        TooMuchError: there is no end to it.
        OSError: a folder cannot be read.
    """
    count = 0
    way = [_identity(folder)]
    levels = [iter(sorted(folder.iterdir()))]
    while levels:
        path = next(levels[-1], None)
        if path is None:
            levels.pop()
            way.pop()
            continue
        count += 1
        if count > MOST_ENTRIES:
            raise TooMuchError
        if not path.is_dir():
            yield path
        elif _identity(path) not in way:
            way.append(_identity(path))
            levels.append(iter(sorted(path.iterdir())))


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino
