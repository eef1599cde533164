"""What users' commands mount: tried on every node before it is idle, and told by name where it fails."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.executionlog import place_for
from batchai_scenario.emulator.cluster.model import ClusterKey
from batchai_scenario.emulator.cluster.records import LogPlace
from batchai_scenario.emulator.launch.plan import CommandMount, Mount
from tests.cluster.conftest import WORKSPACE, volume

if TYPE_CHECKING:
    from tests.cluster.conftest import World

MOUNTS = PurePosixPath("/mnt/batch/tasks/shared/LS_root/mounts")
COMMAND = "mount -t nfs 10.0.0.9:/data"


def make(world: World) -> ClusterKey:
    key = ClusterKey(WORKSPACE, "c")
    mounted = {
        "azureFileShares": [volume("share", "afs")],
        "unmanagedFileSystems": [{"mountCommand": COMMAND, "relativeMountPath": "nfs"}],
    }
    definition = {
        "vmSize": "STANDARD_NC6",
        "scaleSettings": {"manual": {"targetNodeCount": 2}},
        "nodeSetup": {"mountVolumes": mounted},
    }
    world.controller.create_cluster(key, definition, {})
    return key


def test_a_node_on_which_a_command_fails_is_unusable_and_the_other_is_not(world: World) -> None:
    world.engine.refuse_mount = 2
    key = make(world)
    cluster = world.cluster_when(
        key, lambda c: sorted(node.state.value for node in c.nodes) == ["idle", "unusable"]
    )
    (problem,) = cluster.errors
    unusable = next(node.id for node in cluster.nodes if node.state.value == "unusable")
    assert (problem.code, problem.details) == ("UnmanagedMountError", (("nodeId", unusable),))
    assert sorted(node for node, _ in world.engine.tried) == sorted(node.id for node in cluster.nodes)
    assert {mounts for _, mounts in world.engine.tried} == {(CommandMount(COMMAND, MOUNTS / "nfs", "nfs"),)}


def test_a_job_has_what_its_own_and_its_clusters_commands_mount(world: World) -> None:
    key = make(world)
    world.cluster_when(key, lambda c: [node.state.value for node in c.nodes] == ["idle", "idle"])
    own = [{"mountCommand": "mount -t tmpfs tmpfs", "relativeMountPath": "own"}]
    job = world.job(mountVolumes={"unmanagedFileSystems": own})
    started = world.started(job)
    task = next(task for task in world.engine.seen if task.id == started)
    assert [(mount.command, mount.target) for mount in task.commands] == [
        (COMMAND, MOUNTS / "nfs"),
        ("mount -t tmpfs tmpfs", PurePosixPath(task.environment["AZ_BATCHAI_JOB_MOUNT_ROOT"]) / "own"),
    ]
    log = (world.home.storage / "acct/share").rglob("execution.log")
    text = next(log).read_text()
    assert "mounted what its mountCommand mounts at nfs" in text
    assert COMMAND not in text


def test_there_is_no_log_where_a_command_mounts() -> None:
    root, inner = Mount(Path("/disk"), MOUNTS.parent), CommandMount(COMMAND, MOUNTS / "nfs", "nfs")
    assert place_for(MOUNTS / "nfs" / "x", [root, inner]) == LogPlace()
    assert place_for(MOUNTS / "x", [root, inner]) == LogPlace("/disk", "mounts/x")
