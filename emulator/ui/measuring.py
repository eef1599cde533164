"""Files of metrics that jobs write, read as they grow: each byte once, however often a page asks."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, BinaryIO

from batchai_scenario.schema.eventfiles import reader_of
from batchai_scenario.schema.measured import MOST_BYTES, LinesReader

if TYPE_CHECKING:
    from batchai_scenario.schema.eventfiles import EventsReader

_KEPT, _MOST_KEPT = 64, 500_000
"""Files, and points of all of them, that are remembered."""

_BLOCK = 1 << 16
_AT_ONCE = 8 << 20
_DEAR = 8  # times that a byte of an event file, with its checksums, costs one of a file of lines


class Allowance:
    """What may be read for one answer: files as a job may write them would keep the emulator for minutes.

    ``more`` tells that something was left for the next answer.
    """

    def __init__(self) -> None:
        self.left = _AT_ONCE
        self.more = False


class MeasuredFiles:
    """Remembers what was read of the files that were asked for last; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[tuple[str, str], _OpenFile] = OrderedDict()

    def read(self, job: str, file: str, path: str, fd: int, allowed: Allowance) -> list[dict[str, Any]]:
        """Give the metrics of a file.

        Args:
            job: The job's id.
            file: The file's name for people: ``MODEL/metrics.jsonl``.
            path: Its path in its output directory, which says what it is.
            fd: The open file, which is closed.
            allowed: What may still be read for this answer.
        """
        with os.fdopen(fd, "rb") as stream, self._lock:
            status = os.fstat(stream.fileno())
            known = self._files.pop((job, file), None)
            if known is None or known.inode != status.st_ino or status.st_size < known.offset:
                reader = reader_of(path)
                if reader is None:
                    return []
                known = _OpenFile(status.st_ino, reader)
            known.read(stream, status.st_size, allowed)
            self._files[job, file] = known
            while len(self._files) > 1 and (len(self._files) > _KEPT or self._points() > _MOST_KEPT):
                self._files.popitem(last=False)
            return known.reader.series(file)

    def _points(self) -> int:
        return sum(file.reader.kept for file in self._files.values())


class _OpenFile:
    def __init__(self, inode: int, reader: LinesReader | EventsReader) -> None:
        self.inode = inode
        self.reader = reader
        self.offset = 0
        self._cost = 1 if isinstance(reader, LinesReader) else _DEAR

    def read(self, stream: BinaryIO, size: int, allowed: Allowance) -> None:
        """Read on, as far as is allowed."""
        stream.seek(self.offset)
        while self.offset < (end := min(size, MOST_BYTES)):
            if allowed.left <= 0:
                allowed.more = True
                return
            block = stream.read(min(_BLOCK, end - self.offset))
            if not block:
                return
            self.offset += len(block)
            allowed.left -= len(block) * self._cost
            self.reader.feed(block)
