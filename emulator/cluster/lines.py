"""A set whose first members can be had at any time, at the same cost however many there are."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

R = TypeVar("R", bound=Any)


class Line(Generic[R]):
    """Names in the order of their ranks: a heap, and a mapping that says which entries of it still count.

    What is discarded stays in the heap until it comes first, or until most of the heap is such.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[R, int, str]] = []
        self._entries: dict[str, tuple[R, int, str]] = {}
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Go through the names, in no order."""
        return iter(self._entries)

    def add(self, name: str, rank: R) -> None:
        """Put a name in its place."""
        entry = rank, next(self._numbers), name
        self._entries[name] = entry
        heapq.heappush(self._heap, entry)
        self._tidy()

    def discard(self, name: str) -> None:
        """Take a name out, if it is in."""
        self._entries.pop(name, None)
        self._tidy()

    def first(self) -> tuple[R, str] | None:
        """Give the first rank and name; None if there is nobody."""
        while self._heap:
            rank, number, name = self._heap[0]
            if self._entries.get(name, (rank, -1, name))[1] == number:
                return rank, name
            heapq.heappop(self._heap)
        return None

    def firsts(self, count: int) -> list[str]:
        """Give the first names, at most ``count``; all stay in."""
        taken: list[tuple[R, int, str]] = []
        while len(taken) < count and self.first() is not None:
            taken.append(heapq.heappop(self._heap))
        for entry in taken:
            heapq.heappush(self._heap, entry)
        return [name for _, _, name in taken]

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._entries) + 16:
            self._heap = list(self._entries.values())
            heapq.heapify(self._heap)
