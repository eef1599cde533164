"""Expectations: whether what a job did is what the scenario promised."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from batchai_scenario.scenarios.definition.conditions import holds
from batchai_scenario.scenarios.definition.patterns import metric_expression
from batchai_scenario.scenarios.report.events import Checked, Metric
from batchai_scenario.scenarios.run.files import STANDARD

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from batchai_scenario.scenarios.definition.parameters import Value
    from batchai_scenario.scenarios.definition.schema import (
        ExpectSection,
        LimitSection,
        MetricSection,
        OutputSection,
    )
    from batchai_scenario.scenarios.record.model import JobPart, OutputRecord
    from batchai_scenario.scenarios.run.pieces import Piece


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a metric, and where it comes from."""

    kind: str
    bounds: tuple[float, ...]
    when: str = ""

    def met(self, value: float) -> bool:
        """Tell whether a value keeps the limit; what is not a number never does."""
        first = self.bounds[0]
        return {
            "above": value > first,
            "below": value < first,
            "equals": math.isclose(value, first, rel_tol=1e-9, abs_tol=1e-12),
            "between": first <= value <= self.bounds[-1],
        }[self.kind]

    def __str__(self) -> str:
        return f"{self.kind} " + " and ".join(f"{bound:g}" for bound in self.bounds)


def limits_of(section: MetricSection, values: Mapping[str, Value]) -> list[Limit]:
    """List the limits that count for these parameters."""
    found = list(_limits(section, ""))
    for limit in section.limits:
        if holds(limit.when, values):
            found.extend(_limits(limit, limit.when))
    return found


def _limits(section: MetricSection | LimitSection, when: str) -> Iterator[Limit]:
    for kind in ("above", "below", "equals"):
        bound = getattr(section, kind)
        if bound is not None:
            yield Limit(kind, (bound,), when)
    if section.between is not None:
        yield Limit("between", section.between, when)


def check_state(job: str, expected: ExpectSection, record: JobPart) -> Iterator[Checked]:
    """Check the job's state and exit code."""
    met = record.state == expected.execution_state
    text = f"job {job} {record.state}"
    if not met:
        text += f", expected {expected.execution_state}"
        if record.exit_code is not None:
            text += f": exit code {record.exit_code}"
        text += "".join(f"; {error}" for error in record.errors)
    yield Checked(job, text, met)
    if expected.exit_code is not None:
        met = record.exit_code == expected.exit_code
        found = "no exit code" if record.exit_code is None else f"exit code {record.exit_code}"
        yield Checked(job, found if met else f"{found}, expected {expected.exit_code}", met)


def check_outputs(job: str, expected: ExpectSection, outputs: Sequence[OutputRecord]) -> Iterator[Checked]:
    """Check that the promised files are there."""
    for directory, rules in expected.outputs.items():
        paths = [output.path for output in outputs if output.directory == directory]
        for rule in rules:
            pattern = rule if isinstance(rule, str) else rule.files
            count = sum(_matches(path, pattern) for path in paths)
            low, high = (1, None) if isinstance(rule, str) else _counts(rule)
            met = count >= low and (high is None or count <= high)
            files = "1 file" if count == 1 else f"{count} files"
            text = f"{directory}/{pattern}: {files}"
            yield Checked(job, text if met else f"{text}, expected {_range(low, high)}", met)


def _counts(rule: OutputSection) -> tuple[int, int | None]:
    if rule.count is not None:
        return rule.count, rule.count
    return (0 if rule.at_most is not None else 1) if rule.at_least is None else rule.at_least, rule.at_most


def _range(low: int, high: int | None) -> str:
    if low == high:
        return str(low)
    return f"{low} or more" if high is None else f"{low} to {high}"


def _matches(path: str, pattern: str) -> bool:
    """Match a path against a pattern part by part: ``*`` stays inside one folder."""
    parts, patterns = path.split("/"), pattern.strip("/").split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def check_metrics(
    job: str,
    expected: ExpectSection,
    values: Mapping[str, Value],
    lines: Callable[[str, str], Iterable[Piece] | None],
) -> Iterator[Metric | Checked]:
    """Read the metrics from the job's files and check their limits.

    Args:
        job: The job's name.
        expected: Its expectations.
        values: The parameters, for limits with a condition.
        lines: Gives the lines of (directory id, path), or None if there is no such file.
    """
    for name, section in expected.metrics.items():
        directory, slash, path = section.from_.partition("/")
        if not slash:
            directory, path = STANDARD, section.from_
        found = lines(directory, path)
        if found is None:
            yield Checked(job, f"metric {name}: there is no file {section.from_}", met=False)
            continue
        value = read_metric(section.pattern, found)
        if isinstance(value, str):
            yield Checked(job, f"metric {name}: {value} in {section.from_}", met=False)
            continue
        limits = limits_of(section, values)
        broken = [limit for limit in limits if not limit.met(value)]
        unit = f" {section.unit}".rstrip()
        for limit in broken:
            when = f" (as {limit.when})" if limit.when else ""
            yield Checked(job, f"{name} is {value:g}{unit}, expected {limit}{unit}{when}", met=False)
        yield Metric(job, name, value, section.unit, ", ".join(map(str, limits)), met=not broken)


def read_metric(pattern: str, lines: Iterable[Piece]) -> float | str:
    """Find the last match of a pattern; gives its number, or a sentence that says why there is none.

    A line that comes in pieces is searched as one: what two pieces share is searched with both, and neither
    ``^`` nor ``$`` matches where a piece was cut.
    """
    expression = metric_expression(pattern)
    last = None
    for text, first, whole in lines:
        for match in expression.finditer(text, 0 if first else 1):
            if whole or match.end() < len(text):
                last = match
    if last is None:
        return f"nothing matches {pattern!r}"
    found = _matched(last, expression)
    value = _number(found)
    if value is None:
        return f"{found!r} is no number"
    return value if math.isfinite(value) else f"{found!r} is no finite number"


def metric_values(pattern: str, line: str) -> Iterator[float]:
    """Give every number that a pattern finds in a line, NaN and infinity among them."""
    expression = metric_expression(pattern)
    for match in expression.finditer(line):
        value = _number(_matched(match, expression))
        if value is not None:
            yield value


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _matched(match: re.Match[str], expression: re.Pattern[str]) -> str | None:
    """Give the text that should be a number: the group called value, else the first, else all."""
    if "value" in expression.groupindex:
        return match["value"]
    return match[1 if expression.groups else 0]
