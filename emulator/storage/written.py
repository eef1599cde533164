"""Which ranges of a file were written, in pages of 512 bytes as the service knows them; pure functions.

Ranges are lists of ``[first, last]`` in bytes, in order, apart from one another; both ends on pages, the last
one beyond the end of the file if the file ends within its page.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = 512

MOST = 4096
"""Ranges that are kept of one file; of a file with more the file system's blocks are told instead."""

Ranges = list[list[int]]


def add(ranges: Ranges, first: int, last: int) -> Ranges:
    """Give the ranges after a write."""
    start, end = first // PAGE * PAGE, last // PAGE * PAGE + PAGE - 1
    low = bisect_left(ranges, start - 1, key=lambda item: item[1])
    high = bisect_right(ranges, end + 1, key=lambda item: item[0])
    if low < high:
        start, end = min(start, ranges[low][0]), max(end, ranges[high - 1][1])
    return [*ranges[:low], [start, end], *ranges[high:]]


def clear(ranges: Ranges, first: int, last: int, size: int) -> Ranges:
    """Give the ranges after pages were cleared: those that lie wholly between, or up to the file's end."""
    start = -(-first // PAGE) * PAGE
    end = last // PAGE * PAGE + PAGE - 1 if last >= size - 1 else (last + 1) // PAGE * PAGE - 1
    if end < start:
        return ranges
    left: Ranges = []
    for low, high in ranges:
        if high < start or low > end:
            left.append([low, high])
            continue
        if low < start:
            left.append([low, start - 1])
        if high > end:
            left.append([end + 1, high])
    return left


def since(cleared: Sequence[tuple[str, int, int]], snapshot: str) -> Ranges:
    """Give what was cleared since a snapshot: the pages that lie wholly within."""
    found: Ranges = []
    for newest, first, last in cleared:
        start, end = -(-first // PAGE) * PAGE, (last + 1) // PAGE * PAGE - 1
        if newest >= snapshot and start <= end:
            found = add(found, start, end)
    return found


def clip(ranges: Ranges, size: int) -> Ranges:
    """Give the ranges of a file that was cut to ``size`` bytes."""
    end = -(-size // PAGE) * PAGE - 1
    return [[low, min(high, end)] for low, high in ranges if low <= end]


def within(ranges: Sequence[Sequence[int]], first: int, last: int) -> Ranges:
    """Give the parts of ranges between two bytes."""
    low = bisect_left(ranges, first, key=lambda item: item[1])
    found = []
    for start, end in ranges[low:]:
        if start > last:
            break
        found.append([max(start, first), min(end, last)])
    return found


def holds(ranges: Sequence[Sequence[int]], position: int) -> bool:
    """Tell whether a byte lies in one of the ranges."""
    low = bisect_left(ranges, position, key=lambda item: item[1])
    return low < len(ranges) and ranges[low][0] <= position
