"""Metrics that a job writes into files of its own: ``metrics.jsonl`` in an output directory.

Each line is an object. Its numbers are values of metrics by their names, but ``step`` (or ``epoch``), which
says where it stands, and ``time`` (seconds since 1970, or ISO 8601), which says when. Without a step lines
are counted. Python writes NaN and Infinity, which are no JSON: they are taken, as gaps. Event files of
TensorBoard are read by ``eventfiles``.
"""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = "metrics.jsonl"
MOST_BYTES = 64 << 20
"""Bytes of a file that are read, from its beginning."""

MOST_POINTS = 5000
"""Points of a metric that are kept; of more each n-th, and the last."""

MOST_NAMES = 500
"""Metrics of a file that are kept, the first ones."""

MOST_KEPT = 50_000
"""Points of all metrics of a file that are kept; when there are more each second one of every metric goes."""

LONGEST_LINE = 1 << 20
"""Bytes of a line that is read. Longer ones are passed over."""

LONGEST_NAME = 200
"""Characters of a metric's name. What has a longer one is passed over."""

HIGHEST_STEP = 1 << 63
"""Where no step stands any more: a number beyond is none."""

_NOT_METRICS = ("step", "epoch", "time")

MeasuredPoint = tuple[float, "str | None", "float | None"]
"""Step, time (ISO 8601), value; None for a time that is not known and a value that is no finite number."""


class Measurements:
    """The metrics of one file, point by point."""

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}
        self.kept = 0

    def add(self, name: str, step: float, at: str | None, value: float) -> None:
        """Take a value."""
        if len(name) > LONGEST_NAME or (name not in self._series and len(self._series) >= MOST_NAMES):
            return
        point = (step, at, value if _finite(value) else None)
        self.kept += self._series.setdefault(name, _Series()).add(point)
        if self.kept > MOST_KEPT:
            self.kept -= sum(series.thin() for series in self._series.values())

    def told(self, file: str) -> list[dict[str, Any]]:
        """Give ``name``, ``file``, ``unit`` (empty) and ``points`` of each metric."""
        return [
            {"name": name, "file": file, "unit": "", "points": series.points()}
            for name, series in self._series.items()
        ]


class _Series:
    """Points of a metric; when there are too many each second one goes."""

    def __init__(self) -> None:
        self._points: list[MeasuredPoint] = []
        self._every = 1
        self._seen = 0
        self._last: MeasuredPoint | None = None

    def add(self, point: MeasuredPoint) -> int:
        """Take a point; give how many more are kept now."""
        more = 0
        if self._seen % self._every == 0:
            self._points.append(point)
            more = 1
        self._seen += 1
        self._last = point
        return more - self.thin() if len(self._points) > MOST_POINTS else more

    def thin(self) -> int:
        """Let each second point go; give how many went."""
        before = len(self._points)
        self._points = self._points[::2]
        self._every *= 2
        return before - len(self._points)

    def points(self) -> list[list[Any]]:
        found = [list(point) for point in self._points]
        if self._last is not None and (self._seen - 1) % self._every:
            found.append(list(self._last))
        return found


class LinesReader:
    """Reads a file of lines as it grows."""

    def __init__(self) -> None:
        self._measurements = Measurements()
        self._lines = 0
        self._pending = b""
        self._too_long = False

    @property
    def kept(self) -> int:
        """Count the points that are kept."""
        return self._measurements.kept

    def feed(self, data: bytes) -> None:
        """Take what was added to the file."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._lines += 1
            is_read, self._too_long = not self._too_long and len(line) <= LONGEST_LINE, False
            for name, point in _values(line, self._lines) if is_read else ():
                self._measurements.add(name, *point)
        if len(self._pending) > LONGEST_LINE:
            self._pending, self._too_long = b"", True

    def series(self, file: str) -> list[dict[str, Any]]:
        """Give the metrics; a last line may lack its end."""
        if not self._too_long and any(True for _ in _values(self._pending, 0)):
            self.feed(b"\n")
        return self._measurements.told(file)


def _values(line: bytes, number: int) -> Iterator[tuple[str, tuple[float, str | None, float]]]:
    """Give the numbers of a line, each with its step and time; none if the line is no object."""
    entry = _object(line)
    step, at = _step(entry, number), _time(entry.get("time"))
    for name, value in entry.items():
        if name not in _NOT_METRICS and isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, (step, at, value)


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _step(entry: dict[str, Any], number: int) -> float:
    for name in ("step", "epoch"):
        step = entry.get(name)
        if isinstance(step, (int, float)) and not isinstance(step, bool) and abs(step) < HIGHEST_STEP:
            return step
    return number


def _time(value: object) -> str | None:
    """Write a time as the page reads it; None if it is none."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return moment_of(value)
        return datetime.fromisoformat(str(value).replace("Z", "+00:00")).isoformat()
    except ValueError:
        return None


def moment_of(seconds: float) -> str | None:
    """Write seconds since 1970 as ISO 8601; None if they are no time."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False
