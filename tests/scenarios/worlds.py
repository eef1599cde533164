"""A world in memory, a small scenario to run in it, and what happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchai_scenario.backends.memory import MemoryBackend, ProgramCall, Result
from batchai_scenario.scenarios.definition.datasets import DataOptions
from batchai_scenario.scenarios.definition.scenario import Scenario
from batchai_scenario.scenarios.record.record import Run, read_runs
from batchai_scenario.scenarios.report.base import Recording
from batchai_scenario.scenarios.run.launch import Target, run_scenario
from batchai_scenario.scenarios.run.stage import RunOptions
from batchai_scenario.scenarios.run.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.scenarios.report.events import Event, Finished

SMALL = """\
summary: Trains nothing.
parameters:
  epochs: {type: integer, default: 2, minimum: 1, help: how often}
cluster:
  vmSize: STANDARD_D1
  scaleSettings: {manual: {targetNodeCount: 1}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: small, relativeMountPath: files}]}}
jobs:
  train:
    nodeCount: 1
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files
    outputDirectories: [{id: MODEL, pathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files, pathSuffix: models}]
    secrets: [{name: TOKEN, value: very-secret}]
    customToolkitSettings: {commandLine: "train {{ epochs }}"}
expect:
  train:
    outputs: {MODEL: [{files: "*.dnn", count: "{{ epochs }}"}]}
    metrics:
      loss: {pattern: 'loss ([\\d.]+)', below: 1, limits: [{when: epochs >= 10, below: 0.1}]}
"""


def trained(call: ProgramCall) -> Result:
    """Do what the small scenario expects."""
    epochs = int(call.command.split()[-1])
    lines = "".join(f"epoch {number}: loss {0.5 / number:.3f}\n" for number in range(1, epochs + 1))
    models = {f"MODEL/{number}.dnn": b"x" * number for number in range(1, epochs + 1)}
    return Result(stdout=lines, outputs=models)


@dataclass
class World:
    """A backend in memory, a home, and what happened."""

    home: Path
    file: Path
    programs: dict[str, Callable[[ProgramCall], Result]] = field(default_factory=lambda: {"train 2": trained})
    recording: Recording = field(default_factory=Recording)
    waiting: Waiting = field(default_factory=Waiting)

    def __post_init__(self) -> None:
        self.memory = MemoryBackend(self.programs)
        self.backend: Backend = self.memory

    def run(self, settings: dict[str, str] | None = None, **options: object) -> Finished:
        """Run the scenario."""
        scenario = Scenario(self.file)
        return run_scenario(
            scenario,
            scenario.resolve(settings),
            Target("memory", self.home),
            RunOptions(DataOptions(self.home / "cache"), **options),  # type: ignore[arg-type]
            self.recording,
            open_backend=lambda *_: self.backend,
            waiting=self.waiting,
        )

    @property
    def record(self) -> Run:
        """The newest record."""
        return read_runs(self.home)[0][-1]

    def heard(self, kind: type[Event]) -> list[Event]:
        """Give the events of a kind."""
        return [event for event in self.recording.events if isinstance(event, kind)]

    @property
    def empty(self) -> bool:
        """Tell whether nothing is left but shares."""
        world = self.memory.world
        return not (world.jobs or world.clusters or world.workspaces or world.groups)
