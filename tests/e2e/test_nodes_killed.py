"""A job of two nodes whose emulator, supervisor or container is killed at random moments ends right.

The soak test does it twenty times for each victim, the other one twice.
"""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.base import ClusterSpec, JobSpec, JobState, Place
from tests.e2e.emulators import Emulator, supervisors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batchai_scenario.backends.base import JobStatus
    from tests.e2e.conftest import Command

PLACE = Place("kill", "eastus", "kill", "kill")
SHARE = {
    "accountName": "$STORAGE_ACCOUNT",
    "azureFileUrl": "$STORAGE_URL/kill",
    "credentials": {"accountKey": "$STORAGE_KEY"},
    "relativeMountPath": "files",
}
CLUSTER = {
    "vmSize": "STANDARD_D1",
    "scaleSettings": {"manual": {"targetNodeCount": 2}},
    "userAccountSettings": {"adminUserName": "kill", "adminUserPassword": "not-used-here-1"},
    "nodeSetup": {"mountVolumes": {"azureFileShares": [SHARE]}},
}
COMMAND = "for host in $(echo $AZ_BATCH_HOST_LIST | tr , ' '); do ssh $host sleep 1; done; sleep 4; exit 3"
"""Goes on until the loss of a node is seen, also where its last ``ssh`` breaks off with that node."""


def _kill_node(home: Path, engine: str) -> bool:
    """Kill what runs on one of the job's nodes; False if nothing runs yet."""
    if engine == "docker":
        import docker

        client = docker.from_env()
        try:
            running = client.containers.list(filters={"label": f"scenario.home={home.resolve()}"})
            if running:
                random.choice(running).kill()
        except docker.errors.APIError:
            return False  # it ended by itself
        finally:
            client.close()
        return bool(running)
    found = supervisors(home)
    if found:
        os.kill(random.choice(found), signal.SIGKILL)
    return bool(found)


def _ended(emulator: Emulator, job: str) -> JobStatus:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = emulator.backend.get_job(job)
        if found.state.final:
            return found
        time.sleep(0.05)
    raise TimeoutError(found)


def _round(emulator: Emulator, image: str, name: str, victim: str) -> None:
    body: dict[str, Any] = {
        "nodeCount": 2,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files",
        "containerSettings": {"imageSourceRegistry": {"image": image}},
        "customToolkitSettings": {"commandLine": COMMAND},
    }
    job = emulator.backend.submit(JobSpec(PLACE, name, "kill", body)).id
    time.sleep(random.uniform(0.0, 1.5))
    if victim == "emulator":
        emulator.kill()
        emulator.start()
        ended = _ended(emulator, job)
        assert (ended.exit_code, [one.code for one in ended.errors]) == (3, ["JobFailed"]), ended
        return
    while not _kill_node(emulator.command.home, emulator.engine):
        time.sleep(0.01)
    ended = _ended(emulator, job)
    (error,) = ended.errors
    assert ended.state is JobState.FAILED
    assert error.code in {"InternalError", "FailedStartingContainer"}, error
    assert dict(error.details)["Node"].startswith("tvm-")


def _rounds(emulator: Emulator, image: str, times: int) -> None:
    backend = emulator.backend
    backend.ensure_place(PLACE)
    backend.ensure_share("kill")
    backend.create_cluster(ClusterSpec(PLACE, "kill", CLUSTER))
    for number in range(times):
        for victim in ("emulator", "node"):
            _round(emulator, image, f"{victim}-{number}", victim)
    deadline = time.monotonic() + 30
    while (found := emulator.backend.get_cluster(PLACE, "kill")).nodes.get("idle") != 2:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert not supervisors(emulator.command.home)
    emulator.backend.delete_cluster(PLACE, "kill")


@pytest.fixture
def rounds(scenario: Command, engine: str, request: pytest.FixtureRequest) -> Iterator[Callable[[int], None]]:
    image = request.getfixturevalue("docker_image") if engine == "docker" else "ubuntu:16.04"
    emulator = Emulator(scenario, engine)
    yield lambda times: _rounds(emulator, str(image), times)
    emulator.close()


@pytest.mark.timeout(300)
def test_whatever_is_killed_a_job_of_two_nodes_ends_right(rounds: Callable[[int], None]) -> None:
    rounds(2)


@pytest.mark.endurance
@pytest.mark.timeout(1200)
def test_whatever_is_killed_twenty_times_a_job_of_two_nodes_ends_right(rounds: Callable[[int], None]) -> None:
    rounds(20)
