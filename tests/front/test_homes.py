"""Homes that earlier releases wrote: this one goes on with what it finds there.

``homes/<release>.tar.gz`` is a home as that release left it when it was stopped: a job that succeeded, one
that failed, one that ran (its processes are long gone), one that waited, all on a cluster of one node.
"""

from __future__ import annotations

import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.mgmt.batchai import BatchAI
from azure.mgmt.batchai.models import JobsListOutputFilesOptions

from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings
from tests.front.test_sdk import options

if TYPE_CHECKING:
    from collections.abc import Iterator

HOMES = sorted((Path(__file__).parent / "homes").glob("*.tar.gz"))


@pytest.fixture(params=HOMES, ids=[home.name.removesuffix(".tar.gz") for home in HOMES])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    home = tmp_path / "home"
    with tarfile.open(request.param) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.10.12 and later
        archive.extractall(home)
    settings = EmulatorSettings(home, engine="process", gpus="none", development_credentials=True)
    server = EmulatorServer(settings)
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
