"""Files that are whole or absent, and folders that one program at a time works in."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from training.support.events import Events


@contextmanager
def only_one(folder: Path, events: Events) -> Iterator[None]:
    """Work alone in ``folder`` (made if absent): waits for others; a dead holder's lock frees itself."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = folder / ".lock"
    lock.touch(mode=0o600)
    with locked(lock, f"works in {folder}", events):
        yield


@contextmanager
def locked(path: Path, what: str, events: Events) -> Iterator[None]:
    """Hold a lock on a file that exists; ``what`` completes "waiting for another run that ..."."""
    with path.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            events.note(f"waiting for another run that {what}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that takes its name when it is complete and on the disk; else nothing is left."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Give a file's SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
