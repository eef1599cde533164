"""What the machine lacks is got, or told, before anything is made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import MachineError
from batchai_scenario.backends.wrappers.base import Wrapper
from batchai_scenario.scenarios.report import events as e
from tests.scenarios.worlds import SMALL, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from batchai_scenario.backends.base import Backend, Capabilities


@dataclass
class Machine:
    """A machine that lacks something, and may not get it."""

    lacking: tuple[str, ...] = ()
    refusal: MachineError | None = None
    failure: MachineError | None = None
    asked: list[Sequence[Mapping[str, Any]]] = field(default_factory=list)
    readied: int = 0


class OnMachine(Wrapper):
    """The world in memory, as if it ran jobs on a machine."""

    def __init__(self, inner: Backend, machine: Machine) -> None:
        super().__init__(inner)
        self._machine = machine

    def capabilities(self) -> Capabilities:
        return replace(super().capabilities(), readies=True)

    def lacks(self, jobs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        self._machine.asked.append(jobs)
        if self._machine.refusal is not None:
            raise self._machine.refusal
        return self._machine.lacking

    def ready(
        self,
        jobs: Sequence[Mapping[str, Any]],
        tell: Callable[[str], None],
        progress: Callable[[str, int, int], None],
    ) -> None:
        self._machine.readied += 1
        progress("file", 1, 2)
        tell("image: made")
        if self._machine.failure is not None:
            raise self._machine.failure


def on_machine(world: World, machine: Machine) -> None:
    world.backend = OnMachine(world.memory, machine)


def steps(world: World) -> list[str]:
    return [step.text for step in world.heard(e.StepStarted) if isinstance(step, e.StepStarted)]


DATA = SMALL.replace(
    "cluster:", "uploads:\n  - {share: small, from: ['dataset:mnist-cntk-text']}\ncluster:", 1
)


def test_a_machine_that_cannot_run_a_job_is_told_before_anything_is_made(
    world: World, write: Callable[[str], Path]
) -> None:
    world.file = write(DATA)
    on_machine(world, Machine(refusal=MachineError("this machine is an Amiga.", "Use another.")))
    event = world.run()
    assert (event.state, event.exit_code) == ("failed", 3)
    assert event.reasons == ("this machine is an Amiga. Use another.",)
    assert event.hint == "Use another."
    assert world.empty
    assert not world.memory.world.shares
    assert not (world.home / "cache").exists(), "no data set was made"
    assert steps(world) == ["Open backend memory"]


def test_what_cannot_be_got_is_told_before_anything_is_made(
    world: World, write: Callable[[str], Path]
) -> None:
    world.file = write(DATA)
    on_machine(world, Machine(("CNTK (1 MB)",), failure=MachineError("no network.", "Get one.")))
    event = world.run()
    assert (event.state, event.exit_code, event.hint) == ("failed", 3, "Get one.")
    assert not world.memory.world.shares
    assert not (world.home / "cache").exists()
    assert steps(world) == ["Open backend memory", "Get CNTK (1 MB)"]


def test_what_is_lacking_is_got_in_a_step_of_its_own(world: World) -> None:
    machine = Machine(("CNTK 2.7 (120 MB)", "image a"))
    on_machine(world, machine)
    assert world.run().exit_code == 0
    first = world.record.record.timeline[0]
    assert (first.step, first.text, first.ok) == ("machine", "Get CNTK 2.7 (120 MB), image a", True)
    assert machine.asked[0][0]["customToolkitSettings"] == {"commandLine": "train 2"}
    assert e.Progress("machine", "file", 1, 2, unit="") in world.heard(e.Progress)
    assert e.Notice("", "image: made") in world.heard(e.Notice)


def test_a_machine_that_lacks_nothing_has_no_step(world: World) -> None:
    machine = Machine()
    on_machine(world, machine)
    assert world.run().exit_code == 0
    assert machine.readied == 0
    assert world.record.record.timeline[0].step == "place"


def test_nothing_is_got_for_a_job_that_is_meant_to_fail(world: World, write: Callable[[str], Path]) -> None:
    world.file = write(
        SMALL.replace("  train:\n    outputs:", "  train:\n    executionState: failed\n    outputs:")
    )
    machine = Machine(refusal=MachineError("there is no such image."))
    on_machine(world, machine)
    world.run()
    assert machine.asked == [[]]


def test_a_user_who_wants_to_stop_is_heard_while_it_is_got(world: World) -> None:
    on_machine(world, Machine(("CNTK",)))
    world.waiting.stop.set()
    assert world.run().exit_code == 130
    assert world.empty
