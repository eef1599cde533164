"""No job is reported with another end than its own, on a busy machine either: of each kind, all of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.base import BackendOptions, ClusterSpec, JobSpec, JobState, Place
from batchai_scenario.backends.local import open_backend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NODES = 4
FILES = "$AZ_BATCHAI_MOUNT_ROOT/files"

KINDS: dict[str, tuple[dict[str, Any], int, str]] = {
    "succeeds": ({"customToolkitSettings": {"commandLine": "true"}}, 0, ""),
    "exits": ({"customToolkitSettings": {"commandLine": "exit 3"}}, 3, "JobFailed"),
    "killed": ({"customToolkitSettings": {"commandLine": "kill -9 $$"}}, 137, "JobFailed"),
    "missing": ({"customToolkitSettings": {"commandLine": "/no/such/command"}}, 127, "JobFailed"),
    "unprepared": (
        {"customToolkitSettings": {"commandLine": "true"}, "jobPreparation": {"commandLine": "exit 7"}},
        7,
        "JobPreparationFailed",
    ),
}


@contextmanager
def _busy_cores(number: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(number):
            spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(spinner.wait)
            stack.callback(spinner.kill)
        yield


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("times", [20, pytest.param(200, marks=pytest.mark.endurance)])
def test_every_job_has_its_own_end(
    times: int, tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    image = request.getfixturevalue("docker_image") if engine == "docker" else "ubuntu:16.04"
    place = Place("soak", "eastus", "soak", "soak")
    share = {
        "accountName": "$STORAGE_ACCOUNT",
        "azureFileUrl": "$STORAGE_URL/soak",
        "credentials": {"accountKey": "$STORAGE_KEY"},
        "relativeMountPath": "files",
    }
    backend = open_backend(BackendOptions(home=tmp_path / "home", values={"engine": engine}))
    try:
        backend.ensure_place(place)
        backend.ensure_share("soak")
        properties = {
            "vmSize": "STANDARD_D1",
            "scaleSettings": {"manual": {"targetNodeCount": NODES}},
            "userAccountSettings": {"adminUserName": "soak", "adminUserPassword": "not-used-here-1"},
            "nodeSetup": {"mountVolumes": {"azureFileShares": [share]}},
        }
        backend.create_cluster(ClusterSpec(place, "soak", properties))
        with _busy_cores(2):
            for number in range(times):
                for kind, (body, _, _) in KINDS.items():
                    job = {
                        "nodeCount": 1,
                        "stdOutErrPathPrefix": FILES,
                        "containerSettings": {"imageSourceRegistry": {"image": image}},
                        **body,
                    }
                    backend.submit(JobSpec(place, f"{kind}-{number}", "soak", job))
            jobs = backend.list_jobs(place)
            while not all(job.state.final for job in jobs):
                time.sleep(
                    1
                )  # hundreds of jobs on a busy machine take minutes: the test's own timeout ends it
                jobs = backend.list_jobs(place)
        ends = Counter(
            (
                job.id.rsplit("/", 1)[1].split("-")[0],
                job.state,
                job.exit_code,
                tuple(e.code for e in job.errors),
            )
            for job in jobs
        )
        assert ends == {
            (kind, JobState.FAILED if code else JobState.SUCCEEDED, exit_code, (code,) if code else ()): times
            for kind, (_, exit_code, code) in KINDS.items()
        }
    finally:
        backend.delete_cluster(place, "soak")
        backend.close()
