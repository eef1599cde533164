"""Whatever happens to a Slurm cluster or its emulator, jobs end right and nothing is left.

Each is tried at twenty random moments with ``--endurance``; its short twin, where it is short, tries one.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.base import ClusterSpec, JobSpec, JobState, Place
from batchai_scenario.emulator.engines.proc import marked
from batchai_scenario.emulator.engines.slurm.sandbox import processes, slurm_sandbox
from batchai_scenario.emulator.engines.supervisors import await_that
from batchai_scenario.emulator.state.home import Home
from tests.e2e.conftest import Command
from tests.e2e.emulators import Emulator, supervisors
from tests.lacking import need_slurm
from tests.slurm.daemons import Daemons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batchai_scenario.backends.base import ClusterStatus, JobStatus
    from batchai_scenario.emulator.engines.slurm.sandbox import Sandbox

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(3000)]

PLACE = Place("survive", "eastus", "survive", "survive")
OUT = {"stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_TEMP"}
ROUNDS = 20


class World:
    """A cluster of two nodes on a Slurm of this machine, and the emulator that has it."""

    def __init__(self, command: Command, sandbox: Sandbox) -> None:
        self.sandbox, self.daemons = sandbox, Daemons(sandbox)
        self.home = command.home
        self.emulator = Emulator(command, "slurm")
        self._jobs = 0
        self.backend.ensure_place(PLACE)

    @property
    def backend(self) -> Any:
        return self.emulator.backend

    def create(self, option: str = "requeue") -> None:
        """Create the cluster, and wait for its nodes."""
        scale = {"manual": {"targetNodeCount": 2, "nodeDeallocationOption": option}}
        body = {
            "vmSize": "STANDARD_D1",
            "scaleSettings": scale,
            "userAccountSettings": {"adminUserName": "slurm", "adminUserPassword": "not-used-here-1"},
        }
        self.backend.create_cluster(ClusterSpec(PLACE, "survive", body))
        self.whole()

    def cluster(self) -> ClusterStatus:
        found: ClusterStatus = self.backend.get_cluster(PLACE, "survive")
        return found

    def whole(self) -> None:
        """Wait until both nodes are idle."""
        self.until(lambda: self.cluster().nodes.get("idle") == 2)

    def delete(self) -> None:
        """Delete the cluster, after which nothing of it is anywhere."""
        self.backend.delete_cluster(PLACE, "survive")
        self.until(lambda: self.daemons.queue() == [])
        self.until(lambda: self.left() == [])

    def left(self) -> list[int]:
        return [each.pid for each in marked() if each.marker.startswith(f"{self.home.resolve()}:")]

    def submit(self, command: str, nodes: int = 1) -> str:
        self._jobs += 1
        settings = {"customToolkitSettings": {"commandLine": command}}
        body = {"nodeCount": nodes, **OUT, **settings}
        job: str = self.backend.submit(JobSpec(PLACE, f"job-{self._jobs}", "survive", body)).id
        return job

    def job(self, job: str) -> JobStatus:
        found: JobStatus = self.backend.get_job(job)
        return found

    def begun(self, job: str) -> None:
        """Wait until a job's supervisor runs; it is the only job."""
        self.until(lambda: self.job(job).state is JobState.RUNNING and supervisors(self.home))

    def ended(self, job: str) -> JobStatus:
        self.until(lambda: self.job(job).state.final)
        return self.job(job)

    def host(self) -> str:
        """Give the name of the node of Slurm's that a job's step runs on."""
        rows = self.sandbox.run("squeue", "--steps", "--noheader", "--format=%N %j").splitlines()
        return next(row.split()[0] for row in rows if not row.endswith(("extern", "batch")))

    def holder(self, host: str) -> str:
        """Give the job of Slurm's that holds a node."""
        return self.sandbox.run("squeue", "--noheader", "--format=%i", f"--nodelist={host}").split()[0]

    @staticmethod
    def until(condition: Callable[[], object]) -> None:
        assert await_that(lambda: bool(condition()), time.monotonic() + 240)


@contextmanager
def a_world(folder: Path) -> Iterator[World]:
    need_slurm()
    home = Home(folder / "home")
    home.make()
    with slurm_sandbox(2, home.slurm_settings) as sandbox:
        world = World(Command(home.root), sandbox)
        try:
            yield world
        finally:
            world.emulator.close()
    world.daemons.close()
    assert world.left() == []


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as world:
        yield world


def kill_emulator(world: World, seconds: float, *nodes: int) -> None:
    """Kill the emulator of jobs of one or two nodes."""
    several = "ssh $(tail -n1 $AZ_BATCHAI_MPI_HOST_FILE) sleep 0.5; exit 3"
    jobs = [world.submit("sleep 0.5; exit 3" if count == 1 else several, count) for count in nodes]
    time.sleep(seconds)
    world.emulator.kill()
    world.emulator.start()
    for job in jobs:
        end = world.ended(job)
        assert (end.exit_code, [error.code for error in end.errors]) == (3, ["JobFailed"]), end


def test_jobs_go_on_where_the_emulator_is_killed_and_nodes_go_back_to_slurm(world: World) -> None:
    world.create()
    kill_emulator(world, 0.0, 1, 2)
    world.delete()


@pytest.mark.endurance
@pytest.mark.parametrize("nodes", [1, 2])
def test_the_emulator_is_killed_twenty_times(world: World, nodes: int) -> None:
    chance = random.Random(nodes)
    for _ in range(ROUNDS):
        world.create()
        kill_emulator(world, chance.uniform(0.0, 2.0), nodes)
        world.delete()


def silence(world: World, seconds: float, chance: random.Random) -> None:
    """Stop Slurm's controller for a while in the middle of jobs."""
    ends, lasts = world.submit("sleep 3; exit 3"), world.submit(f"sleep {seconds + 20}; exit 4")
    time.sleep(chance.uniform(0.0, 2.0))
    controller = world.daemons.find("slurmctld").pid
    os.kill(controller, signal.SIGSTOP)
    deadline = time.monotonic() + seconds
    later = world.submit("exit 5")
    said: set[tuple[str, str]] = set()
    while time.monotonic() < deadline:
        cluster = world.cluster()
        assert (cluster.target, cluster.current) == (2, 2), cluster
        said.update((error.code, error.message) for error in cluster.errors)
        for job, code in ((ends, 3), (lasts, None), (later, None)):
            found = world.job(job)
            assert not found.state.final or (found.exit_code, job) == (code, ends), found
        time.sleep(1)
    os.kill(controller, signal.SIGCONT)
    assert all("Slurm does not answer" in message for _, message in said), said
    assert [world.ended(job).exit_code for job in (ends, lasts, later)] == [3, 4, 5]
    world.whole()
    assert world.cluster().errors == ()


@pytest.mark.endurance
@pytest.mark.parametrize("part", range(4))
def test_the_controller_is_silent_for_a_minute_twenty_times(world: World, part: int) -> None:
    conf = world.sandbox.folder / "slurm.conf"
    conf.write_text(conf.read_text().replace("SlurmdTimeout=60", "SlurmdTimeout=300"))  # as it is by default
    world.sandbox.run("scontrol", "reconfigure")
    chance = random.Random(part)
    world.create()
    held = world.daemons.queue()
    for _ in range(ROUNDS // 4):
        silence(world, 60, chance)
        assert sorted(world.daemons.queue()) == sorted(held)
    world.delete()


@pytest.mark.endurance
def test_the_daemon_of_a_node_is_killed_twenty_times(world: World) -> None:
    conf = world.sandbox.folder / "slurm.conf"
    conf.write_text(conf.read_text().replace("SlurmdTimeout=60", "SlurmdTimeout=5"))
    world.sandbox.run("scontrol", "reconfigure")
    chance = random.Random(3)
    world.create()
    for _ in range(ROUNDS):
        job = world.submit("sleep 600")
        world.begun(job)
        time.sleep(chance.uniform(0.0, 1.0))
        host = world.host()
        daemon = world.daemons.kill(host)
        end = world.ended(job)
        (error,) = end.errors
        assert (end.state, error.code) == (JobState.FAILED, "InternalError"), end
        assert f"node {host} " in error.message
        world.daemons.start(daemon)
        world.whole()
        world.until(lambda: world.left() == [])
    world.delete()


def take(world: World, how: str, host: str) -> None:
    """Take a node away as an administrator may."""
    if how == "cancelled":
        world.sandbox.run("scancel", world.holder(host))
    elif how == "its time is up":
        end = datetime.now().astimezone() + timedelta(seconds=10)  # Slurm takes no time that has passed
        job = world.holder(host)
        world.sandbox.run("scontrol", "update", f"jobid={job}", f"endtime={end:%Y-%m-%dT%H:%M:%S}")
    else:
        state = {"drained": "drain", "set down": "down"}[how]
        world.sandbox.run("scontrol", "update", f"nodename={host}", f"state={state}", "reason=new memory")


def lose(world: World, how: str, option: str, seconds: float) -> None:
    once = world.home / "once"
    command = f"if mkdir {once} 2>/dev/null; then sleep 600; fi; exit 3"
    job = world.submit(command)
    world.until(once.exists)
    time.sleep(seconds)
    host = world.host()
    take(world, how, host)
    end = world.ended(job)
    codes = ["JobTerminated"] if option == "terminate" else ["JobFailed"]
    assert [error.code for error in end.errors] == codes, end
    assert end.exit_code == (None if option == "terminate" else 3)
    once.rmdir()
    if how in ("drained", "set down"):
        world.until(lambda: world.sandbox.run("squeue", "--noheader", f"--nodelist={host}") == "")
        world.sandbox.run("scontrol", "update", f"nodename={host}", "state=resume")
    world.whole()


@pytest.mark.endurance
@pytest.mark.parametrize("how", ["cancelled", "drained", "set down", "its time is up"])
def test_a_node_is_taken_away_twenty_times(world: World, how: str) -> None:
    chance = random.Random(how)
    for option in ("requeue", "terminate"):
        world.create(option)
        for _ in range(ROUNDS // 2):
            lose(world, how, option, chance.uniform(0.0, 1.0))
        world.delete()


@pytest.mark.endurance
def test_the_home_is_deleted_and_its_nodes_go_back(world: World) -> None:
    world.create()

    def held() -> int:
        return sum(each.command[:1] == ("sleep",) for each in processes(world.sandbox.folder))

    world.until(lambda: held() == 2)  # what holds nodes has seen the home on both
    world.emulator.kill()
    world.home.rename(world.home.with_name("elsewhere"))
    world.until(lambda: world.daemons.queue() == [])
    world.home.with_name("elsewhere").rename(world.home)
    world.emulator.start()
    world.delete()
