"""Files of metrics that jobs write, read as they grow: each byte once, however often a page asks."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from batchai_scenario.schema.eventfiles import reader_of
from batchai_scenario.schema.measured import MOST_BYTES

if TYPE_CHECKING:
    from batchai_scenario.schema.eventfiles import EventsReader
    from batchai_scenario.schema.measured import LinesReader

_KEPT = 64
_BLOCK = 1 << 20


class MeasuredFiles:
    """Remembers what was read of the files that were asked for last; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: OrderedDict[tuple[str, str], _OpenFile] = OrderedDict()

    def read(self, job: str, file: str, path: str, fd: int) -> list[dict[str, Any]]:
        """Give the metrics of a file.

        Args:
            job: The job's id.
            file: The file's name for people: ``MODEL/metrics.jsonl``.
            path: Its path in its output directory, which says what it is.
            fd: The open file, which is closed.
        """
        with os.fdopen(fd, "rb") as stream, self._lock:
            status = os.fstat(stream.fileno())
            known = self._files.pop((job, file), None)
            if known is None or known.inode != status.st_ino or status.st_size < known.offset:
                reader = reader_of(path)
                if reader is None:
                    return []
                known = _OpenFile(status.st_ino, reader)
            stream.seek(known.offset)
            while known.offset < MOST_BYTES and (block := stream.read(_BLOCK)):
                known.offset += len(block)
                known.reader.feed(block)
            self._files[job, file] = known
            while len(self._files) > _KEPT:
                self._files.popitem(last=False)
            return known.reader.series(file)


class _OpenFile:
    def __init__(self, inode: int, reader: LinesReader | EventsReader) -> None:
        self.inode = inode
        self.reader = reader
        self.offset = 0
