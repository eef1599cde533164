"""What a report says of a run: plain values, read from its record, its metrics and the files of its jobs."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import ScenarioError
from batchai_scenario.scenarios.definition.expect import check_outputs, check_state, limits_of
from batchai_scenario.scenarios.document.drawing import DrawnCurve
from batchai_scenario.scenarios.record.ranking import ranked
from batchai_scenario.scenarios.record.series import read_series
from batchai_scenario.scenarios.report.text import clean
from batchai_scenario.scenarios.report.words import values_text
from batchai_scenario.scenarios.run.files import STANDARD
from batchai_scenario.scenarios.run.finish import files_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.scenarios.record.model import JobPart, OutputRecord, RunRecord
    from batchai_scenario.scenarios.record.record import Run
    from batchai_scenario.scenarios.run.files import JobFiles

MOST_JOBS = 40
"""Jobs of a sweep of which all is told: the best ones. Of the others stands what the ranking says."""

MOST_LOGS = 24
"""Log files of a job of which the end is told."""

LAST_LINES = 40
_LAST_BYTES = 64 * 1024

MOST_FILES, MOST_HASHED = 1000, 4 << 30
"""Output files of a job that are listed, and the bytes of all of them that are read for their hashes."""

MOST_CHARTS = 100
"""Metrics that are drawn, the first ones."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """An output file; ``sha256`` is empty if it could not be read whole."""

    directory: str
    path: str
    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class ExpectationFacts:
    """An expectation and what came of it; ``met`` None: nobody knows (yet)."""

    what: str
    found: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class JobFacts:
    """All about a job; ``logs``: name of a file -> its last lines."""

    name: str
    part: JobPart
    expectations: Sequence[ExpectationFacts]
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Sequence[FileFacts] = ()


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All about a run.

    ``charts``: (metric, unit) -> curves, of metrics with more than one value. ``problems``: what is missing,
    and why. ``hide`` takes secrets out of a text, whoever wrote it.
    """

    record: RunRecord
    state: str
    jobs: Sequence[JobFacts]
    charts: Mapping[tuple[str, str], Sequence[DrawnCurve]]
    problems: Sequence[str]
    hide: Callable[[str], str] = str


def gather(
    run: Run, backend: Backend | None, problems: Sequence[str], hide: Callable[[str], str] = str
) -> RunFacts:
    """Read all that a report tells.

    Args:
        run: The run.
        backend: Where the files of its jobs are; None if nobody can be asked.
        problems: What is known to be missing.
        hide: Takes secrets out of a text.
    """
    record = run.record
    names = ranked(record)[:MOST_JOBS] if record.sweep else list(record.jobs)
    found = list(problems)
    if len(names) < len(record.jobs):
        found.append(f"logs and files are told of the best {len(names)} of {len(record.jobs)} jobs")
    jobs = [_job(record, name, backend, found, hide) for name in names]
    charts = _charts(run, names, hide)
    if len(charts) > MOST_CHARTS:
        found.append(f"{MOST_CHARTS} of {len(charts)} metrics are drawn")
    drawn = dict(islice(charts.items(), MOST_CHARTS))
    return RunFacts(record, run.state, jobs, drawn, found, hide)


def _job(
    record: RunRecord, name: str, backend: Backend | None, problems: list[str], hide: Callable[[str], str]
) -> JobFacts:
    part = record.jobs[name]
    logs: dict[str, list[str]] = {}
    outputs = part.outputs[:MOST_FILES]
    if len(outputs) < len(part.outputs):
        problems.append(f"job {name}: {len(outputs)} of {len(part.outputs)} output files are listed")
    files = [FileFacts(item.directory, item.path, item.size) for item in outputs]
    if backend is not None and part.submitted:
        try:
            place = files_of(backend, part)
            logs = _logs(place, hide)
            hashing = _Hashing(place)
            files = [hashing.facts(item) for item in outputs]
            if hashing.skipped:
                problems.append(f"job {name}: {hashing.skipped} output files are too large to be hashed here")
        except ScenarioError as error:
            problems.append(f"job {name}: its files could not be read: {error}")
    return JobFacts(name, part, list(expectations(record, name)), logs, files)


def _logs(files: JobFiles, hide: Callable[[str], str]) -> dict[str, list[str]]:
    found = {}
    for item in [item for item in files.list(STANDARD) if not item.is_directory][:MOST_LOGS]:
        start = max(0, (item.size or 0) - _LAST_BYTES)
        text = _last(files.read(STANDARD, item.path, start)).decode("utf-8", "replace")
        lines = text.splitlines()[1 if start else 0 :] or [text]
        found[item.path] = [hide(clean(hide(line))) for line in lines[-LAST_LINES:] if text]
    return found


def _last(blocks: Iterable[bytes]) -> bytes:
    """Read the end of a file that may have become larger meanwhile; no more than was there before."""
    found = b""
    for block in blocks:
        found += block
        if len(found) >= _LAST_BYTES:
            break
    return found[:_LAST_BYTES]


class _Hashing:
    """Hashes output files that are not too large together: a file of holes costs a job nothing."""

    def __init__(self, files: JobFiles) -> None:
        self._files = files
        self._left = MOST_HASHED
        self.skipped = 0

    def facts(self, item: OutputRecord) -> FileFacts:
        """Give what is to be said of a file."""
        digest, size, left = hashlib.sha256(), 0, self._left
        if item.size <= left:
            with suppress(ScenarioError):
                for block in self._files.read(item.directory, item.path):
                    size += len(block)
                    if size > left:
                        break
                    digest.update(block)
                else:
                    self._left = left - size
                    return FileFacts(item.directory, item.path, size, digest.hexdigest())
        self.skipped += max(size, item.size) > left
        return FileFacts(item.directory, item.path, item.size)


def expectations(record: RunRecord, name: str) -> list[ExpectationFacts]:
    """Say of each expectation of a job what was found; of a job that has not ended nothing is known."""
    part, expected = record.jobs[name], record.expect.get(name)
    if expected is None:
        return []
    if not part.final:
        told = [f"the job is {expected.execution_state}"]
        told += [f"{directory}: {rule}" for directory, rules in expected.outputs.items() for rule in rules]
        told += [f"metric {metric}" for metric in expected.metrics]
        return [ExpectationFacts(text, f"the job is {part.state}", None) for text in told]
    checks = [*check_state(name, expected, part), *check_outputs(name, expected, part.outputs)]
    found = [ExpectationFacts(check.text, "", check.met) for check in checks]
    for metric, section in expected.metrics.items():
        limits = limits_of(section, record.values(name))
        what = f"{metric}: {', '.join(map(str, limits)) or 'a number'} {section.unit}".rstrip()
        value = part.metrics.get(metric)
        met = value is not None and all(limit.met(value) for limit in limits)
        found.append(
            ExpectationFacts(what, "no value" if value is None else f"{value:g} {section.unit}".rstrip(), met)
        )
    return found


def _charts(
    run: Run, names: Sequence[str], hide: Callable[[str], str]
) -> dict[tuple[str, str], list[DrawnCurve]]:
    record = run.record
    found: dict[tuple[str, str], list[DrawnCurve]] = {}
    order = {name: place for place, name in enumerate(names)}
    series = [one for one in read_series(run.folder) if one["job"] in order]
    for one in sorted(series, key=lambda it: order[it["job"]]):
        job = one["job"]
        label = job if record.sweep is None else f"{job} {values_text(record.jobs[job].parameters)}"
        label = f"{label} {one['file']}" if one.get("file") else label
        points = [(step, value) for step, _, value in one["points"]]
        found.setdefault((hide(one["name"]), one["unit"]), []).append(DrawnCurve(hide(label), points))
    return {key: curves for key, curves in found.items() if any(len(curve.points) > 1 for curve in curves)}
