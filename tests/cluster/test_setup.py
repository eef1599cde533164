"""Setup tasks: what nodes do before they are idle."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.cluster.model import ClusterKey, NodeState
from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.launch.build import node_system
from batchai_scenario.schema.layout import Layout, setup_suffix
from tests.cluster.conftest import WORKSPACE, volume

if TYPE_CHECKING:
    from batchai_scenario.emulator.cluster.model import Cluster
    from tests.cluster.conftest import World

SECRETS = {
    "/nodeSetup/mountVolumes/azureFileShares/0/credentials/accountKey": "cluster-key",
    "/nodeSetup/setupTask/secrets/0/value": "hunter2",
}


def make(world: World, target: int = 1, *, scale: dict[str, Any] | None = None, **more: Any) -> ClusterKey:
    key = ClusterKey(WORKSPACE, "c")
    task = {
        "commandLine": "pip install x",
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs/logs",
        "environmentVariables": [{"name": "WHERE", "value": "$AZ_BATCHAI_MOUNT_ROOT/afs"}],
        "secrets": [{"name": "TOKEN"}],
    }
    definition = {
        "vmSize": "STANDARD_NC6",
        "scaleSettings": scale or {"manual": {"targetNodeCount": target}},
        "nodeSetup": {"mountVolumes": {"azureFileShares": [volume("share", "afs")]}, "setupTask": task},
        **more,
    }
    world.controller.create_cluster(key, definition, SECRETS)
    return key


def began(world: World, count: int = 1) -> list[str]:
    """Wait until so many tasks run on the engine, and the controller knows; give their ids."""
    world.until(lambda: len(world.controller._settler.allocation._preparation._started) == count)
    return sorted(world.engine.running)


def states(cluster: Cluster) -> list[str]:
    return [node.state.value for node in cluster.nodes]


def test_a_node_is_idle_when_its_setup_task_has_ended(world: World) -> None:
    key = make(world, 2)
    tasks = began(world, 2)
    assert states(world.cluster_when(key, lambda c: len(c.nodes) == 2)) == ["preparing"] * 2
    job = world.job()
    world.engine.end(tasks[0])
    world.started(job)
    world.engine.end(tasks[1])
    cluster = world.cluster_when(key, lambda c: sorted(states(c)) == ["idle", "running"])
    assert cluster.errors == ()
    planned = next(task for task in world.engine.seen if task.id == tasks[0])
    assert (planned.main is not None, planned.preparation, planned.image) == (True, None, None)
    assert planned.node_image == node_system({}), "it runs on the node's own system"
    assert planned.environment["TOKEN"] == "hunter2"
    root = planned.environment["AZ_BATCHAI_MOUNT_ROOT"]
    assert planned.environment["WHERE"] == f"{root}/afs"
    suffix = f"5ab/group/workspaces/Ws/clusters/c/{cluster.guid}"
    folder = f"{root}/afs/logs/{suffix}"
    assert planned.main is not None
    assert str(planned.main.stdout) == f"{folder}/stdout-{planned.node}.txt"
    assert str(planned.main.stderr) == f"{folder}/stderr-{planned.node}.txt"
    log = world.home.storage / "acct/share/logs" / suffix / f"execution-{planned.node}.log"
    assert "the setup task ended with exit code 0" in log.read_text()
    assert "hunter2" not in log.read_text()


def test_where_its_files_are_in_each_version() -> None:
    where = {"subscription": "s", "group": "G", "workspace": "w", "cluster": "c", "guid": "1"}
    assert setup_suffix(Layout.WORKSPACES, **where) == "s/g/workspaces/w/clusters/c/1"
    assert setup_suffix(Layout.FLAT, **where) == "s/g/clusters/c/1"
    assert setup_suffix(Layout.FIRST, **where) == "s/g/clusters/c"


def test_a_setup_task_that_fails_makes_its_node_unusable_and_no_other(world: World) -> None:
    key = make(world, 2)
    tasks = began(world, 2)
    world.engine.end(tasks[0], 3)
    world.engine.end(tasks[1])
    cluster = world.cluster_when(key, lambda c: sorted(states(c)) == ["idle", "unusable"])
    lost = next(node for node in cluster.nodes if node.state is NodeState.UNUSABLE)
    (problem,) = cluster.errors
    assert (problem.code, dict(problem.details)) == ("SetupTaskFailed", {"nodeId": lost.id, "exitCode": "3"})
    world.scale(key, {"manual": {"targetNodeCount": 0}})
    world.cluster_when(key, lambda c: not c.nodes)
    assert world.engine.tasks() == []


def test_a_setup_task_that_hangs_is_ended(world: World) -> None:
    key = make(world)
    began(world)
    world.clock.advance(minutes=59)
    assert states(world.cluster_when(key, lambda c: c.nodes)) == ["preparing"]
    world.clock.advance(minutes=2)
    cluster = world.cluster_when(key, lambda c: c.errors)
    assert (states(cluster), cluster.errors[0].code) == (["unusable"], "SetupTaskTimedOut")


@pytest.mark.parametrize("how", ["lost", "refused"])
def test_a_machine_that_fails_a_setup_task(world: World, how: str) -> None:
    problem = Problem("TaskLost", "The task is not there.")
    if how == "refused":
        world.engine.refuse_start = EngineError(problem)
    key = make(world)
    if how == "lost":
        world.engine.end(began(world)[0], None, problem=problem)
    cluster = world.cluster_when(key, lambda c: c.errors)
    assert (states(cluster), cluster.errors[0].code) == (["unusable"], "TaskLost")


def test_shares_come_first(world: World) -> None:
    world.shares.missing.add("share")
    key = make(world)
    cluster = world.cluster_when(key, lambda c: c.errors)
    assert (cluster.errors[0].code, world.engine.starts) == ("AZFMountError", [])


def test_a_setup_task_is_found_again_and_not_started_twice(world: World) -> None:
    key = make(world)
    (task,) = began(world)
    world.restart()
    assert began(world) == [task]
    world.engine.end(task)
    world.cluster_when(key, lambda c: states(c) == ["idle"])
    assert world.engine.starts == [task]


def test_an_engine_that_goes_away_is_asked_again(world: World) -> None:
    key = make(world)
    (task,) = began(world)
    world.engine.go_down()
    world.until(lambda: not world.controller._settler.allocation._preparation._started)
    assert states(world.cluster_when(key, lambda c: c.nodes)) == ["preparing"]
    world.engine.down = False
    world.clock.advance(seconds=6)
    began(world)
    world.engine.end(task)
    world.cluster_when(key, lambda c: states(c) == ["idle"])


def test_a_node_that_leaves_ends_its_setup_task(world: World) -> None:
    key = make(world, 2)
    began(world, 2)
    world.scale(key, {"manual": {"targetNodeCount": 1}})
    world.cluster_when(key, lambda c: states(c) == ["preparing"])
    assert len(world.engine.running) == 1
    world.controller.delete_cluster(key)
    world.until(lambda: world.controller.get_cluster(key) is None)
    assert (world.engine.tasks(), world.engine.nodes) == ([], {})


def test_a_cluster_deleted_while_a_setup_task_is_being_started(world: World) -> None:
    world.engine.gate = threading.Event()
    key = make(world)
    world.until(lambda: any("set up" in str(name) for name in world.controller._room.workers._threads))
    world.controller.delete_cluster(key)
    world.engine.gate.set()
    world.until(lambda: world.controller.get_cluster(key) is None)
    assert (world.engine.tasks(), world.engine.nodes) == ([], {})


def test_a_cluster_that_scales_by_itself_keeps_nodes_while_they_are_set_up(world: World) -> None:
    bounds = {"minimumNodeCount": 0, "maximumNodeCount": 2, "initialNodeCount": 1}
    key = make(world, scale={"autoScale": bounds})
    (task,) = began(world)
    world.clock.advance(seconds=30)
    world.controller._loop.ask(lambda: None)
    assert states(world.cluster_when(key, lambda c: c.nodes)) == ["preparing"]
    world.engine.end(task)
    world.cluster_when(key, lambda c: states(c) == ["idle"])
    world.clock.advance(seconds=4)
    world.cluster_when(key, lambda c: not c.nodes)
