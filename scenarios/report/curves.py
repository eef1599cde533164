"""Metrics while they change, drawn with the characters of a terminal."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-~=+*#"
_WIDTH = 24
_MOST = 4096


class Curve:
    """The values of a metric, in order; of very many each second one is kept."""

    def __init__(self, unit: str = "") -> None:
        self.unit = unit
        self.values: list[float] = []

    def add(self, value: float) -> None:
        """Add the next value."""
        self.values.append(value)
        if len(self.values) > _MOST:
            self.values = self.values[1::2]

    @property
    def last(self) -> str:
        """Write the last value."""
        return f"{self.values[-1]:g} {self.unit}".rstrip() if self.values else ""

    def drawn(self, blocks: str = BLOCKS, width: int = _WIDTH) -> str:
        """Draw the values as a line of blocks, the lowest and the highest value at its bounds."""
        means = list(_means(self.values, width))
        if not means:
            return ""
        low, high = min(means), max(means)
        span = high - low
        steps = len(blocks) - 1
        return "".join(blocks[round(steps * (mean - low) / span) if span else steps // 2] for mean in means)


def _means(values: Sequence[float], width: int) -> list[float]:
    """Give at most ``width`` means of neighbouring values."""
    count = min(len(values), width)
    edges = [len(values) * index // count for index in range(count + 1)] if count else []
    return [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]


def remaining(seconds: float, epoch: int, total: int) -> float:
    """Estimate the seconds that are left after ``epoch`` of ``total`` epochs took so many."""
    return seconds / epoch * (total - epoch)
