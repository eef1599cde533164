"""What a page is sent: only what changed, and read from disk only as far as it may have changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.cluster.keeping import ResourceRecords
from batchai_scenario.emulator.cluster.making import new_job
from batchai_scenario.emulator.cluster.model import (
    ClusterKey,
    ExecutionState,
    ExperimentKey,
    JobKey,
    ProvisioningState,
    WorkspaceKey,
)
from batchai_scenario.emulator.cluster.window import Window
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store
from batchai_scenario.emulator.ui.board import Board

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchai_scenario.emulator.cluster.model import Job
    from batchai_scenario.emulator.cluster.records import JobRecord

WORKSPACE = WorkspaceKey("s", "g", "w")
NOW = datetime(2018, 6, 6, tzinfo=timezone.utc)


class Counting(Window):
    """Counts the jobs that were read."""

    def __init__(self, records: ResourceRecords) -> None:
        super().__init__(records)
        self.read = 0

    def jobs(self, after: int = 0, *, live: bool = False) -> list[tuple[int, Job]]:
        found = super().jobs(after, live=live)
        self.read += len(found)
        return found


class Room:
    """Jobs as they are kept, without anybody who runs them."""

    def __init__(self, store: Store) -> None:
        self.records = ResourceRecords(store)
        self.window = Counting(self.records)
        self.board = Board(self.window)

    def make(self, name: str, state: ExecutionState = ExecutionState.QUEUED) -> JobRecord:
        definition = {"nodeCount": 1, "customToolkitSettings": {"commandLine": "true"}}
        key = JobKey(ExperimentKey(WORKSPACE, "e"), name)
        record = new_job(key, ClusterKey(WORKSPACE, "c"), definition, None, NOW)
        self.records.save_job(record)
        return self.move(record, state)

    def move(self, record: JobRecord, state: ExecutionState) -> JobRecord:
        stored = self.records.read_job(record.job.key)
        assert stored is not None
        moved = replace(stored, job=replace(stored.job, execution_state=state))
        self.records.save_job(moved)
        return moved

    def told(self, revision: int) -> tuple[int, set[str], set[str]]:
        """Give the board's revision, the names of jobs that changed, and those that are gone."""
        found = self.board.since(revision)
        if found is None:
            return revision, set(), set()
        gone = {key.rpartition("/")[2] for key in found["gone"]}
        return found["revision"], {job["name"] for job in found["jobs"]}, gone


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room without jobs."""
    store = Store(tmp_path / "state.sqlite3", Seal.at(tmp_path / "seal.key"))
    yield Room(store)
    store.close()


def test_a_page_hears_of_what_changed_and_of_nothing_else(room: Room) -> None:
    first, second = room.make("first"), room.make("second", ExecutionState.SUCCEEDED)
    at, changed, gone = room.told(0)
    assert (changed, gone) == ({"first", "second"}, set())
    assert room.told(at) == (at, set(), set())
    first = room.move(first, ExecutionState.RUNNING)
    at, changed, _ = room.told(at)
    assert changed == {"first"}
    room.move(first, ExecutionState.FAILED)
    room.make("third")
    later, changed, _ = room.told(at)
    assert changed == {"first", "third"}
    assert room.told(at)[1] == {"first", "third"}  # another page, which is not as far
    room.records.remove_job(second)
    assert room.told(later)[1:] == (set(), {"second"})


def test_a_job_that_goes_and_comes_between_two_looks_is_the_new_one(room: Room) -> None:
    old = room.make("job", ExecutionState.SUCCEEDED)
    room.make("other", ExecutionState.SUCCEEDED)
    at, _, _ = room.told(0)
    room.records.remove_job(old)
    room.make("job")
    at, changed, gone = room.told(at)
    assert (changed, gone) == ({"job"}, set())
    found = room.board.since(0)
    assert found is not None
    assert sorted((job["name"], job["state"]) for job in found["jobs"]) == [
        ("job", "queued"),
        ("other", "succeeded"),
    ]


def test_a_running_job_that_is_deleted_is_gone(room: Room) -> None:
    job = room.make("job", ExecutionState.RUNNING)
    at, _, _ = room.told(0)
    deleting = job.but(provisioning_state=ProvisioningState.DELETING)
    room.records.save_job(deleting)
    at, changed, _ = room.told(at)
    assert changed == {"job"}
    room.records.remove_job(deleting)
    assert room.told(at)[1:] == (set(), {"job"})


def test_a_page_of_an_emulator_before_gets_everything(room: Room) -> None:
    room.make("job")
    found = room.board.since(400)
    assert found is not None
    assert (found["whole"], len(found["jobs"])) == (True, 1)


def test_jobs_that_are_over_are_read_once(room: Room) -> None:
    for number in range(200):
        room.make(f"over-{number}", ExecutionState.SUCCEEDED)
    running = room.make("running")
    at, changed, _ = room.told(0)
    assert len(changed) == 201
    before = room.window.read
    for state in (ExecutionState.RUNNING, ExecutionState.SUCCEEDED):
        running = room.move(running, state)
        at, changed, _ = room.told(at)
        assert changed == {"running"}
    assert room.window.read - before <= 4
    quiet = room.window.read
    assert room.told(at) == (at, set(), set())
    assert room.window.read == quiet
