"""Where two runs, or the plans of two runs, differ: data for ``scenario diff``.

What has to differ - endpoints, credentials, how long things took, the sizes of logs - is listed, and does not
count. Names that a run has for itself stand as ``<run>``, ``<segment>`` and so on, on both sides.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from batchai_scenario.scenarios.record.record import timings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from batchai_scenario.backends.base import PlannedRequest
    from batchai_scenario.scenarios.record.model import JobPart, RunRecord
    from batchai_scenario.scenarios.run.planned import Plan

ABSENT = "-"
LONGEST = 60
"""Characters of a request's path that stand in a table."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference; ``counts`` False: it was to be expected."""

    section: str
    what: str
    left: str
    right: str
    counts: bool = True

    def as_data(self) -> dict[str, Any]:
        """Give the difference as JSON data."""
        return asdict(self)


def compare_plans(left: Plan, right: Plan, run: str) -> list[Difference]:
    """Compare two plans of one scenario.

    Args:
        left: One plan.
        right: The other.
        run: The name that the run has in both.
    """
    found = [*_pairs("endpoints", left.where.endpoints, right.where.endpoints, counts=False)]
    found += _pairs("credentials", left.where.credentials, right.where.credentials, counts=False)
    found += _requests(
        [_flat_request(request, _names(left, run)) for request in left.requests],
        [_flat_request(request, _names(right, run)) for request in right.requests],
    )
    found += _pairs("requests", _uploads(left), _uploads(right))
    return found


def _names(plan: Plan, run: str) -> dict[str, str]:
    """Give the texts that stand for something, the longest first, with its name."""
    known = {**plan.where.endpoints, **plan.where.credentials}
    names = {value: f"<{name}>" for name, value in reversed(known.items())}  # of two alike the first counts
    if run:
        names[run] = "<run>"
    return dict(sorted(names.items(), key=lambda item: -len(item[0])))


def _named(text: str, names: Mapping[str, str]) -> str:
    for value, name in names.items():  # hosts are written in lower case where they are sent
        text = re.sub(re.escape(value), name, text, flags=re.IGNORECASE)
    return text


def _uploads(plan: Plan) -> dict[str, str]:
    return {f"upload {item['share']}/{item['path']}": f"{item['from']}" for item in plan.uploads}


@dataclass(frozen=True, slots=True)
class _Request:
    """A request in which all that stands for something has its name."""

    line: str
    parts: Mapping[str, str]


def _flat_request(request: PlannedRequest, names: Mapping[str, str]) -> _Request:
    parts = {f"header {name}": _named(value, names) for name, value in request.headers.items()}
    for path, value in flat(request.body) if request.body is not None else ():
        parts[path] = _named(value, names)
    return _Request(f"{request.method} {_named(request.url, names)}", parts)


def _requests(left: Sequence[_Request], right: Sequence[_Request]) -> Iterator[Difference]:
    """Align two sequences of requests; what stands on both sides is compared part by part."""
    matcher = SequenceMatcher(None, [it.line for it in left], [it.line for it in right], autojunk=False)
    for tag, first, first_end, second, second_end in matcher.get_opcodes():
        if tag == "equal":
            for one, other in zip(left[first:first_end], right[second:second_end], strict=True):
                for it in _pairs("requests", one.parts, other.parts):
                    yield Difference("requests", f"{_short(one.line)}: {it.what}", it.left, it.right)
            continue
        for one in left[first:first_end]:
            yield Difference("requests", _short(one.line), "sent", ABSENT)
        for other in right[second:second_end]:
            yield Difference("requests", _short(other.line), ABSENT, "sent")


def _short(line: str) -> str:
    """Shorten a request's line to its method and the end of its path."""
    method, _, url = line.partition(" ")
    parts = urlsplit(url)
    path = parts.path if len(parts.path) <= LONGEST else "..." + parts.path[-LONGEST:]
    return f"{method} {path}" + (f"?{parts.query}" if "comp=" in parts.query else "")


def compare_runs(left: RunRecord, right: RunRecord) -> list[Difference]:
    """Compare two runs by their records."""
    mine, theirs = _own_names(left), _own_names(right)
    found = [*_pairs("endpoints", _endpoints(left), _endpoints(right), counts=False)]
    found += _pairs("credentials", _credentials(left), _credentials(right), counts=False)
    found += _pairs("requests", _asked(left, mine), _asked(right, theirs))
    found += _pairs("states", _states(left), _states(right))
    found += _pairs("exit codes", _exit_codes(left), _exit_codes(right))
    found += _files(_sizes(left), _sizes(right))
    found += _variables(_seen(left, mine), _seen(right, theirs))
    found += _pairs("faults", _faults(left), _faults(right))
    found += _pairs("timings", _seconds(left), _seconds(right), counts=False)
    return found


def _own_names(record: RunRecord) -> dict[str, str]:
    """Give the texts that only this run has, the longest first, with their names."""
    names = {job.segment: "<segment>" for job in record.jobs.values() if job.segment}
    names |= {job.id: f"<job {name}>" for name, job in record.jobs.items() if job.id}
    names[record.id] = "<run>"
    for key in ("subscription",):
        if record.details.get(key):
            names[record.details[key]] = f"<{key}>"
    return dict(sorted(names.items(), key=lambda item: -len(item[0])))


def _endpoints(record: RunRecord) -> dict[str, str]:
    told = {name.replace("_", " "): text for name, text in record.details.items() if name != "subscription"}
    return {"backend": record.backend, **told}


def _credentials(record: RunRecord) -> dict[str, str]:
    return {"subscription": record.details.get("subscription", ABSENT)}


def _asked(record: RunRecord, names: Mapping[str, str]) -> dict[str, str]:
    asked = {"scenario": record.scenario, "group": record.place.group, "location": record.place.location}
    bodies = {"cluster": record.cluster.properties}
    bodies |= {f"job {name}": job.properties for name, job in record.jobs.items()}
    for owner, body in bodies.items():
        asked |= {f"{owner}: {path}": _named(value, names) for path, value in flat(body)}
    return asked


def states(job: JobPart) -> list[str]:
    """Give a job's states in order: those that were seen, and those that its times prove."""
    seen = [entry.state for entry in job.states]
    proven = ["queued"] if job.created_at else []
    if job.started_at:
        proven.append("running")
    return [state for state in proven if state not in seen] + seen


def _states(record: RunRecord) -> dict[str, str]:
    found = {f"job {name}": " > ".join(states(job)) for name, job in record.jobs.items()}
    steps = " > ".join(step.step + ("" if step.ok is not False else " (failed)") for step in record.timeline)
    return {**found, "run": record.state, "steps": steps}


def _exit_codes(record: RunRecord) -> dict[str, str]:
    codes = {"run": ABSENT if record.exit_code is None else str(record.exit_code)}
    for name, job in record.jobs.items():
        codes[f"job {name}"] = ABSENT if job.exit_code is None else str(job.exit_code)
        codes[f"job {name}: errors"] = ", ".join(error.code for error in job.errors) or ABSENT
    return codes


def _sizes(record: RunRecord) -> dict[tuple[str, str], int]:
    return {
        (output.directory, f"{name}: {output.directory}/{output.path}"): output.size
        for name, job in record.jobs.items()
        for output in job.outputs
    }


def _files(left: Mapping[tuple[str, str], int], right: Mapping[tuple[str, str], int]) -> Iterator[Difference]:
    """Compare files: a log may be longer than another, what is missing counts."""
    for key in dict.fromkeys([*left, *right]):
        if left.get(key) != right.get(key):
            shown = [f"{sizes[key]} bytes" if key in sizes else ABSENT for sizes in (left, right)]
            log = key[0] == "stdouterr" and ABSENT not in shown
            yield Difference("files", key[1], shown[0], shown[1], counts=not log)


def _seen(record: RunRecord, names: Mapping[str, str]) -> dict[str, str]:
    return {
        f"{name}: {variable}": _named(value, names)
        for name, job in record.jobs.items()
        for variable, value in job.variables.items()
    }


def _variables(left: Mapping[str, str], right: Mapping[str, str]) -> Iterator[Difference]:
    """Compare variables: a value may hold a node's own address or folder, what is missing counts."""
    for it in _pairs("variables", left, right):
        missing = ABSENT in (it.left, it.right)
        yield Difference(it.section, it.what, it.left, it.right, counts=missing)


def _faults(record: RunRecord) -> dict[str, str]:
    return {"asked for": ", ".join(record.faults) or ABSENT, "injected": str(len(record.injected))}


def _seconds(record: RunRecord) -> dict[str, str]:
    found = dict(timings(record))
    for name, job in record.jobs.items():
        for what, begin, end in (
            ("queued", job.created_at, job.started_at),
            ("ran", job.started_at, job.ended_at),
        ):
            if begin and end:
                found[f"job {name} {what}"] = (end - begin).total_seconds()
    return {name: f"{value:.1f} s" for name, value in found.items()}


def _pairs(
    section: str, left: Mapping[str, str], right: Mapping[str, str], *, counts: bool = True
) -> Iterator[Difference]:
    for what in dict.fromkeys([*left, *right]):
        one, other = left.get(what, ABSENT), right.get(what, ABSENT)
        if one != other:
            yield Difference(section, what, one, other, counts)


def flat(value: Any, path: str = "") -> Iterable[tuple[str, str]]:  # noqa: ANN401 - JSON
    """Give every value of a JSON tree with its path, as text."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from flat(inner, f"{path}[{index}]")
    else:
        yield path, value if isinstance(value, str) else repr(value)
