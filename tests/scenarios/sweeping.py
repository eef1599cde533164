"""A scenario to sweep over in memory, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.memory import MemoryBackend, ProgramCall, Result
from batchai_scenario.scenarios.definition.datasets import DataOptions
from batchai_scenario.scenarios.definition.scenario import Scenario
from batchai_scenario.scenarios.record.record import Run, find_run
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.base import Recording
from batchai_scenario.scenarios.run.launch import Target
from batchai_scenario.scenarios.run.stage import RunOptions
from batchai_scenario.scenarios.run.waiting import Waiting
from batchai_scenario.scenarios.sweep.launch import resume_sweep, run_sweep, take_up
from batchai_scenario.scenarios.sweep.plan import SweepRequest, plan_sweep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEARNS = """\
summary: Learns as well as it is told.
parameters:
  rate: {type: number, default: 0.1, minimum: 0, maximum: 1}
  epochs: {type: integer, default: 1, minimum: 1, maximum: 50}
  nodes: {type: integer, default: 1, minimum: 1}
cluster:
  vmSize: STANDARD_D1
  scaleSettings: {manual: {targetNodeCount: "{{ nodes }}"}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: small, relativeMountPath: files}]}}
jobs:
  train:
    nodeCount: 1
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files
    environmentVariables: [{name: PARAM_RATE, value: "0.25"}, {name: OWN, value: "1"}]
    secrets: [{name: TOKEN, value: very-secret}]
    customToolkitSettings: {commandLine: train}
expect:
  train:
    metrics:
      loss: {pattern: 'loss {number}', below: 9, limits: [{when: epochs >= 3, below: 0.9}]}
"""


class KilledError(BaseException):
    """Stands for kill -9: nothing of ours runs after it."""


@dataclass
class Sweeps:
    """A scenario to sweep over in memory, what its jobs were called with, and what was told."""

    home: Path
    file: Path
    calls: list[ProgramCall] = field(default_factory=list)
    recording: Recording = field(default_factory=Recording)
    waiting: Waiting = field(default_factory=Waiting)

    def __post_init__(self) -> None:
        self.memory = MemoryBackend({"train": self.train})

    def train(self, call: ProgramCall) -> Result:
        """Print a loss: that of the point's rate, less the more epochs there are."""
        self.calls.append(call)
        loss = float(call.environment["PARAM_RATE"]) + 1 / float(call.environment.get("PARAM_EPOCHS", 1))
        return Result(stdout=f"loss {loss}\n")

    def begin(self, *over: str, keep: bool = False, **asked: Any) -> e.Finished:
        """Run a sweep."""
        plan = plan_sweep(Scenario(self.file), {}, SweepRequest(over, **asked))
        return run_sweep(
            plan,
            Target("memory", self.home),
            RunOptions(DataOptions(self.home / "cache"), keep=keep),
            self.recording,
            open_backend=lambda *_: self.memory,
            waiting=self.waiting,
        )

    def resume(self) -> e.Finished:
        """Go on with the newest one."""
        self.recording = Recording()
        run, plan = take_up(self.home, "last")
        return resume_sweep(
            run,
            plan,
            Target("memory", self.home),
            RunOptions(DataOptions(self.home / "cache")),
            self.recording,
            open_backend=lambda *_: self.memory,
        )

    def kill_at(self, moment: Callable[[e.Event], bool], *over: str, **asked: Any) -> Run:
        """Run a sweep until a moment, and die there; gives the record that is left."""
        hear = self.recording.handle

        def handle(event: e.Event) -> None:
            hear(event)
            if moment(event):
                raise KilledError

        self.recording.handle = handle  # type: ignore[method-assign]
        with pytest.raises(KilledError):
            self.begin(*over, **asked)
        return self.record

    @property
    def record(self) -> Run:
        """The newest record."""
        return find_run(self.home, "last")

    @property
    def ranked(self) -> e.Ranked:
        """The order that was told."""
        (found,) = [event for event in self.recording.events if isinstance(event, e.Ranked)]
        return found


def empty(sweeps: Sweeps) -> bool:
    world = sweeps.memory.world
    return not (world.jobs or world.clusters or world.workspaces or world.groups)
