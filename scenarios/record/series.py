"""Every value of a run's metrics over time: ``metrics.jsonl`` in the run's folder, a line for each.

``{"job": "train", "name": "loss", "value": 0.31, "unit": "", "at": "2018-06-06T12:00:00.000Z"}``; what is no
finite number is written as text (``"nan"``). Whoever begins to read a job's logs anew says so:
``{"job": "train", "again": true}``; then come the same values as before, which keep the times of when they
were seen first.
"""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from batchai_scenario.scenarios.record.record import now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE = "metrics.jsonl"
MEASURED = "measured"
"""Folder of what jobs wrote into files of their own: ``<job>.json``, read when the job had ended."""


MOST_POINTS = 5000
"""Points of a curve that are given; of more each n-th, and always the last."""


class SeriesWriter:
    """Appends what is seen; for the process that owns the run."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._begun: set[str] = set()

    def begin(self, job: str) -> None:
        """Note that a job's logs are read from their first byte on."""
        if job in self._begun or self._file.exists():
            self._write({"job": job, "again": True})
        self._begun.add(job)

    def add(self, job: str, name: str, value: float, unit: str) -> None:
        """Note a value."""
        told = value if math.isfinite(value) else str(value)
        at = now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._write({"job": job, "name": name, "value": told, "unit": unit, "at": at})

    def _write(self, line: dict[str, Any]) -> None:
        with suppress(OSError), self._file.open("a", encoding="utf-8") as file:  # no reason to end a run
            file.write(json.dumps(line) + "\n")


def read_series(folder: Path) -> list[dict[str, Any]]:
    """Read a run's metrics; empty if none was seen. Lines that are damaged are left out.

    Each has ``job``, ``name``, ``unit``, and ``points`` of [step, time, value]: steps count from 1, and the
    value is None if it was no finite number. Those that a job wrote into a file have its name as ``file``.
    """
    return [*_seen(folder), *_measured(folder)]


def keep_measured(folder: Path, job: str, series: Sequence[dict[str, Any]]) -> None:
    """Keep what a job that ended wrote into files of metrics."""
    target = folder / MEASURED / f"{job}.json"
    with suppress(OSError):  # no reason to end a run
        target.parent.mkdir(mode=0o700, exist_ok=True)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_text(json.dumps(series), encoding="utf-8")
        draft.replace(target)


def _measured(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for file in sorted((folder / MEASURED).glob("[!.]*.json")):
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            kept = json.loads(file.read_bytes())
            found += [{**one, "job": file.stem, "points": [list(it) for it in one["points"]]} for one in kept]
    return found


def _seen(folder: Path) -> list[dict[str, Any]]:
    """Read what was seen in logs."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    series: dict[tuple[str, str], dict[str, Any]] = {}
    before: dict[tuple[str, str], list[list[Any]]] = {}
    for line in map(_parsed, text.splitlines()):
        job = str(line.get("job"))
        if line.get("again"):
            for key in [key for key in series if key[0] == job]:
                before[key], series[key]["points"] = series[key]["points"], []
        elif "name" in line and "value" in line:
            key = (job, str(line["name"]))
            one = series.setdefault(
                key, {"job": job, "name": key[1], "unit": str(line.get("unit", "")), "points": []}
            )
            at, points = str(line.get("at", "")), one["points"]
            known = before.get(key, [])
            if len(points) < len(known) and known[len(points)][2] == line["value"]:
                at = known[len(points)][1]
            points.append([len(points) + 1, at, line["value"]])
    for one in series.values():
        one["points"] = thinned([[step, at, _number(value)] for step, at, value in one["points"]])
    return [one for one in series.values() if one["points"]]


def thinned(points: list[Any]) -> list[Any]:
    """Leave at most ``MOST_POINTS`` points, evenly; the last stays."""
    if len(points) <= MOST_POINTS:
        return points
    step = math.ceil(len(points) / MOST_POINTS)
    return [*points[:-1:step], points[-1]]


def _number(value: object) -> float | None:
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
