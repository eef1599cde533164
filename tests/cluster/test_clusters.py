"""Cluster allocation and nodes."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.model import (
    AllocationState,
    ClusterKey,
    ExecutionState,
    NodeState,
    ProvisioningState,
    WorkspaceKey,
)

if TYPE_CHECKING:
    from pathlib import Path, PurePosixPath

    import pytest

    from batchai_scenario.emulator.cluster.model import Cluster
    from tests.cluster.conftest import World

WORKSPACE = WorkspaceKey("5ab", "Group", "Ws")
STEADY, RESIZING = AllocationState.STEADY, AllocationState.RESIZING


def test_a_cluster_gets_its_nodes_and_says_so(world: World) -> None:
    key = world.cluster(target=2)
    cluster = world.cluster_when(key, lambda c: [n.state for n in c.nodes] == [NodeState.IDLE] * 2)
    assert cluster.allocation_state is STEADY
    assert cluster.provisioning_state is ProvisioningState.SUCCEEDED
    assert cluster.engine == "fake"
    assert cluster.gpus == "auto"
    assert {node.address for node in cluster.nodes} == {"10.0.0.4", "10.0.0.5"}
    numbers = {re.fullmatch(r"tvm-(\d+)_[12]-20180606t120000z", node.id)[1] for node in cluster.nodes}  # type: ignore[index]
    assert len(numbers) == 1
    assert world.shares.keys == ["cluster-key"]


def test_creation_answers_at_once_with_a_resizing_cluster_without_nodes_and_is_idempotent_k1(
    world: World,
) -> None:
    world.broken = True
    key = world.cluster()
    first = world.controller.get_cluster(key)
    again, new = world.controller.create_cluster(key, {"vmSize": "other"}, {})
    assert not new
    assert first is not None
    assert again.guid == first.guid
    assert again.definition["vmSize"] == "STANDARD_NC6"


def test_every_allocation_step_is_on_disk_in_order(world: World) -> None:
    seen: list[tuple[str, list[str]]] = []
    write = world.store.put

    def spy(kind: str, key: str, body: dict, **more: object) -> None:  # type: ignore[type-arg]
        write(kind, key, body, **more)  # type: ignore[arg-type]
        cluster = world.controller.get_cluster(ClusterKey(WORKSPACE, "c"))
        if cluster is not None:
            seen.append((cluster.allocation_state.value, [node.state.value for node in cluster.nodes]))

    world.store.put = spy  # type: ignore[method-assign, assignment]
    world.cluster_when(world.cluster(), lambda c: c.nodes and c.nodes[0].state is NodeState.IDLE)
    steps = [step for number, step in enumerate(seen) if step not in seen[:number]]
    # The second is inside the transaction that makes the third: nobody else sees it.
    assert steps == [("resizing", []), ("steady", []), ("steady", ["preparing"]), ("steady", ["idle"])]


def test_a_cluster_without_target_is_steady_at_once(world: World) -> None:
    key = world.cluster(target=0)
    cluster = world.controller.get_cluster(key)
    assert cluster is not None
    assert (cluster.allocation_state, cluster.nodes) == (STEADY, ())


def test_low_priority_nodes_are_named_so(world: World) -> None:
    key = world.cluster(vmPriority="lowpriority")
    cluster = world.cluster_when(key, lambda c: c.nodes)
    assert cluster.nodes[0].id.endswith("z-p")


def test_a_missing_engine_stands_in_the_cluster_with_its_remedy_and_jobs_wait(world: World) -> None:
    world.broken = True
    key = world.cluster()
    cluster = world.cluster_when(key, lambda c: c.errors)
    assert cluster.allocation_state is STEADY
    assert cluster.nodes == ()
    assert cluster.errors[0].code == "EngineUnavailable"
    assert cluster.errors[0].message == "No engine answers. Start it."
    job = world.job()
    world.cluster_when(key, lambda c: c.allocation_state is STEADY and c.errors)
    world.job_in(job, ExecutionState.QUEUED)

    world.broken = False
    world.job("k")  # the next job tries again
    world.job_in(job, ExecutionState.RUNNING)
    assert world.cluster_when(key, lambda c: c.nodes).errors == ()


def test_an_engine_that_answers_again_gives_the_nodes_without_being_asked(world: World) -> None:
    world.engine.down = True
    key = world.cluster(target=2)
    world.cluster_when(key, lambda cluster: cluster.errors)
    world.engine.down = False
    world.clock.advance(seconds=6)
    world.cluster_when(key, lambda cluster: len(cluster.nodes) == 2 and not cluster.errors)


def test_a_share_that_cannot_be_mounted_makes_nodes_unusable_until_resized(world: World) -> None:
    world.shares.missing.add("share")
    key = world.cluster()
    cluster = world.cluster_when(key, lambda c: c.nodes and c.nodes[0].state is NodeState.UNUSABLE)
    assert [problem.code for problem in cluster.errors] == ["AZFMountError"]
    assert cluster.errors[0].details[0][1].startswith("share at /mnt/batch/tasks/shared/LS_root/mounts/")
    job = world.job()
    world.job_in(job, ExecutionState.QUEUED)
    world.scale(key, {"manual": {"targetNodeCount": 0}})
    world.cluster_when(key, lambda c: not c.nodes)
    world.shares.missing.clear()
    world.scale(key, {"manual": {"targetNodeCount": 1}})
    world.job_in(job, ExecutionState.RUNNING)


def test_growing_and_shrinking(world: World) -> None:
    key = world.cluster(target=0)
    before = world.controller.get_cluster(key)
    world.clock.advance(seconds=5)
    scaled = world.scale(key, {"manual": {"targetNodeCount": 3}})
    assert before is not None
    assert scaled is not None
    assert scaled.allocation_state is RESIZING
    assert scaled.changed_at > before.changed_at
    three = world.cluster_when(key, lambda c: len(c.nodes) == 3 and c.allocation_state is STEADY)
    world.scale(key, {"manual": {"targetNodeCount": 1}})
    one = world.cluster_when(key, lambda c: len(c.nodes) == 1 and c.allocation_state is STEADY)
    assert one.nodes[0].id == three.nodes[0].id
    assert set(world.engine.nodes) == {one.nodes[0].id}
    assert world.scale(ClusterKey(key.workspace, "no"), {}) is None


def test_a_problem_with_nodes_that_leave_is_forgotten_when_they_have_left(world: World) -> None:
    key = world.cluster(target=2)
    world.cluster_when(key, lambda cluster: _idle(cluster) == 2)
    world.engine.down = True
    world.scale(key, {"manual": {"targetNodeCount": 1}})
    world.cluster_when(key, lambda cluster: cluster.errors)
    world.engine.down = False
    world.clock.advance(seconds=6)
    cluster = world.cluster_when(key, lambda cluster: len(cluster.nodes) == 1)
    assert cluster.errors == ()


def _idle(cluster: Cluster) -> int:
    return sum(node.state is NodeState.IDLE for node in cluster.nodes)


def test_growing_while_a_silent_engine_keeps_nodes_that_leave(world: World) -> None:
    key = world.cluster(target=3)
    world.cluster_when(key, lambda cluster: _idle(cluster) == 3)
    world.engine.down = True
    world.scale(key, {"manual": {"targetNodeCount": 1}})
    world.cluster_when(key, lambda cluster: cluster.errors and cluster.allocation_state is RESIZING)
    world.scale(key, {"manual": {"targetNodeCount": 3}})
    world.cluster_when(key, lambda cluster: cluster.errors and cluster.allocation_state is STEADY)
    world.engine.down = False

    def whole() -> bool:
        world.clock.advance(seconds=6)
        cluster = world.controller.get_cluster(key)
        return cluster is not None and cluster.allocation_state is STEADY and _idle(cluster) == 3

    world.controller.wait_until(whole, 10)
    assert len(world.engine.nodes) == 3


def test_shrinking_puts_a_running_job_back_in_the_queue_and_it_runs_again(world: World) -> None:
    key = world.cluster(option="requeue")
    job = world.job()
    task = world.started(job)
    world.clock.advance(minutes=1)
    world.scale(key, {"manual": {"targetNodeCount": 0}})
    queued = world.job_in(job, ExecutionState.QUEUED)
    assert (queued.started_at, queued.nodes, queued.exit_code, queued.errors) == (None, (), None, ())
    world.cluster_when(key, lambda c: not c.nodes and c.allocation_state is STEADY)
    assert world.engine.tasks() == []
    world.scale(key, {"manual": {"targetNodeCount": 1}})
    assert world.started(job) == task
    world.engine.end(task)
    done = world.job_in(job, ExecutionState.SUCCEEDED)
    assert done.started_at is not None
    assert done.started_at.minute == 1
    assert world.engine.starts == [task, task]


def test_shrinking_with_terminate_ends_the_job(world: World) -> None:
    key = world.cluster()
    job = world.job()
    world.started(job)
    world.scale(key, {"manual": {"targetNodeCount": 0, "nodeDeallocationOption": "terminate"}})
    ended = world.job_in(job, ExecutionState.FAILED)
    assert (ended.exit_code, ended.errors[0].code) == (None, "JobTerminated")
    assert "deallocated" in ended.errors[0].message
    world.cluster_when(key, lambda c: not c.nodes)


def test_shrinking_can_wait_for_the_job(world: World) -> None:
    key = world.cluster()
    job, later = world.job(), world.job("later")
    task = world.started(job)
    manual = {"targetNodeCount": 0, "nodeDeallocationOption": "waitforjobcompletion"}
    world.scale(key, {"manual": manual})
    world.cluster_when(
        key, lambda c: c.allocation_state is RESIZING and c.nodes[0].state is NodeState.RUNNING
    )
    world.engine.end(task)
    world.job_in(job, ExecutionState.SUCCEEDED)
    world.cluster_when(key, lambda c: not c.nodes and c.allocation_state is STEADY)
    world.job_in(later, ExecutionState.QUEUED)


def test_deleting_a_cluster_ends_its_jobs_and_forgets_it_k3(world: World) -> None:
    key = world.cluster()
    running, queued = world.job(), world.job("queued")
    world.started(running)
    world.clock.advance(seconds=3)
    assert world.controller.delete_cluster(key)
    for job in (running, queued):
        ended = world.job_in(job, ExecutionState.FAILED)
        assert (ended.exit_code, ended.errors[0].code) == (None, "ClusterDeleted")
        assert ended.started_at is not None
    assert ended.started_at == ended.ended_at == world.clock.now()
    world.until(lambda: world.controller.get_cluster(key) is None)
    assert not world.engine.nodes
    assert world.engine.tasks() == []
    assert world.controller.delete_cluster(key) is False


def test_deleting_a_cluster_while_its_jobs_are_being_deleted(world: World) -> None:
    key = world.cluster()
    job = world.job()
    world.started(job)
    assert world.controller.delete_job(job)
    assert world.controller.delete_cluster(key)
    world.until(lambda: world.controller.get_cluster(key) is None)
    assert world.controller.get_job(job) is None


def test_a_deleted_cluster_waits_for_an_engine_that_went_away(world: World) -> None:
    key = world.cluster()
    world.cluster_when(key, lambda c: c.nodes)
    world.broken = True
    world.controller.delete_cluster(key)
    gone = world.cluster_when(key, lambda c: c.errors)
    assert gone.provisioning_state is ProvisioningState.DELETING
    world.broken = False
    world.clock.advance(seconds=6)
    world.until(lambda: world.controller.get_cluster(key) is None)


def test_a_cluster_deleted_while_its_mounts_are_checked(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    gate, checking = threading.Event(), threading.Event()
    mount = world.shares.mount_source

    def slow(account: str, azure_file_url: str, account_key: str, target: PurePosixPath) -> Path:
        checking.set()
        assert gate.wait(10)
        return mount(account, azure_file_url, account_key, target)

    world.shares.mount_source = slow  # type: ignore[method-assign]
    key = world.cluster()
    assert checking.wait(10)
    world.controller.delete_cluster(key)
    world.until(lambda: world.controller.get_cluster(key) is None)
    gate.set()
    world.until(lambda: not world.controller._room.workers._threads)
    assert not caplog.records


def test_a_job_on_a_cluster_that_is_not_there_fails_and_says_so(world: World) -> None:
    job = world.job()
    failed = world.job_in(job, ExecutionState.FAILED)
    assert failed.errors[0].code == "ClusterDeleted"
    assert world.controller.delete_job(job)
    world.until(lambda: world.controller.get_job(job) is None)


def test_clusters_are_listed_by_age_whatever_the_spelling(world: World) -> None:
    keys = [world.cluster(name, target=0) for name in ("b", "a", "C")]
    shouting = keys[0].workspace.__class__("5AB", "GROUP", "WS")
    assert [cluster.key.name for cluster in world.controller.list_clusters(shouting)] == ["b", "a", "C"]


def test_remote_logins_share_an_address_and_count_ports(world: World) -> None:
    key = world.cluster(target=2)
    world.cluster_when(key, lambda c: [n.state for n in c.nodes] == [NodeState.IDLE] * 2)
    job = world.job()
    task = world.started(job)
    logins = world.controller.remote_logins(key)
    assert [login.port for login in logins] == [50000, 50001]
    assert len({login.address for login in logins}) == 1
    assert [login.port for login in world.controller.remote_logins(key, job)] == [50000]
    world.engine.end(task)
    world.job_in(job, ExecutionState.SUCCEEDED)
    assert [login.port for login in world.controller.remote_logins(key, job)] == [50000], "it ran there"
    world.scale(key, {"manual": {"targetNodeCount": 0}})
    world.cluster_when(key, lambda c: not c.nodes)
    assert world.controller.remote_logins(key, job) == []
