"""Names in large folders, remembered between the pages of their lists."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NamedEntry = tuple[str, bool]
"""A name in a folder, and whether it is a directory's."""

LARGE = 2_000
"""Names from which on a folder is remembered: each page of its list would read and sort it anew."""


class FolderNames:
    """What stands in folders, in order; safe from any thread.

    N1. A large folder is read once and remembered for as long as the kernel's time of its last change says
        that nothing was added, removed or renamed. One that has changed within a second is read again.
    """

    most = 500_000
    """Names that are remembered, of all folders together."""

    settled_after = 1_000_000_000
    """Nanoseconds after which a folder's time tells one change from the next: kernels tick coarsely."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], tuple[int, Sequence[NamedEntry]]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, fd: int, read: Callable[[], tuple[Sequence[NamedEntry], bool]]) -> Sequence[NamedEntry]:
        """Give the names in an open folder as ``read`` does, which tells whether they may be kept, too."""
        status = os.fstat(fd)
        key, changed = (status.st_dev, status.st_ino), status.st_ctime_ns
        with self._lock:
            known = self._known.get(key)
            if known is not None and known[0] == changed:
                self._known.move_to_end(key)
                return known[1]
        settled = time.time_ns() - changed > self.settled_after
        names, lasting = read()
        with self._lock:
            self._known.pop(key, None)
            if lasting and settled and len(names) >= LARGE:
                self._known[key] = changed, names
            while sum(len(kept) for _, kept in self._known.values()) > self.most:
                self._known.popitem(last=False)
        return names
