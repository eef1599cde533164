"""What has changed in a file since a snapshot, page by page."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from batchai_scenario.emulator.storage.content import CHUNK, data_ranges
from batchai_scenario.emulator.storage.written import PAGE, holds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ChangedRange = tuple[str, int, int]
"""``Range`` or ``ClearRange``, first byte, last byte."""


class File(NamedTuple):
    """An open file and what was written of it, None if nobody kept count.

    ``cleared``: what was cleared of it since the snapshot that it is compared with.
    """

    fd: int
    ranges: list[list[int]] | None
    cleared: Sequence[Sequence[int]] = ()


def path_then(renames: Sequence[Sequence[str]], path: str, then: str, now: str = "") -> str:
    """Give the path that a file had when a snapshot was made.

    Args:
        renames: Time, path before, path after; in order.
        path: The path that it has now, or had in the snapshot ``now``.
        then: When the earlier snapshot was made.
        now: When the later one was made, if it is one.
    """
    for time, before, after in reversed(renames):
        if time <= then:
            break
        if now and time > now:
            continue
        if path == after or path.startswith(after + "/"):
            path = before + path[len(after) :]
    return path


def compare(now: File, then: File | None, first: int, last: int) -> list[ChangedRange]:
    """List the pages between two bytes that were cleared, or differ in content or in being written."""
    if then is None:
        return [("Range", start, end) for start, end in data_ranges(now.fd, first, last)]
    merged: list[ChangedRange] = []
    for position in range(first, last + 1, CHUNK):
        count = min(CHUNK, last + 1 - position)
        data, old = os.pread(now.fd, count, position), os.pread(then.fd, count, position)
        for tag, start, end in _pages(now, then, data, old + bytes(max(0, len(data) - len(old))), position):
            if merged and merged[-1][0] == tag and merged[-1][2] + 1 == start:
                merged[-1] = (tag, merged[-1][1], end)
            else:
                merged.append((tag, start, end))
    return merged


def _pages(now: File, then: File, data: bytes, old: bytes, position: int) -> Iterator[ChangedRange]:
    same = now.ranges is None or then.ranges is None or now.ranges == then.ranges
    if data == old and same and not now.cleared:
        return
    offset = 0
    while offset < len(data):
        start = position + offset
        stop = min((start // PAGE + 1) * PAGE - position, len(data))  # the first page may be cut
        page = data[offset:stop]
        written = bool(page.strip(b"\0")) if now.ranges is None else holds(now.ranges, start)
        before = written if then.ranges is None or now.ranges is None else holds(then.ranges, start)
        cleared = not written and holds(now.cleared, start)
        if page != old[offset:stop] or written != before or cleared:
            yield ("Range" if written else "ClearRange", start, position + stop - 1)
        offset = stop
