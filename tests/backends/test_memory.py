"""The reference model refuses what it cannot do, and its life cycle is the same each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.base import (
    BackendOptions,
    BatchAIError,
    ClusterSpec,
    JobSpec,
    JobState,
    Upload,
)
from batchai_scenario.backends.errors import InvalidSpec, NotFound, NotSupported
from batchai_scenario.backends.memory import MemoryBackend, ProgramCall, Result, open_backend

if TYPE_CHECKING:
    from pathlib import Path

    from batchai_scenario.backends.base import Place

VOLUME = {
    "accountName": "a",
    "azureFileUrl": "$STORAGE_URL/data",
    "credentials": {"accountKey": "$STORAGE_KEY"},
    "relativeMountPath": "afs",
}
CLUSTER: dict[str, Any] = {
    "vmSize": "STANDARD_NC6",
    "userAccountSettings": {"adminUserName": "admin", "adminUserPassword": "p"},
    "scaleSettings": {"manual": {"targetNodeCount": 2}},
    "nodeSetup": {"mountVolumes": {"azureFileShares": [VOLUME]}},
}
JOB: dict[str, Any] = {
    "nodeCount": 1,
    "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs/logs",
    "cntkSettings": {"pythonScriptFilePath": "$AZ_BATCHAI_INPUT_X/train.py"},
}


def ready(place: Place, **programs: Any) -> MemoryBackend:
    backend = MemoryBackend({name.replace("_", "."): program for name, program in programs.items()})
    backend.ensure_place(place)
    backend.ensure_share("data")
    backend.create_cluster(ClusterSpec(place, "nodes", CLUSTER))
    return backend


def test_a_program_reads_the_share_and_writes_its_outputs(place: Place, tmp_path: Path) -> None:
    def train(call: ProgramCall) -> Result:
        return Result(stdout=call.read("data", "in.txt").decode(), outputs={"MODEL/m.dnn": b"weights"})

    backend = ready(place, train_py=train)
    (tmp_path / "in.txt").write_text("input")
    backend.upload([Upload(tmp_path / "in.txt", "data", "in.txt")])
    outputs = [{"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "pathSuffix": "Models"}]
    job = backend.submit(JobSpec(place, "job", "nodes", {**JOB, "outputDirectories": outputs}))
    states = [backend.get_job(job.id).state for _ in range(4)]
    assert states == [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED, JobState.SUCCEEDED]
    assert b"".join(backend.read_share("data", f"logs/{job.segment}/stdouterr/stdout.txt")) == b"input"
    assert b"".join(backend.read_share("data", f"{job.segment}/outputs/Models/m.dnn")) == b"weights"


def test_jobs_wait_for_nodes_in_order_of_age(place: Place) -> None:
    backend = ready(place, train_py=lambda _: Result(endless=True))
    first = backend.submit(JobSpec(place, "first", "nodes", {**JOB, "nodeCount": 2}))
    second = backend.submit(JobSpec(place, "second", "nodes", JOB))
    backend.get_job(first.id)
    assert backend.get_cluster(place, "nodes").nodes["running"] == 2
    assert backend.get_job(second.id).state is JobState.QUEUED
    backend.terminate(first.id)
    backend.get_job(second.id)
    assert backend.get_job(second.id).state is JobState.RUNNING
    assert [job.id for job in backend.list_jobs(place)] == [first.id, second.id]


@pytest.mark.parametrize(
    ("properties", "path"),
    [
        (
            {"cntkSettings": {"pythonScriptFilePath": "other.py"}},
            "properties.cntkSettings.pythonScriptFilePath",
        ),
        ({"mountVolumes": {"unmanagedFileSystems": [{}]}}, "properties.mountVolumes.unmanagedFileSystems"),
    ],
)
def test_what_the_model_does_not_do_is_refused_by_path(
    properties: dict[str, Any], path: str, place: Place
) -> None:
    backend = ready(place, train_py=lambda _: Result())
    with pytest.raises(NotSupported) as refused:
        backend.submit(JobSpec(place, "job", "nodes", {**JOB, **properties}))
    assert refused.value.field == path
    assert backend.list_jobs(place) == []


@pytest.mark.parametrize(
    ("properties", "path"),
    [
        ({"stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_TEMP_DIR"}, "properties.stdOutErrPathPrefix"),
        ({"customToolkitSettings": {"commandLine": "true"}}, "properties"),
        ({"cntkSettings": {}}, "properties.cntkSettings.pythonScriptFilePath"),
    ],
)
def test_bodies_that_cannot_be_are_refused_by_path(
    properties: dict[str, Any], path: str, place: Place
) -> None:
    backend = ready(place, train_py=lambda _: Result())
    with pytest.raises(InvalidSpec) as refused:
        backend.submit(JobSpec(place, "job", "nodes", {**JOB, **properties}))
    assert refused.value.field == path


def test_problems_and_missing_shares_fail_the_job(place: Place) -> None:
    broken = BatchAIError("FailedStartingContainer", "unable to start docker container")
    backend = ready(place, train_py=lambda _: Result(None, problem=broken))
    job = backend.submit(JobSpec(place, "job", "nodes", JOB))
    end = [backend.get_job(job.id) for _ in range(3)][-1]
    assert (end.state, end.exit_code, end.errors) == (JobState.FAILED, None, (broken,))
    del backend.world.shares["data"]
    job = backend.submit(JobSpec(place, "other", "nodes", JOB))
    end = [backend.get_job(job.id) for _ in range(3)][-1]
    assert [problem.code for problem in end.errors] == ["AZFMountError"]


def test_things_need_their_place(place: Place) -> None:
    backend = MemoryBackend({"train.py": lambda _: Result()})
    with pytest.raises(NotFound, match="workspace"):
        backend.create_cluster(ClusterSpec(place, "nodes", CLUSTER))
    with pytest.raises(NotFound, match="experiment"):
        backend.submit(JobSpec(place, "job", "nodes", JOB))


def test_opened_by_name_it_refuses_every_job_and_never_pretends(place: Place, tmp_path: Path) -> None:
    backend = open_backend(BackendOptions(tmp_path))
    assert not backend.capabilities().real_time
    backend.ensure_place(place)
    backend.create_cluster(ClusterSpec(place, "nodes", CLUSTER))
    with pytest.raises(NotSupported):
        backend.submit(JobSpec(place, "job", "nodes", JOB))
