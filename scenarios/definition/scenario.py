"""A scenario: a folder with a ``scenario.yaml``, and the same with its parameters' values put in."""

from __future__ import annotations

import importlib.util
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import InvalidScenario
from batchai_scenario.scenarios.definition.bodies import directory_ids, load_body
from batchai_scenario.scenarios.definition.parameters import values_of
from batchai_scenario.scenarios.definition.patterns import metric_expression
from batchai_scenario.scenarios.definition.schema import ScenarioFile, Sections
from batchai_scenario.scenarios.definition.strict import YamlFile
from batchai_scenario.scenarios.definition.templates import substitute
from batchai_scenario.scenarios.definition.uploads import Item, plan_uploads
from batchai_scenario.scenarios.report.text import did_you_mean, is_utf8, printable

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping
    from pathlib import Path

    from batchai_scenario.scenarios.definition.parameters import Parameter, Value
    from batchai_scenario.scenarios.definition.schema import ExpectSection, PlaceSection

FILE_NAME = "scenario.yaml"
_SECTIONS = ("place", "uploads", "cluster", "jobs", "expect", "highlight")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A scenario that is ready to run: every parameter has its value, every local file was seen.

    ``cluster`` and ``jobs`` hold the service's ``properties``; ``jobs`` run in this order.
    """

    name: str
    summary: str
    file: Path
    parameters: Mapping[str, Value]
    place: PlaceSection
    uploads: tuple[Item, ...]
    cluster: Mapping[str, Any] = field(repr=False)
    jobs: Mapping[str, Mapping[str, Any]] = field(repr=False)
    expect: Mapping[str, ExpectSection]
    highlight: tuple[str, ...]

    @property
    def nodes(self) -> int:
        """Give the number of nodes that the largest job needs."""
        return max(_count(job.get("nodeCount", 1)) for job in self.jobs.values())


class Scenario:
    """A scenario file, read and checked.

    Args:
        file: The ``scenario.yaml``.
        name: What it is called; the folder's name unless given.

    Raises:
        InvalidScenario: The file cannot be read; the error names the file, the line, the property and
            the fix.
    """

    def __init__(self, file: Path, name: str = "") -> None:
        self.file = file
        self.folder = file.parent
        if not is_utf8(str(file.resolve())):
            raise InvalidScenario(
                f"the path {printable(file.resolve())} is not UTF-8", "", "rename the folder"
            )
        self.name = name or self.folder.resolve().name
        self._source = YamlFile(file)
        self._text = self._source.read(ScenarioFile, self._source.data)
        sections = self._sections(values_of(self.parameters, {}, samples=True))
        self._check(sections)

    @property
    def summary(self) -> str:
        """Give the one-line summary."""
        return self._text.summary

    @property
    def description(self) -> str:
        """Give the longer description; may be empty."""
        return self._text.description

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Give the declared parameters, in the file's order."""
        return self._text.parameters

    def resolve(self, overrides: Mapping[str, Value] | None = None) -> Resolved:
        """Put values in, run the hook, and look at every local file that is to be uploaded.

        Raises:
            UserError: An unknown parameter or a value that does not fit.
            InvalidScenario: Anything else that is wrong: nothing has been created yet.
        """
        values = values_of(self.parameters, overrides or {})
        sections = self._sections(values)
        self._check(sections)
        jobs = {}
        for name, body in sections.jobs.items():
            jobs[name] = load_body(body, self.folder, self._source, ("jobs", name))
        cluster = load_body(sections.cluster, self.folder, self._source, ("cluster",))
        self._check_nodes(cluster, jobs)
        self._check_directories(sections, jobs)
        uploads = plan_uploads(sections.uploads, self.folder, self._source)
        return Resolved(
            name=self.name,
            summary=self.summary,
            file=self.file,
            parameters=values,
            place=sections.place,
            uploads=tuple(uploads),
            cluster=cluster,
            jobs=jobs,
            expect=sections.expect,
            highlight=tuple(sections.highlight),
        )

    def sample(self) -> Resolved:
        """Resolve with defaults, and samples where there is none: to show the scenario."""
        return self.resolve(values_of(self.parameters, {}, samples=True))

    def _sections(self, values: Mapping[str, Value]) -> Sections:
        written = {key: getattr(self._text, key) for key in _SECTIONS}
        data = {
            key: substitute(value, values, self._source, (key,))
            for key, value in written.items()
            if value is not None
        }
        if self._text.hook:
            data = self._run_hook(self.folder / self._text.hook, data, values)
        return self._source.read(Sections, data)

    def _run_hook(self, file: Path, data: dict[str, Any], values: Mapping[str, Value]) -> dict[str, Any]:
        """Let the scenario's own Python change what YAML cannot compute."""
        if not file.is_file():
            raise self._source.error(("hook",), f"there is no file {file}")
        spec = importlib.util.spec_from_file_location(f"scenario_hook_{self.name}", file)
        if spec is None or spec.loader is None:
            raise self._source.error(("hook",), f"{file} is no Python file")
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
            result = module.adjust(data, dict(values))
        except (
            Exception
        ) as error:  # the hook is the user's program: whatever it does is an error of the scenario
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise InvalidScenario(
                f"the hook failed: {type(error).__name__}: {error}",
                f"{last.filename}:{last.lineno}",
                "a hook defines adjust(sections, parameters) and returns the sections",
            ) from error
        if not isinstance(result, dict):
            raise InvalidScenario("the hook's adjust() must return the sections", str(file))
        return result

    def _check(self, sections: Sections) -> None:
        """Check what one section says about another."""
        seen: dict[str, str] = {}
        for name, expected in sections.expect.items():
            if name not in sections.jobs:
                raise self._source.error(
                    ("expect", name), f"there is no job {name!r}", did_you_mean(name, sections.jobs)
                )
            for metric in expected.metrics:
                if metric in seen:
                    raise self._source.error(
                        ("expect", name, "metrics", metric),
                        f"job {seen[metric]!r} has a metric of this name already",
                        "a run's metrics need names of their own",
                    )
                seen[metric] = name
        wrong = self._text.check_conditions(sections)
        if wrong:
            raise self._source.error(*wrong)

    def _check_nodes(self, cluster: Mapping[str, Any], jobs: Mapping[str, Mapping[str, Any]]) -> None:
        scale = cluster.get("scaleSettings") or {}
        most = (scale.get("manual") or {}).get("targetNodeCount")
        if most is None:
            most = (scale.get("autoScale") or {}).get("maximumNodeCount")
        for name, job in jobs.items():
            wanted = _count(job.get("nodeCount", 1))
            if isinstance(most, int) and wanted > most:
                raise self._source.error(
                    ("jobs", name, "nodeCount"),
                    f"the job needs {wanted} nodes, the cluster has at most {most}: it would wait for ever",
                )

    def _check_directories(self, sections: Sections, jobs: Mapping[str, Mapping[str, Any]]) -> None:
        """Check that expectations speak of directories that the jobs have."""
        for name, expected in sections.expect.items():
            known = directory_ids(jobs[name])
            for directory in expected.outputs:
                if directory not in known:
                    raise self._source.error(
                        ("expect", name, "outputs", directory),
                        f"job {name!r} has no output directory {directory!r}",
                        did_you_mean(directory, known),
                    )
            for metric, section in expected.metrics.items():
                directory, slash, _ = section.from_.partition("/")
                if slash and directory not in known:
                    raise self._source.error(
                        ("expect", name, "metrics", metric, "from"),
                        f"job {name!r} has no output directory {directory!r}",
                        did_you_mean(directory, known),
                    )

    def highlights(self, resolved: Resolved, job: str) -> list[re.Pattern[str]]:
        """Give the patterns of log lines that matter: the scenario's own, and those of its metrics."""
        own = [metric_expression(pattern) for pattern in resolved.highlight]
        expected = resolved.expect.get(job)
        return own + [
            metric_expression(section.pattern) for section in (expected.metrics.values() if expected else ())
        ]


def _count(value: object) -> int:
    return value if isinstance(value, int) else 1
