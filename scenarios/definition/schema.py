"""What a ``scenario.yaml`` may hold.

A file is read twice: as it stands (``ScenarioFile``: the parameters are final, the rest may still hold
placeholders), and with the parameters' values put in (``Sections``).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from batchai_scenario.backends.sharepaths import name_problem
from batchai_scenario.scenarios.definition.conditions import problem_of
from batchai_scenario.scenarios.definition.parameters import Parameter, Value  # noqa: TC001 - pydantic looks at them
from batchai_scenario.scenarios.definition.patterns import metric_expression
from batchai_scenario.scenarios.definition.strict import Strict, wrong

Properties = dict[str, Any]
"""The service's own 2018-05-01 ``properties``, or ``{file: job.json}``."""


def _matching(pattern: str, meaning: str) -> Any:  # noqa: ANN401 - an annotation
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise wrong(f"{value!r} is no {meaning}")
        return value

    return AfterValidator(check)


def _expression(value: str) -> str:
    try:
        metric_expression(value)
    except re.error as error:
        raise wrong(f"{value!r} is no regular expression: {error}") from None
    return value


def _share_path(value: str) -> str:
    parts = value.strip("/").split("/") if value.strip("/") else []
    if value.startswith("/") or ".." in parts:
        raise wrong(f"{value!r} climbs out of the share; write a path below it, like data/train")
    for part in parts:
        if not part or part == "." or name_problem(part):
            raise wrong(f"{value!r} is no path in a share: the part {part!r} is not allowed there")
    return "/".join(parts)


ShareName = Annotated[
    str,
    _matching(
        r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*", "share name: 3 to 63 small letters, digits and single hyphens"
    ),
]
ResourceName = Annotated[
    str, _matching(r"[-\w]{1,64}", "name of the service: 1 to 64 letters, digits, hyphens and underscores")
]
GroupName = Annotated[str, _matching(r"[-\w.()]{1,90}", "name of a resource group")]
SharePath = Annotated[str, AfterValidator(_share_path)]
Expression = Annotated[str, AfterValidator(_expression)]


class PlaceSection(Strict):
    """Where the resources live; a workspace that is named outlives the run."""

    group: GroupName = "scenario"
    location: Annotated[str, _matching(r"[a-z0-9]+", "location, like eastus")] = "eastus"
    workspace: ResourceName | None = None
    experiment: ResourceName | None = None


class UploadSection(Strict):
    """Files for a share: ``from`` lists files, folders, ``dataset:NAME`` and ``training:PATH``."""

    share: ShareName
    to: SharePath = ""
    from_: list[str] = Field(alias="from", min_length=1)


class LimitSection(Strict):
    """A limit that counts only where a condition on the parameters holds: ``when: epochs >= 40``."""

    when: str
    above: float | None = None
    below: float | None = None
    equals: float | None = None
    between: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> LimitSection:
        if all(value is None for value in (self.above, self.below, self.equals, self.between)):
            raise wrong("one of above, below, equals, between is required")
        return self


class MetricSection(Strict):
    """A number read from a log: the last match of ``pattern`` in a file, and its limits.

    ``from`` is a file of the standard output folder (``stdout.txt``) or ``ID/path`` in an output
    directory. The number is the group called ``value``, else the first group, else the whole match;
    ``{number}`` in the pattern is a group that matches a number in any spelling.
    """

    from_: str = Field(default="stdout.txt", alias="from")
    pattern: Expression
    above: float | None = None
    below: float | None = None
    equals: float | None = None
    between: tuple[float, float] | None = None
    limits: list[LimitSection] = Field(default_factory=list)
    unit: str = ""
    help: str = ""


class OutputSection(Strict):
    """Files that must exist: a pattern, and how many (at least one unless said otherwise)."""

    files: str
    count: int | None = Field(default=None, ge=0)
    at_least: int | None = Field(default=None, alias="atLeast", ge=0)
    at_most: int | None = Field(default=None, alias="atMost", ge=0)


class ExpectSection(Strict):
    """What must be true of a job that ended."""

    execution_state: Literal["succeeded", "failed"] = Field(default="succeeded", alias="executionState")
    exit_code: int | None = Field(default=None, alias="exitCode")
    outputs: dict[str, list[str | OutputSection]] = Field(default_factory=dict)
    metrics: dict[str, MetricSection] = Field(default_factory=dict)


class Sections(Strict):
    """The parts of a file that may hold placeholders, with values put in."""

    place: PlaceSection = Field(default_factory=PlaceSection)
    uploads: list[UploadSection] = Field(default_factory=list)
    cluster: Properties
    jobs: dict[ResourceName, Properties] = Field(min_length=1)
    expect: dict[str, ExpectSection] = Field(default_factory=dict)
    highlight: list[Expression] = Field(default_factory=list)


class ScenarioFile(Strict):
    """A whole file, before parameters have values."""

    summary: str = Field(min_length=1)
    description: str = ""
    parameters: dict[Annotated[str, _matching(r"[A-Za-z_][A-Za-z0-9_]*", "parameter name")], Parameter] = (
        Field(default_factory=dict)
    )
    hook: str | None = None
    place: Any = None
    uploads: Any = None
    cluster: Any
    jobs: Any
    expect: Any = None
    highlight: Any = None

    def check_conditions(self, sections: Sections) -> tuple[tuple[str | int, ...], str] | None:
        """Find a condition that cannot be read: its property path and what is wrong with it, or None."""
        values: dict[str, Value] = {name: parameter.sample() for name, parameter in self.parameters.items()}
        for job, expected in sections.expect.items():
            for metric, section in expected.metrics.items():
                for index, limit in enumerate(section.limits):
                    problem = problem_of(limit.when, values)
                    if problem:
                        return ("expect", job, "metrics", metric, "limits", index, "when"), problem
        return None
