"""Curves as SVG that needs no script: axes, a line for each, the values of few points under the pointer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WIDTH, HEIGHT = 760, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 14, 12, 44
COLOURS = 8
MOST_POINTS = 600
"""Points of a curve that are drawn; of more each n-th, and the last."""

_NOTHING, _HUGE = 1e-290, 1e300
"""Below the one a number is drawn as nothing, above the other as that: their differences can be divided."""

MARKED = 60
"""Points up to which each is a dot that tells its value."""


@dataclass(frozen=True, slots=True)
class DrawnCurve:
    """A curve: its name, and points of (step, value); a value of None is a gap."""

    name: str
    points: Sequence[tuple[float, float | None]]

    @property
    def values(self) -> list[float]:
        """Give the values that are numbers."""
        return [value for _, value in self.points if value is not None]

    @property
    def gaps(self) -> int:
        """Count what is no finite number."""
        return len(self.points) - len(self.values)


def ticks(low: float, high: float, count: int) -> list[float]:
    """Give round numbers between two others, about so many; those two must differ."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(by * power for by in (1, 2, 5, 10) if by * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def chart(title: str, curves: Sequence[DrawnCurve]) -> str:
    """Draw curves as HTML, names escaped; empty if no value is a number."""
    xs = [_bounded(x) for curve in curves for x, value in curve.points if value is not None]
    ys = [_bounded(value) for curve in curves for value in curve.values]
    if not ys:
        return ""
    x_low, x_high = _apart(min(xs), max(xs), 0.0)
    y_low, y_high = _apart(min(ys), max(ys), 0.04)

    def across(x: float) -> float:
        return _LEFT + (_bounded(x) - x_low) / (x_high - x_low) * (WIDTH - _LEFT - _RIGHT)

    def down(y: float) -> float:
        return HEIGHT - _BOTTOM - (_bounded(y) - y_low) / (y_high - y_low) * (HEIGHT - _TOP - _BOTTOM)

    last = "; ".join(f"{curve.name}: {curve.values[-1]:g}" for curve in curves[:COLOURS] if curve.values)
    label = f"{escape(title)}, last values: {escape(last)}"
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">']
    for y in ticks(y_low, y_high, 5):
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{down(y):.1f}" y2="{down(y):.1f}"/>'
        )
        parts.append(f'<text x="{_LEFT - 6}" y="{down(y) + 4:.1f}" text-anchor="end">{_short(y)}</text>')
    parts += [
        f'<text x="{across(x):.1f}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{_short(x)}</text>'
        for x in ticks(x_low, x_high, 7)
    ]
    parts.append(f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 4}" text-anchor="end">step</text>')
    for index, curve in enumerate(curves):
        parts += _line(curve, index, across, down)
    return "\n".join([*parts, "</svg>"])


def _line(
    curve: DrawnCurve, index: int, across: Callable[[float], float], down: Callable[[float], float]
) -> Iterator[str]:
    """Draw one curve: a path that is interrupted where there is no value, and dots where there are few."""
    style = f"c{index % COLOURS}"
    path, pen = [], "M"
    for x, value in _thinned(curve.points):
        if value is None:
            pen = "M"
            continue
        path.append(f"{pen}{across(x):.1f} {down(value):.1f}")
        pen = "L"
    yield f'<path class="curve {style}" d="{" ".join(path)}"/>'
    if len(curve.points) <= MARKED:
        for x, value in curve.points:
            if value is not None:
                place = f'cx="{across(x):.1f}" cy="{down(value):.1f}" r="3.5"'
                told = f"<title>{escape(curve.name)}, step {x:g}: {value:g}</title>"
                yield f'<circle class="{style}" {place}>{told}</circle>'


def _thinned(points: Sequence[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    step = math.ceil(len(points) / MOST_POINTS) or 1
    return [*points[:-1:step], *points[-1:]]


def _apart(low: float, high: float, more: float) -> tuple[float, float]:
    """Give bounds that differ, with ``more`` of their distance beyond each."""
    if high - low <= max(abs(low), abs(high)) * 1e-12 or high - low < _NOTHING:
        by = abs(low) * 0.1 or 1.0
        return low - by, high + by
    by = (high - low) * more
    return low - by, high + by


def _bounded(number: float) -> float:
    return max(-_HUGE, min(_HUGE, number))


def _short(number: float) -> str:
    return f"{0.0 if abs(number) < _NOTHING else number:.5g}"
