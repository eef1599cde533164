"""Whatever is killed on a Slurm cluster, whenever: a task's end is the truth, and nothing is left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from batchai_scenario.emulator.engines.base import NODE_TAKEN
from batchai_scenario.emulator.engines.gpunodes import GpuWish
from batchai_scenario.emulator.engines.proc import marked, named
from batchai_scenario.emulator.engines.slurm.engine import SlurmEngine
from batchai_scenario.emulator.engines.slurm.sandbox import slurm_sandbox
from batchai_scenario.emulator.engines.supervisors import await_that
from batchai_scenario.emulator.errors import CleanupIncomplete, EngineUnavailable
from batchai_scenario.emulator.state.home import Home
from tests.lacking import need_slurm
from tests.slurm.daemons import Daemons
from tests.slurm.tasks import custom_task, share_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchai_scenario.emulator.engines.proc import RunningProcess
    from batchai_scenario.emulator.engines.slurm.sandbox import Sandbox
    from batchai_scenario.emulator.launch.plan import NodeTask

T = TypeVar("T")

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]

COMMAND = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.05; done; echo done"
SIZE = GpuWish("auto", "STANDARD_D2")
VICTIMS = (
    "nobody",
    "supervisor",
    "everything",
    "srun",
    "slurmstepd",
    "step",
    "allocation",
    "slurmctld",
    "slurmd",
)
HARMLESS = ("nobody", "slurmctld", "slurmd")
"""Killing these ends no task."""


class World:
    """A home on a Slurm cluster of two nodes of this machine; each engine is as another process has it."""

    def __init__(self, home: Home, sandbox: Sandbox) -> None:
        self.home, self.sandbox = home, sandbox
        self.daemons = Daemons(sandbox)

    def answered(self, act: Callable[[SlurmEngine], T]) -> T:
        """Do something as soon as Slurm answers."""
        for _ in range(120):  # each asks Slurm, at most twice a second
            with suppress(EngineUnavailable, CleanupIncomplete):
                return act(SlurmEngine(self.home, patience=1.0))
        pytest.fail("Slurm did not answer")

    def of_task(self, task: NodeTask) -> list[RunningProcess]:
        """List a task's processes, the oldest first."""
        own = [process for process in marked() if process.marker.endswith(f":{task.id}")]
        return sorted(own, key=lambda process: (process.started, process.pid))

    def strike(self, victim: str, task: NodeTask) -> None:
        """Kill it."""
        if victim in ("slurmctld", "slurmd"):
            self.daemons.start(self.daemons.kill("n1" if victim == "slurmd" else victim))
        elif victim == "step":
            rows = self.sandbox.run("squeue", "--steps", "--noheader", "--format=%i %j").splitlines()
            for step in [row.split()[0] for row in rows if row.split()[-1] == task.id]:
                with suppress(subprocess.CalledProcessError):  # it has ended meanwhile
                    self.sandbox.run("scancel", step)
        elif victim == "allocation":
            self.sandbox.run("scancel", f"--jobname={task.node}")
        own = self.of_task(task)
        for process in {
            "supervisor": [each for each in own if each.command[1:2] == (str(self._script(task)),)],
            "everything": own,
            "srun": [each for each in named("srun") if f"--job-name={task.id}" in each.command],
            "slurmstepd": [each for each in named("slurmstepd") if own and each.pid == _parent(own[0].pid)],
        }.get(victim, []):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    def _script(self, task: NodeTask) -> object:
        return self.home.nodes / task.cluster / task.node / "control" / task.id / "supervisor.sh"


def _parent(pid: int) -> int:
    """Give the parent of a process; 0 if it is gone."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    need_slurm()
    home = Home(tmp_path_factory.mktemp("shared") / "home")
    home.make()
    with slurm_sandbox(2, home.slurm_settings) as sandbox:
        world = World(home, sandbox)
        yield world
    world.daemons.close()
    assert [process for process in marked() if process.marker.startswith(f"{home.root}:")] == []


def check(world: World, victim: str, seed: int) -> None:
    chance = random.Random(seed)
    node = f"node-{seed}"
    place = world.answered(lambda engine: engine.place_node("guid", node, SIZE))
    task = custom_task(world.home, place, f"job-{seed}", COMMAND)
    SlurmEngine(world.home).start(task, lambda _: None)
    strikes = threading.Timer(chance.random() * 0.8, world.strike, (victim, task))
    strikes.start()
    end = SlurmEngine(world.home).wait(task.id)
    strikes.join()
    assert SlurmEngine(world.home).wait(task.id) == end
    file = share_of(world.home) / "segment" / "stdouterr" / "stdout.txt"
    whole = file.read_text().endswith("8\ndone\n")
    succeeded = (end.phase, end.exit_code, end.problem) == ("main", 0, None)
    assert whole or not succeeded, f"seed {seed}: {victim} was killed, and {end}"
    if victim in HARMLESS:
        assert succeeded, f"seed {seed}: {end}"
    if not succeeded:
        assert end.problem is not None or end.exit_code not in (0, None), f"seed {seed}: {end}"
    if victim == "allocation" and end.problem is not None:
        assert end.problem.code == NODE_TAKEN, f"seed {seed}: {end}"
    file.unlink()
    world.answered(lambda engine: engine.remove(task.id))
    world.answered(lambda engine: engine.remove_node("guid", node))
    assert world.of_task(task) == []
    assert SlurmEngine(world.home).tasks() == []
    if victim == "slurmctld":  # it may have forgotten that a job was cancelled
        world.answered(lambda engine: engine.sweep(frozenset()))
    assert await_that(lambda: world.daemons.queue() == [], time.monotonic() + 60)


@pytest.mark.parametrize("victim", ["supervisor", "allocation"])
def test_the_end_of_a_task_of_which_something_is_killed(world: World, victim: str) -> None:
    check(world, victim, 1)


@pytest.mark.endurance
@pytest.mark.parametrize("victim", VICTIMS)
def test_twenty_kills(world: World, victim: str) -> None:
    for seed in range(20):
        check(world, victim, seed)
