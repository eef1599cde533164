"""The life of a job."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.cluster.model import ExecutionState, NodeState
from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.schema.layout import Layout
from batchai_scenario.schema.older import OlderFields, with_older

if TYPE_CHECKING:
    from batchai_scenario.emulator.cluster.model import JobKey
    from tests.cluster.conftest import World

QUEUED, RUNNING, TERMINATING, SUCCEEDED, FAILED = ExecutionState


def log_of(world: World, key: JobKey, name: str = "execution.log") -> str:
    job = world.controller.get_job(key)
    assert job is not None
    place = world.controller.file_folder(job, "stdouterr")
    assert place is not None
    account, share, path = place
    return (world.home.storage / account / share / path / name).read_text()


def test_a_job_runs_and_succeeds(world: World) -> None:
    cluster, job = world.cluster(), world.job()
    task = world.started(job)
    running = world.job_in(job, RUNNING)
    assert running.started_at == running.execution_changed_at
    assert (running.ended_at, running.exit_code) == (None, None)
    node = world.cluster_when(cluster, lambda c: c.nodes[0].state is NodeState.RUNNING).nodes[0]
    assert running.nodes == (node.id,)
    assert node.job == job.id
    world.clock.advance(seconds=61)
    world.engine.end(task)
    done = world.job_in(job, SUCCEEDED)
    assert (done.exit_code, done.errors) == (0, ())
    assert done.started_at is not None
    assert done.ended_at == done.execution_changed_at == done.started_at + timedelta(seconds=61)
    assert done.changed_at == done.created_at, "the ETag does not move with the state"
    world.cluster_when(cluster, lambda c: c.nodes[0].state is NodeState.IDLE and not c.nodes[0].job)
    world.nothing_left()


def test_the_segment_is_the_services_own(world: World) -> None:
    world.cluster(target=0)
    job = world.job_in(world.job(), QUEUED)
    assert job.segment == f"5ab/group/workspaces/Ws/experiments/Exp/jobs/j/{job.guid}"


@pytest.mark.parametrize(
    ("code", "phase", "error"),
    [(3, "main", "JobFailed"), (137, "main", "JobFailed"), (7, "preparation", "JobPreparationFailed")],
)
def test_a_command_that_fails_fails_the_job_with_its_exit_code_k4(
    world: World, code: int, phase: str, error: str
) -> None:
    world.cluster()
    job = world.job()
    world.engine.end(world.started(job), code, phase)
    failed = world.job_in(job, FAILED)
    assert failed.exit_code == code
    assert [problem.code for problem in failed.errors] == [error]
    assert failed.errors[0].message in (
        "Job failed with non-zero exit code",
        "Job preparation task failed with non-zero exit code",
    )


def test_a_problem_of_the_machine_keeps_its_code(world: World) -> None:
    lost = Problem("FailedStartingContainer", "unable to start docker container", (("imageName", "x"),))
    world.engine.refuse_start = EngineError(lost)  # before there is a job, which might start at once
    world.cluster()
    job = world.job()
    failed = world.job_in(job, FAILED)
    assert (failed.exit_code, failed.errors) == (-1, (lost,))
    assert "unable to start docker container" in log_of(world, job)
    world.nothing_left()


def test_an_end_that_nobody_knows_is_never_success(world: World) -> None:
    world.cluster()
    job = world.job()
    world.engine.end(world.started(job), None, problem=Problem("TaskLost", "gone"))
    failed = world.job_in(job, FAILED)
    assert (failed.exit_code, failed.errors[0].code) == (-1, "TaskLost")


def test_an_engine_that_is_gone_at_launch_fails_the_job_with_the_remedy(world: World) -> None:
    world.cluster_when(world.cluster(), lambda c: c.nodes and c.nodes[0].state is NodeState.IDLE)
    world.broken = True
    failed = world.job_in(world.job(), FAILED)
    assert failed.errors[0].message == "No engine answers. Start it."


def test_a_definition_that_cannot_be_planned_fails_the_job(world: World) -> None:
    world.cluster()
    job = world.job(stdOutErrPathPrefix="$AZ_BATCHAI_MOUNT_ROOT/afs/../..")
    failed = world.job_in(job, FAILED)
    assert failed.errors[0].code == "InvalidPropertyValue"
    assert "stdOutErrPathPrefix" in failed.errors[0].message


def test_a_job_level_mount_that_fails_fails_the_job_as_the_service_did(world: World) -> None:
    world.cluster()
    world.shares.missing.add("own")
    mount = {
        "accountName": "acct",
        "azureFileUrl": "https://acct.file.core.windows.net/own",
        "relativeMountPath": "mine",
    }
    failed = world.job_in(world.job(mountVolumes={"azureFileShares": [mount]}), FAILED)
    assert (failed.exit_code, failed.errors[0].code) == (-1, "AZFMountError")
    assert [name for name, _ in failed.errors[0].details] == ["Info", "Info"]
    root = "/mnt/batch/tasks/shared/LS_root/jobs/Ws/Exp/"
    assert failed.errors[0].details[0][1] == f"own at {root}{failed.key.name}/mounts/mine"
    assert "preparation failed on 10.0.0.4" in failed.errors[0].details[1][1]


def test_mounts_secrets_and_gpus_reach_the_task(world: World) -> None:
    world.cluster()
    mount = {
        "accountName": "acct",
        "azureFileUrl": "https://acct.file.core.windows.net/own",
        "relativeMountPath": "mine",
    }
    world.started(world.job(mountVolumes={"azureFileShares": [mount]}))
    (task,) = world.engine.seen
    targets = {str(item.target): item.source for item in task.mounts}
    root = "/mnt/batch/tasks/shared/LS_root"
    assert targets[f"{root}/mounts/afs"] == world.home.storage / "acct" / "share"
    assert targets[f"{root}/jobs/Ws/Exp/j/mounts/mine"] == world.home.storage / "acct" / "own"
    assert task.environment["TOKEN"] == "hunter2"
    assert task.gpus == "auto"


def test_the_execution_log_tells_the_story_without_secrets(world: World) -> None:
    world.cluster()
    job = world.job(environmentVariables=[{"name": "PLAIN", "value": "visible-value"}])
    world.engine.end(world.started(job), 3)
    world.job_in(job, FAILED)
    lines = log_of(world, job).splitlines()
    assert all(line.split(" ")[1] in ("INFO", "NOTICE", "ERROR") for line in lines)
    assert all(line.startswith("2018-06-06T12:00:00Z ") for line in lines)
    text = "\n".join(lines)
    for word in ("picked up", "tvm-", "share", "NOTICE image:", "failed with exit code 3", "ERROR JobFailed"):
        assert word in text
    for secret in ("hunter2", "visible-value", "cluster-key"):
        assert secret not in text


def test_secrets_are_not_on_disk_in_clear(world: World) -> None:
    world.cluster()
    world.started(world.job())
    for file in world.home.database.parent.iterdir():
        assert b"hunter2" not in file.read_bytes()
        assert b"cluster-key" not in file.read_bytes()


def test_the_next_job_gets_the_node(world: World) -> None:
    world.cluster()
    first = world.job("a", schedulingPriority="low")
    world.started(first)
    jobs = [first, world.job("b"), world.job("c", schedulingPriority="high")]
    order = []
    for _ in range(3):
        (task,) = world.until(lambda: list(world.engine.running))
        running = next(k for k in jobs if world.job_when(k, lambda j: True).guid == task[:-2])
        order.append(running.name)
        world.engine.end(task)
        world.job_in(running, SUCCEEDED)
    assert order == ["a", "c", "b"]


def test_file_folders(world: World) -> None:
    world.cluster()
    key = world.job()
    world.started(key)
    job = world.job_in(key, RUNNING)
    assert world.controller.file_folder(job, "stdouterr") == (
        "acct",
        "share",
        f"logs/{job.segment}/stdouterr",
    )
    assert world.controller.file_folder(job, "MODEL") == ("acct", "share", f"{job.segment}/outputs/Models")
    assert world.controller.file_folder(job, "TEMP") is None
    with pytest.raises(KeyError):
        world.controller.file_folder(job, "NOPE")


def test_file_folders_outlive_the_cluster(world: World) -> None:
    cluster = world.cluster()
    key = world.job()
    world.engine.end(world.started(key))
    job = world.job_in(key, SUCCEEDED)
    world.controller.delete_cluster(cluster)
    world.until(lambda: world.controller.get_cluster(cluster) is None)
    assert world.controller.file_folder(job, "stdouterr") is not None


def test_an_engine_that_goes_away_while_a_job_runs_does_not_end_the_job(world: World) -> None:
    world.cluster()
    job = world.job()
    task = world.started(job)
    world.engine.go_down()
    world.until(lambda: world.controller._settler.jobs._resting)
    world.engine.down = False
    world.engine.end(task)
    world.job_in(job, RUNNING)
    world.clock.advance(seconds=6)
    world.job_in(job, SUCCEEDED)


def test_a_flat_version_gives_a_job_its_own_layout_and_order(world: World) -> None:
    key = world.cluster(target=0)
    older = {
        name: with_older({"schedulingPriority": "high"}, OlderFields(layout, priority=priority))
        for name, layout, priority in (("low", Layout.FLAT, 1), ("high", Layout.FIRST, 2))
    }
    low, high = (world.job(name, **more) for name, more in older.items())
    world.scale(key, {"manual": {"targetNodeCount": 1}})
    world.started(high)
    found = world.job_in(low, ExecutionState.QUEUED)
    assert (
        found.segment == f"{key.workspace.subscription}/{key.workspace.group.lower()}/jobs/low/{found.guid}"
    )
    assert world.controller.file_folder(found, "stdouterr") == (
        "acct",
        "share",
        f"logs/{found.segment}/stdouterr",
    )
    first = world.job_in(high, ExecutionState.RUNNING)
    assert world.controller.file_folder(first, "stdouterr") == ("acct", "share", f"logs/{first.segment}")


def test_jobs_run_in_parallel_one_on_each_node(world: World) -> None:
    world.cluster(target=3)
    jobs = [world.job(name) for name in ("a", "b", "c", "d")]
    for key in jobs[:3]:
        world.started(key)
    nodes = {world.job_in(key, ExecutionState.RUNNING).nodes for key in jobs[:3]}
    assert len(nodes) == 3
    world.job_in(jobs[3], ExecutionState.QUEUED)
