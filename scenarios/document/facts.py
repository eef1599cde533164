"""What a report says of a run: plain values, read from its record, its metrics and the files of its jobs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
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
    from collections.abc import Callable, Mapping, Sequence

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
    and why.
    """

    record: RunRecord
    state: str
    jobs: Sequence[JobFacts]
    charts: Mapping[tuple[str, str], Sequence[DrawnCurve]]
    problems: Sequence[str]


def gather(
    run: Run, backend: Backend | None, problems: Sequence[str], hide: Callable[[str], str] = str
) -> RunFacts:
    """Read all that a report tells.

    Args:
        run: The run.
        backend: Where the files of its jobs are; None if nobody can be asked.
        problems: What is known to be missing.
        hide: Takes secrets out of a line of a log.
    """
    record = run.record
    names = ranked(record)[:MOST_JOBS] if record.sweep else list(record.jobs)
    found = list(problems)
    if len(names) < len(record.jobs):
        found.append(f"logs and files are told of the best {len(names)} of {len(record.jobs)} jobs")
    jobs = [_job(record, name, backend, found, hide) for name in names]
    return RunFacts(record, run.state, jobs, _charts(run, names), found)


def _job(
    record: RunRecord, name: str, backend: Backend | None, problems: list[str], hide: Callable[[str], str]
) -> JobFacts:
    part = record.jobs[name]
    logs: dict[str, list[str]] = {}
    files = [FileFacts(item.directory, item.path, item.size) for item in part.outputs]
    if backend is not None and part.submitted:
        try:
            place = files_of(backend, part)
            logs = _logs(place, hide)
            files = [_with_hash(place, item) for item in part.outputs]
        except ScenarioError as error:
            problems.append(f"job {name}: its files could not be read: {error}")
    return JobFacts(name, part, list(expectations(record, name)), logs, files)


def _logs(files: JobFiles, hide: Callable[[str], str]) -> dict[str, list[str]]:
    found = {}
    for item in [item for item in files.list(STANDARD) if not item.is_directory][:MOST_LOGS]:
        start = max(0, (item.size or 0) - _LAST_BYTES)
        text = b"".join(files.read(STANDARD, item.path, start)).decode("utf-8", "replace")
        lines = text.splitlines()[1 if start else 0 :] or [text]
        found[item.path] = [clean(hide(line)) for line in lines[-LAST_LINES:] if text]
    return found


def _with_hash(files: JobFiles, item: OutputRecord) -> FileFacts:
    digest, size = hashlib.sha256(), 0
    try:
        for block in files.read(item.directory, item.path):
            digest.update(block)
            size += len(block)
    except ScenarioError:
        return FileFacts(item.directory, item.path, item.size)
    return FileFacts(item.directory, item.path, size, digest.hexdigest())


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


def _charts(run: Run, names: Sequence[str]) -> dict[tuple[str, str], list[DrawnCurve]]:
    record = run.record
    found: dict[tuple[str, str], list[DrawnCurve]] = {}
    order = {name: place for place, name in enumerate(names)}
    series = [one for one in read_series(run.folder) if one["job"] in order]
    for one in sorted(series, key=lambda it: order[it["job"]]):
        job = one["job"]
        label = job if record.sweep is None else f"{job} {values_text(record.jobs[job].parameters)}"
        label = f"{label} {one['file']}" if one.get("file") else label
        points = [(step, value) for step, _, value in one["points"]]
        found.setdefault((one["name"], one["unit"]), []).append(DrawnCurve(label, points))
    return {key: curves for key, curves in found.items() if any(len(curve.points) > 1 for curve in curves)}
