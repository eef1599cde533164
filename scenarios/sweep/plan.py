"""The plan of a sweep: its jobs, with which bodies, on which cluster; all is checked before it begins."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import UserError
from batchai_scenario.scenarios.definition.templates import written
from batchai_scenario.scenarios.record.model import SweepPart
from batchai_scenario.scenarios.report.text import did_you_mean
from batchai_scenario.scenarios.sweep.over import parse_over, variable
from batchai_scenario.scenarios.sweep.search import every, hyperband, some

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.scenarios.definition.parameters import Value
    from batchai_scenario.scenarios.definition.scenario import Resolved, Scenario
    from batchai_scenario.scenarios.definition.schema import ExpectSection, LimitSection, MetricSection
    from batchai_scenario.scenarios.sweep.over import Axis, Point
    from batchai_scenario.scenarios.sweep.search import Search

AT_ONCE = 2
"""Jobs that the service has for each one that the nodes can run, so that no node waits for its next."""

_NAME = 59
"""Letters of a job's name; its number follows, and names have at most 64."""


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """What a sweep is asked for; a record's part of it makes the same sweep again."""

    over: Sequence[str]
    random: int | None = None
    seed: int = 0
    hyperband: str = ""
    eta: int = 3
    nodes: int | None = None
    at_once: int | None = None
    minimize: str = ""
    maximize: str = ""

    @classmethod
    def of(cls, part: SweepPart) -> SweepRequest:
        """Ask for what a record says."""
        return cls(
            over=part.over,
            random=part.random,
            seed=part.seed,
            hyperband=part.hyperband,
            eta=part.eta,
            nodes=part.nodes,
            at_once=part.at_once,
            minimize=part.metric if part.goal == "min" else "",
            maximize=part.metric if part.goal == "max" else "",
        )


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """A sweep that is ready to run: ``base`` has a job for each point that is checked first.

    ``settings``: the parameters that are the same for all points.
    """

    scenario: Scenario
    settings: Mapping[str, Value]
    part: SweepPart
    search: Search
    job: str
    base: Resolved = field(repr=False)

    def name(self, number: int) -> str:
        """Name the job of a point, by its number from 1."""
        return _job_name(self.job, number)

    def body(self, point: Point) -> tuple[dict[str, Any], ExpectSection | None]:
        """Give the job's body at a point, and what is expected of it.

        Raises:
            UserError: at this point it needs another cluster, place or upload than at the others.
        """
        resolved = _resolved(self.scenario, self.settings, point, self.part.nodes)
        _check_same(self.base, resolved, point)
        return _body(resolved.jobs[self.job], point), resolved.expect.get(self.job)


def plan_sweep(scenario: Scenario, settings: Mapping[str, Value], request: SweepRequest) -> SweepPlan:
    """Plan a sweep.

    Raises:
        UserError: names the flag and what is wrong with it; nothing was made.
    """
    axes = parse_over(request.over, scenario.parameters)
    swept = {axis.name for axis in axes} | {request.hyperband.partition("=")[0].strip()} - {""}
    for name in swept & set(settings):
        raise UserError("the sweep gives it its values", f"--set {name}", "leave it out")
    search = _search(scenario, axes, request)
    points = search.first()
    base = _resolved(scenario, settings, points[0], request.nodes)
    if len(base.jobs) > 1:
        names = ", ".join(base.jobs)
        raise UserError(f"the scenario has the jobs {names}; a sweep is of a scenario with one job", "NAME")
    job = next(iter(base.jobs))
    metric, goal = _metric(base.expect.get(job), request)
    at_once = request.at_once or AT_ONCE * max(1, _nodes(base.cluster) // base.nodes)
    part = SweepPart(
        over=list(request.over),
        random=request.random,
        seed=request.seed,
        hyperband=request.hyperband,
        eta=request.eta,
        nodes=request.nodes,
        at_once=at_once,
        metric=metric,
        goal=goal,
    )
    shared = {name: value for name, value in base.parameters.items() if name not in swept}
    jobs, expect = {}, {}
    for number, point in enumerate(points, 1):
        resolved = _resolved(scenario, settings, point, request.nodes)
        _check_same(base, resolved, point)
        name = _job_name(job, number)
        jobs[name] = _body(resolved.jobs[job], point)
        if job in resolved.expect:
            expect[name] = resolved.expect[job]
    base = replace(base, parameters=shared, jobs=jobs, expect=expect)
    return SweepPlan(scenario, settings, part, search, job, base)


def _search(scenario: Scenario, axes: list[Axis], request: SweepRequest) -> Search:
    if not axes:
        raise UserError(
            "a sweep goes over the values of a parameter", "--over", "add --over NAME=VALUE,VALUE"
        )
    if request.hyperband:
        found = hyperband(axes, request.hyperband, request.eta, request.seed)
        parameter = scenario.parameters.get(found.resource)
        flag = f"--hyperband {found.resource}"
        if parameter is None:
            hint = did_you_mean(found.resource, scenario.parameters)
            raise UserError(f"the scenario has no parameter {found.resource!r}", flag, hint)
        if found.resource in {axis.name for axis in axes}:
            raise UserError("--over has it, too; HyperBand gives it its values", flag, "leave one out")
        try:
            for resource in (resource for bracket in found.brackets() for _, resource in bracket):
                parameter.convert(resource)
        except ValueError as error:
            raise UserError(str(error), flag, parameter.describe()) from None
        return found
    return every(axes) if request.random is None else some(axes, request.random, request.seed)


def _resolved(scenario: Scenario, settings: Mapping[str, Value], point: Point, nodes: int | None) -> Resolved:
    resolved = scenario.resolve({**settings, **point})
    if nodes is None:
        return resolved
    if nodes < resolved.nodes:
        raise UserError(f"a job needs {resolved.nodes} nodes", "--nodes", "name at least as many")
    cluster = {**resolved.cluster, "scaleSettings": {"manual": {"targetNodeCount": nodes}}}
    return replace(resolved, cluster=cluster)


def _check_same(base: Resolved, other: Resolved, point: Point) -> None:
    """Refuse a point that needs other things than a job of its own; the first of its parameters is named."""
    for what, one, two in (
        ("cluster", base.cluster, other.cluster),
        ("place", base.place, other.place),
        ("uploads", base.uploads, other.uploads),
    ):
        if one != two:
            changed = [name for name in point if base.parameters.get(name, point[name]) != point[name]]
            name = changed[0] if changed else next(iter(point))
            raise UserError(
                f"it changes the scenario's {what}, which all jobs of a sweep share",
                f"--over {name}",
                "sweep over what only changes the job",
            )


def _body(body: Mapping[str, Any], point: Point) -> dict[str, Any]:
    """Give a job the variables of its point; those of the same names that it has are replaced."""
    values = {variable(name): written(value) for name, value in point.items()}
    own = [item for item in body.get("environmentVariables") or [] if item.get("name") not in values]
    added = [{"name": name, "value": value} for name, value in values.items()]
    return {**body, "environmentVariables": [*own, *added]}


def _metric(expected: ExpectSection | None, request: SweepRequest) -> tuple[str, Any]:
    """Choose what points are ranked by: what was asked for, else the first metric with a limit."""
    metrics = expected.metrics if expected else {}
    wanted = request.minimize or request.maximize
    flag = "--minimize" if request.minimize else "--maximize"
    if wanted:
        if wanted not in metrics:
            raise UserError(f"the job has no metric {wanted!r}", flag, did_you_mean(wanted, metrics))
        return wanted, flag[2:5]
    for name, section in metrics.items():
        limits: list[MetricSection | LimitSection] = [section, *section.limits]
        if any(limit.below is not None for limit in limits):
            return name, "min"
        if any(limit.above is not None for limit in limits):
            return name, "max"
    if request.hyperband:
        raise UserError(
            "no metric of the job has a limit that says which value is better",
            "--hyperband",
            "add --minimize METRIC or --maximize METRIC; " + did_you_mean("", metrics),
        )
    return "", ""


def _nodes(cluster: Mapping[str, Any]) -> int:
    """Give the most nodes that a cluster has."""
    scale = cluster.get("scaleSettings") or {}
    manual, automatic = scale.get("manual") or {}, scale.get("autoScale") or {}
    found = manual.get("targetNodeCount") or automatic.get("maximumNodeCount") or 1
    return found if isinstance(found, int) else 1


def _job_name(job: str, number: int) -> str:
    return f"{job[:_NAME]}-{number:04d}"
