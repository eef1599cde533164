"""Somebody sets the machine's clock, by an hour or by years: jobs, limits, leases and copies go on."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.cluster.controller import Controller
from batchai_scenario.emulator.cluster.model import ExecutionState
from batchai_scenario.emulator.engines.process.engine import ProcessEngine
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.identity.tokens import Tokens
from batchai_scenario.emulator.state.clock import EvenClock, ManualClock, SystemClock
from batchai_scenario.emulator.state.copies import DAY, copies, keep
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.own import OwnCredentials
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store
from batchai_scenario.emulator.storage.records import ShareRecord
from tests.cluster.conftest import FakeShares, World, a_world
from tests.storage.serving import ACCOUNT, Serving, assemble

if TYPE_CHECKING:
    from pathlib import Path

    from batchai_scenario.emulator.state.clock import Clock

SET = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=4000), timedelta(days=-4000)]
BASE = "http://127.0.0.1:8888"
AUDIENCE = "https://management.core.windows.net/"


def hours(change: timedelta) -> float:
    return change.total_seconds() / 3600


@pytest.fixture(params=SET, ids=str)
def change(request: pytest.FixtureRequest) -> timedelta:
    """Give what the machine's clock is moved by."""
    found: timedelta = request.param
    return found


class Set(ManualClock):
    """A clock that runs evenly while the machine's is moved."""

    ahead = timedelta(0)

    def of_machine(self, moment: datetime) -> datetime:
        return moment - self.ahead

    def machine(self) -> datetime:
        return self.now() + self.ahead


def test_jobs_that_run_wait_and_time_out_do_not_see_it(tmp_path: Path, change: timedelta) -> None:
    """The engine tells the machine's time: so do the files that supervisors write."""
    clock = Set()
    with a_world(tmp_path, clock) as world:
        world.engine.clock = SimpleNamespace(now=clock.machine)  # type: ignore[assignment]
        cluster = world.cluster(target=2)
        good, late = (
            world.job(name, cluster, constraints={"maxWallClockTime": "PT2H"}) for name in ("good", "late")
        )
        waiting = world.job("waiting", cluster)
        tasks = {key: world.started(key) for key in (good, late)}
        clock.ahead = change
        clock.advance(minutes=10)
        world.engine.end(tasks[good], 0)
        ended = world.job_in(good, ExecutionState.SUCCEEDED)
        assert ended.started_at is not None
        assert ended.ended_at == ended.started_at + timedelta(minutes=10)
        world.engine.end(world.started(waiting), 3)
        failed = world.job_in(waiting, ExecutionState.FAILED)
        assert (failed.exit_code, failed.ended_at) == (3, clock.now())
        running = world.controller.get_job(late)
        assert running is not None
        assert running.execution_state is ExecutionState.RUNNING
        clock.advance(hours=2)
        timed = world.job_in(late, ExecutionState.FAILED)
        assert [error.code for error in timed.errors] == ["JobTimedOut"]
        world.nothing_left()


class Moved(SystemClock):
    """The machine's clock, which is set right after the first look."""

    def __init__(self, change: timedelta) -> None:
        self._change = change

    def now(self) -> datetime:
        change, self._change = self._change, timedelta(0)
        return super().now() - change


def real_world(tmp_path: Path, clock: Clock) -> tuple[World, ProcessEngine]:
    home = Home(tmp_path / "home")
    home.make()
    engine = ProcessEngine(home, namespaces=False)
    store = Store(home.database, Seal.at(home.seal_key))
    world = World.__new__(World)
    world.home, world.store, world.shares = home, store, FakeShares(home.storage)
    world.controller = Controller(store, clock, lambda _: engine, world.shares)
    return world, engine


def test_real_jobs_end_as_they_are_and_when_they_do(
    tmp_path: Path, change: timedelta, exercise_process: None
) -> None:
    """Ends are read from files, which have the machine's time; an emulator that began before has another."""
    clock = EvenClock(Moved(change))
    world, engine = real_world(tmp_path, clock)
    with closing(world.store):
        world.controller.start()
        cluster = world.cluster(target=3)
        commands = {"good": "true", "bad": "exit 3", "late": "sleep 300"}
        keys = {
            name: world.job(
                name,
                cluster,
                customToolkitSettings={"commandLine": command},
                constraints={"maxWallClockTime": "PT2S" if name == "late" else "PT1H"},
            )
            for name, command in commands.items()
        }
        ended = {
            name: world.job_when(key, lambda job: job.execution_state.final) for name, key in keys.items()
        }
        assert {name: job.exit_code for name, job in ended.items()} == {"good": 0, "bad": 3, "late": None}
        assert ended["late"].errors[0].code == "JobTimedOut"
        for job in ended.values():
            assert job.started_at is not None
            assert job.ended_at is not None
            assert job.started_at <= job.ended_at <= clock.now()
        ran = ended["late"].ended_at - ended["late"].started_at  # type: ignore[operator]
        assert ran >= timedelta(seconds=1.9)  # its start is noted a moment after the count begins
        world.controller.delete_cluster(cluster)
        world.until(lambda: world.controller.get_cluster(cluster) is None)
        world.controller.close()
    assert engine.tasks() == []
    engine.close()


def test_a_token_goes_by_the_clock_that_its_client_has(change: timedelta) -> None:
    machine = ManualClock()
    tokens = Tokens(b"a key", machine)

    def token() -> str:
        return f"Bearer {tokens.issue(tenant='t', client='c', audience=AUDIENCE, base_url=BASE).text}"

    before = token()
    machine.advance(hours=hours(change))
    tokens.check(token(), BASE)
    if change > timedelta(0):  # and the client, which has the same clock, asks for another
        with pytest.raises(ServiceError, match="ExpiredAuthenticationToken"):
            tokens.check(before, BASE)
    else:
        tokens.check(before, BASE)


def test_requests_are_signed_with_the_new_time_and_leases_end_in_their_own(
    tmp_path: Path, change: timedelta
) -> None:
    machine, even = ManualClock(), ManualClock()
    lease = {"comp": "lease", "restype": "share"}
    acquire = {"x-ms-lease-action": "acquire", "x-ms-lease-duration": "15"}
    with Serving(assemble(tmp_path / "home", machine, even=even)) as served:
        served.shares.create(ACCOUNT, "data", ShareRecord())
        assert served.ask("PUT", "/data", lease, acquire).status == 201
        machine.advance(hours=hours(change))
        served.make("/data/f", b"1")
        assert served.ask("GET", served.linked("/data/f").split(ACCOUNT, 1)[1], signed=False).status == 200
        even.advance(seconds=14)
        assert served.ask("PUT", "/data", lease, acquire).code == "LeaseAlreadyPresent"
        even.advance(seconds=1)
        assert served.ask("PUT", "/data", lease, acquire).status == 201


def test_the_copy_that_was_made_last_is_the_newest(tmp_path: Path, change: timedelta) -> None:
    home, clock = Home(tmp_path), ManualClock()
    home.make()
    OwnCredentials.at(home.credentials)
    with closing(Store(home.database, Seal.at(home.seal_key))) as store:
        made = []
        for number in range(6):
            store.put("k", str(number), {})
            made.append(keep(home, store, clock.now(), DAY).folder)
            clock.advance(hours=hours(change), seconds=1)
    assert [copy.folder for copy in copies(home)] == made[:2:-1]
