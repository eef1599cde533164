"""Homes that earlier releases wrote: this one goes on with what it finds there.

``homes/<release>.tar.gz`` is a home as that release, or a version of its store on the way to it, left it when
it was stopped: a job that succeeded, one that failed, one that ran (its processes are long gone), one that
waited, all on a cluster of one node.
"""

from __future__ import annotations

import sqlite3
import tarfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.mgmt.batchai import BatchAI
from azure.mgmt.batchai.models import JobsListOutputFilesOptions

from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings
from batchai_scenario.emulator.state.store import FORMAT, StoreTooNew
from tests.front.test_sdk import options

if TYPE_CHECKING:
    from collections.abc import Iterator

HOMES = sorted((Path(__file__).parent / "homes").glob("*.tar.gz"))


def unpacked(archived: Path, home: Path) -> EmulatorSettings:
    with tarfile.open(archived) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.10.12 and later
        archive.extractall(home)
    return EmulatorSettings(home, engine="process", gpus="none", development_credentials=True)


def state(home: Path) -> Path:
    return home / "emulator" / "state.sqlite3"


@pytest.fixture(params=HOMES, ids=[home.name.removesuffix(".tar.gz") for home in HOMES])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    server = EmulatorServer(unpacked(request.param, tmp_path / "home"))
    with BatchAI(**options(server.start())) as client:
        yield client
    server.close()


def ended(old: Any, name: str) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = old.jobs.get("group", "work", "exp", name)
        if job.execution_state in ("succeeded", "failed"):
            return job
        time.sleep(0.05)
    raise TimeoutError(name)


@pytest.mark.usefixtures("exercise_process")
def test_what_was_there_is_there_and_what_was_begun_goes_on(old: Any) -> None:
    finished, failed = ended(old, "finished"), ended(old, "failed")
    assert (finished.execution_state, finished.execution_info.exit_code) == ("succeeded", 0)
    assert (failed.execution_state, failed.execution_info.exit_code) == ("failed", 3)
    streams = JobsListOutputFilesOptions(outputdirectoryid="stdouterr")
    listed = old.jobs.list_output_files("group", "work", "exp", "finished", streams)
    assert {file.name for file in listed} == {"stdout.txt", "stderr.txt", "execution.log"}

    running, queued = ended(old, "running"), ended(old, "queued")
    assert (running.execution_state, running.execution_info.exit_code) == ("failed", -1)
    assert running.execution_info.errors, "an end that nobody knows is told, and is no success"
    assert (queued.execution_state, queued.execution_info.exit_code) == ("succeeded", 0)
    names = [job.name for job in old.jobs.list_by_experiment("group", "work", "exp")]
    assert names == ["finished", "failed", "running", "queued"]
    old.clusters.begin_delete("group", "work", "nodes").result()


def test_each_version_of_the_store_has_a_home_here(tmp_path: Path) -> None:
    found = set()
    for number, archived in enumerate(HOMES):
        home = tmp_path / str(number)
        unpacked(archived, home)
        with closing(sqlite3.connect(state(home))) as db:
            found.add(db.execute("PRAGMA user_version").fetchone()[0])
    assert found == set(range(1, FORMAT + 1)), "make one: tests/front/make_home.py"


def test_a_newer_home_is_refused_whole_and_left_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = unpacked(HOMES[-1], home)
    with closing(sqlite3.connect(state(home))) as db:
        db.execute(f"PRAGMA user_version={FORMAT + 1}")

    def content() -> dict[Path, bytes]:
        files = [file for file in home.rglob("*") if file.is_file() and file.suffix != ".lock"]
        return {file: file.read_bytes() for file in files}

    before = content()
    with pytest.raises(StoreTooNew, match=f"its format is {FORMAT + 1}"):
        EmulatorServer(settings).start()
    assert content() == before
