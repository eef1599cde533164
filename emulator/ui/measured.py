"""Metrics that a job writes into files of its own: ``metrics.jsonl`` in an output directory.

Each line is an object. Its numbers are values of metrics by their names, but ``step`` (or ``epoch``), which
says where it stands, and ``time`` (seconds since 1970, or ISO 8601), which says when. Without a step lines
are counted. Python writes NaN and Infinity, which are no JSON: they are taken, as gaps.
"""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = "metrics.jsonl"
MOST_BYTES = 64 << 20
"""Bytes of a file that are read, from its beginning."""

MOST_POINTS = 5000
_NOT_METRICS = ("step", "epoch", "time")


def read_lines(lines: Iterable[bytes], file: str) -> list[dict[str, Any]]:
    """Read the lines of a file: a list of ``name``, ``file``, ``unit``, ``points`` of [step, time, value].

    Lines that are no objects are left out; a value that is no finite number is None.
    """
    found: dict[str, list[list[Any]]] = {}
    for number, line in enumerate(lines, 1):
        entry = _object(line)
        step = _step(entry, number)
        at = _time(entry.get("time"))
        for name, value in entry.items():
            if name in _NOT_METRICS or isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            found.setdefault(name, []).append([step, at, value if _finite(value) else None])
    return [
        {"name": name, "file": file, "unit": "", "points": _thinned(points)} for name, points in found.items()
    ]


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _step(entry: dict[str, Any], number: int) -> float:
    for name in ("step", "epoch"):
        step = entry.get(name)
        if isinstance(step, (int, float)) and not isinstance(step, bool) and _finite(step):
            return step
    return number


def _time(value: object) -> str | None:
    """Write a time as the page reads it; None if it is none."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, timezone.utc)
        else:
            moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat()


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def _thinned(points: list[list[Any]]) -> list[list[Any]]:
    if len(points) <= MOST_POINTS:
        return points
    return [*points[: -1 : math.ceil(len(points) / MOST_POINTS)], points[-1]]
