"""A week in a minute: clusters, jobs, time limits, expiring tokens and turning logs, on a virtual clock."""

from __future__ import annotations

import gc
import multiprocessing
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.cluster.model import ExecutionState, JobKey
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.identity.tokens import Tokens
from batchai_scenario.emulator.log import EmulatorLog
from batchai_scenario.emulator.state.copies import DAY, STOP, copies, keep_copies
from batchai_scenario.emulator.state.own import OwnCredentials
from tests.cluster.conftest import EXPERIMENT, a_world

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from batchai_scenario.emulator.cluster.model import ClusterKey
    from tests.cluster.conftest import World

HOURS = 7 * 24
_KEPT_DAYS = 3
BASE = "http://127.0.0.1:8888"
RESOURCE = "https://management.core.windows.net/"
FINAL = {
    "good": (ExecutionState.SUCCEEDED, 0),
    "bad": (ExecutionState.FAILED, 3),
    "long": (ExecutionState.FAILED, None),
}


@dataclass
class Used:
    """What a process holds: open files, threads, blocks of Python's memory."""

    files: int
    threads: int
    blocks: int

    @classmethod
    def now(cls) -> Used:
        gc.collect()
        return cls(
            len(list(Path("/proc/self/fd").iterdir())),
            threading.active_count(),
            sys.getallocatedblocks(),
        )


@dataclass
class Week:
    """An emulator's parts on one clock, and what is asked of them each hour."""

    world: World
    tokens: Tokens
    log: EmulatorLog
    before: str = ""
    cluster: ClusterKey | None = None
    jobs: list[list[JobKey]] = field(default_factory=list)

    def hour(self, number: int) -> None:
        """Live through an hour: every half day on a new cluster."""
        if number % 12 == 0:
            self.replace_cluster(number // 12)
        good, bad, late = (
            self.world.job(f"{kind}{number}", self.cluster, **self.limits(kind)) for kind in FINAL
        )
        self.world.engine.end(self.world.started(good), 0)
        self.world.engine.end(self.world.started(bad), 3)
        self.world.job_in(good, ExecutionState.SUCCEEDED)
        self.world.job_in(bad, ExecutionState.FAILED)
        self.world.started(late)
        self.sign_in()
        self.world.clock.advance(hours=1, seconds=1)
        self.world.job_in(late, ExecutionState.FAILED)
        for line in range(150):
            text = f"hour {number}, line {line}: {'x' * 120}"
            self.log.error(text)
        self.jobs.append([good, bad, late])
        if len(self.jobs) > 24:
            self.forget(self.jobs.pop(0))

    @staticmethod
    def limits(kind: str) -> dict[str, object]:
        return {"constraints": {"maxWallClockTime": "PT1H" if kind == "long" else "P7D"}}

    def replace_cluster(self, number: int) -> None:
        """Delete the cluster and make another one, with two nodes."""
        if self.cluster is not None:
            old = self.cluster
            self.world.controller.delete_cluster(old)
            self.world.until(lambda: self.world.controller.get_cluster(old) is None)
        self.cluster = self.world.cluster(f"c{number}", target=3)
        self.world.cluster_when(self.cluster, lambda cluster: len(cluster.nodes) == 3)

    def sign_in(self) -> None:
        """Get a token; that of an hour ago is worth nothing any more."""
        if self.before:
            with pytest.raises(ServiceError) as refused:
                self.tokens.check(f"Bearer {self.before}", BASE)
            assert refused.value.code == "ExpiredAuthenticationToken"
        self.before = self.tokens.issue(tenant="t", client="c", audience=RESOURCE, base_url=BASE).text
        self.tokens.check(f"Bearer {self.before}", BASE)

    def forget(self, keys: list[JobKey]) -> None:
        """Delete a day's old jobs."""
        for key in keys:
            self.world.controller.delete_job(key)
        self.world.until(lambda: all(self.world.controller.get_job(key) is None for key in keys))

    def check(self) -> None:
        """Hold what must be true after every hour."""
        self.world.nothing_left()
        assert self.world.engine.running == {}
        for keys in self.jobs:
            for key in keys:
                job = self.world.controller.get_job(key)
                assert job is not None
                state, code = FINAL[key.name.rstrip("0123456789")]
                assert job.execution_state is state, key
                assert code is None or job.exit_code == code
        folder = self.world.home.database.parent
        assert sum(file.stat().st_size for file in folder.glob("emulator.log*")) < 2_100_000
        # The oldest is removed once the newest is there.
        assert len([copy for copy in copies(self.world.home) if copy.why == DAY]) <= 4
        assert self.world.store.list("job", EXPERIMENT.id) or not self.jobs

    def used(self) -> Used:
        """Say what the process holds while no copy is due or being made."""
        home, clock = self.world.home, self.world.clock
        a_day_ago = clock.now() - timedelta(days=1)
        self.world.until(lambda: copies(home)[0].made > a_day_ago)
        self.world.until(lambda: len(list(home.copies.iterdir())) == len(copies(home)) <= _KEPT_DAYS)
        return Used.now()


def live(folder: Path, kept: Connection) -> None:
    """Live through the week, in a process of its own, and say what was held after two days and at the end."""
    with ExitStack() as held:
        world = held.enter_context(a_world(folder))
        log = EmulatorLog(world.home.database.parent / "emulator.log")
        held.callback(log.close)
        OwnCredentials.at(world.home.credentials)
        keep_copies(held, world.home, world.store, world.clock, pytest.fail)
        week = Week(world, Tokens(b"a key", world.clock), log)
        for hour in range(HOURS):
            week.hour(hour)
            week.check()
            world.engine.seen.clear()
            world.engine.starts.clear()
            world.engine.stops.clear()
            world.shares.keys.clear()
            if hour == 2 * 24:
                kept.send(week.used())
        kept.send(week.used())
    assert [copy.why for copy in copies(world.home)] == [STOP, *[DAY] * 3]
    assert len(list(world.home.copies.iterdir())) == 4


@pytest.mark.timeout(600)
def test_a_week_leaves_nothing_behind(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    process = spawn.Process(target=live, args=(tmp_path, there))
    with here:
        with there:
            process.start()
        early, late = here.recv(), here.recv()
        process.join()
    assert process.exitcode == 0
    assert late.files <= early.files + 2
    assert late.threads <= early.threads + 1
    assert late.blocks <= early.blocks + 50 * (HOURS - 2 * 24), (early, late)
