"""A cluster's setup task: what each node runs before it becomes idle. Pure functions, as ``build``.

Known: where its files go and what they are called (recorded); mounts come first, and the command line runs
in a shell that knows ``$AZ_BATCHAI_MOUNT_ROOT`` and the task's own variables and secrets (documentation).
Its execution log is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.launch.build import node_system, task_id
from batchai_scenario.emulator.launch.environment import variables_of
from batchai_scenario.emulator.launch.layout import (
    NODE_TREE,
    node_path,
    refuse,
    relative_path,
)
from batchai_scenario.emulator.launch.plan import Mount, NodeTask, Step
from batchai_scenario.emulator.launch.volumes import outer_first, place_volumes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.launch.build import NodeView
    from batchai_scenario.emulator.launch.plan import GpuMode
    from batchai_scenario.emulator.launch.volumes import VolumeSource

PROPERTY = "properties.nodeSetup.setupTask"
_SECRETS = "/nodeSetup/setupTask"


def setup_id(node: NodeView) -> str:
    """Make the id of a node's setup task: the same each time."""
    return task_id(f"{node.cluster.replace('-', '')[:16]}-{node.node}", 0)


def plan_setup(
    node: NodeView,
    definition: Mapping[str, Any],
    secrets: Mapping[str, str],
    *,
    suffix: str,
    mounts: Sequence[tuple[str, VolumeSource]],
    gpus: GpuMode = "auto",
) -> NodeTask:
    """Plan a node's setup task.

    Args:
        node: where it runs.
        definition: the cluster's ``properties``, without secrets.
        secrets: JSON pointer to value (``/nodeSetup/setupTask/secrets/0/value``).
        suffix: ``stdOutErrPathSuffix``.
        mounts: (relativeMountPath, what it is mounted from) of the cluster's volumes.
        gpus: what the task may have.

    Raises:
        ServiceError: names the property that cannot be planned.
    """
    task = definition["nodeSetup"]["setupTask"]
    machine = definition.get("virtualMachineConfiguration") or {}
    command = str(task["commandLine"])
    if "\0" in command:
        raise refuse(f"{PROPERTY}.commandLine", "the command holds a NUL character")
    service = {"AZ_BATCHAI_MOUNT_ROOT": str(node.root / "mounts")}
    prefix = node_path(str(task["stdOutErrPathPrefix"]), service, f"{PROPERTY}.stdOutErrPathPrefix")
    logs = prefix / relative_path(suffix, "stdOutErrPathSuffix")
    own = {name.removeprefix(_SECRETS): value for name, value in secrets.items() if name.startswith(_SECRETS)}
    volumes, commands = outer_first(place_volumes(node.root / "mounts", mounts))
    return NodeTask(
        id=setup_id(node),
        cluster=node.cluster,
        node=node.node,
        toolkit="custom",
        node_image=node_system(machine.get("imageReference") or {}),
        environment_program=None,
        image=None,
        mounts=(Mount(node.disk / NODE_TREE, node.root), *volumes),
        directories=(node.root / "mounts", node.root / "startup", logs),
        working_directory=node.root / "startup",
        environment={**variables_of(task, own, service, PROPERTY), **service},
        preparation=None,
        main=Step(command, logs / f"stdout-{node.node}.txt", logs / f"stderr-{node.node}.txt"),
        gpus=gpus,
        commands=commands,
    )
