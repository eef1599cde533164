"""From a job and its nodes to a launch plan: pure functions, nothing is run or touched here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from batchai_scenario.emulator.launch.environment import environment
from batchai_scenario.emulator.launch.layout import (
    NODE_TREE,
    JobLayout,
    mount_targets,
    output_directories,
    refuse,
    stdouterr_directory,
)
from batchai_scenario.emulator.launch.plan import GpuMode, ImageRequest, LaunchPlan, Mount, NodeTask, Step
from batchai_scenario.emulator.launch.toolkits import toolkit_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path, PurePosixPath

_SIZE = re.compile(r"\d+(\.\d+)? *([kmgt](i?b)?|b)?\Z", re.IGNORECASE)
_NOT_IN_ID = re.compile(r"[^a-z0-9]+")


class Place(Protocol):
    """What a plan needs of an engine's NodePlace."""

    @property
    def cluster(self) -> str:
        """The cluster's guid."""
        ...

    @property
    def node(self) -> str:
        """The node's id."""
        ...

    @property
    def address(self) -> str:
        """The node's address as its peers see it."""
        ...

    @property
    def disk(self) -> Path:
        """The node's local disk, a folder of this machine."""
        ...

    @property
    def root(self) -> PurePosixPath:
        """The node agent's tree as a job sees it."""
        ...


def image_request(definition: Mapping[str, Any], secrets: Mapping[str, str]) -> ImageRequest | None:
    """Read the image that a job names; None if it runs on the node itself.

    Raises:
        ServiceError: names ``shmSize`` if it is not docker's notation, or the image if it is empty.
    """
    container = definition.get("containerSettings")
    if not container:
        return None
    target = "properties.containerSettings"
    registry = container.get("imageSourceRegistry") or {}
    reference = str(registry.get("image") or "").strip()
    if not reference:
        raise refuse(f"{target}.imageSourceRegistry.image", "the image is empty")
    size = str(container.get("shmSize") or "").strip()
    if size and not _SIZE.match(size):
        raise refuse(f"{target}.shmSize", f"'{size}' is not a size such as 16gb")
    credentials = registry.get("credentials") or {}
    return ImageRequest(
        reference=reference,
        server=str(registry.get("serverUrl") or ""),
        username=str(credentials.get("username") or ""),
        password=secrets.get("/containerSettings/imageSourceRegistry/credentials/password", ""),
        shm_size=size,
    )


def task_id(job_guid: str, index: int) -> str:
    """Make the id of a job's task on its node number ``index``."""
    return f"{_NOT_IN_ID.sub('-', job_guid.lower()).strip('-')[:56]}-{index}"


def plan_job(
    *,
    job_guid: str,
    workspace: str,
    experiment: str,
    job: str,
    segment: str,
    definition: Mapping[str, Any],
    secrets: Mapping[str, str],
    nodes: Sequence[Place],
    cluster_mounts: Sequence[tuple[str, Path]],
    job_mounts: Sequence[tuple[str, Path]],
    gpus: GpuMode = "auto",
) -> LaunchPlan:
    """Plan a job: one task for each node, the first the master's, which alone runs the main command.

    Args:
        job_guid: the job's own for ever; task ids are made from it.
        workspace: name of the job's workspace, a part of its paths.
        experiment: name of its experiment, likewise.
        job: its own name, likewise.
        segment: ``jobOutputDirectoryPathSegment``.
        definition: the job's ``properties`` of API version 2018-05-01, without secrets.
        secrets: JSON pointer to value (``/secrets/0/value``).
        nodes: where the tasks run; at least one.
        cluster_mounts: (relativeMountPath, folder of this machine) of the cluster's volumes.
        job_mounts: the same of the job's own volumes.
        gpus: what the job may have.

    Raises:
        ServiceError: names the property that cannot be planned (a path that climbs, an unknown variable,
            a toolkit that is not emulated, a name that is no shell identifier).
    """
    tool, command = toolkit_command(definition)
    image = image_request(definition, secrets)
    addresses = [node.address for node in nodes]
    tasks = []
    for index, node in enumerate(nodes):
        layout = JobLayout.of(definition, workspace, experiment, job, node.root)
        logs = stdouterr_directory(definition, segment, layout.variables())
        suffix = f"-{node.node}" if len(nodes) > 1 else ""
        tasks.append(
            NodeTask(
                id=task_id(job_guid, index),
                cluster=node.cluster,
                node=node.node,
                toolkit=tool,
                image=image,
                mounts=_mounts(node, layout, cluster_mounts, job_mounts),
                directories=_directories(definition, segment, layout, logs),
                working_directory=layout.job_temp,
                environment=environment(
                    definition, secrets, segment=segment, layout=layout, addresses=addresses, toolkit=tool
                ),
                preparation=_preparation(definition, logs, suffix),
                main=Step(command, logs / "stdout.txt", logs / "stderr.txt") if index == 0 else None,
                gpus=gpus,
                files=((layout.host_file, "".join(f"{address} slots=1\n" for address in addresses)),),
            )
        )
    return LaunchPlan(tuple(tasks))


def _preparation(definition: Mapping[str, Any], logs: PurePosixPath, suffix: str) -> Step | None:
    """Plan job preparation; its files carry the node's id if there is more than one (recorded lists)."""
    command = str((definition.get("jobPreparation") or {}).get("commandLine") or "")
    if not command.strip():
        return None
    if "\0" in command:
        raise refuse("properties.jobPreparation.commandLine", "the command holds a NUL character")
    return Step(command, logs / f"stdout-job_prep{suffix}.txt", logs / f"stderr-job_prep{suffix}.txt")


def _mounts(
    node: Place,
    layout: JobLayout,
    cluster_mounts: Sequence[tuple[str, Path]],
    job_mounts: Sequence[tuple[str, Path]],
) -> tuple[Mount, ...]:
    """Plan the node's own tree first, then volumes, outer ones before those inside them."""
    mounts = []
    for root, volumes in ((layout.mount_root, cluster_mounts), (layout.job_mount_root, job_mounts)):
        targets = mount_targets(root, [path for path, _ in volumes], "mountVolumes")
        mounts += [Mount(source, target) for (_, source), target in zip(volumes, targets, strict=True)]
    mounts.sort(key=lambda mount: len(mount.target.parts))
    return (Mount(node.disk / NODE_TREE, node.root), *mounts)


def _directories(
    definition: Mapping[str, Any], segment: str, layout: JobLayout, logs: PurePosixPath
) -> tuple[PurePosixPath, ...]:
    """Plan what must exist before the first step: outputs always, inputs never (recorded behaviour).

    An output directory with ``createNew`` false (older API versions) is the user's own business.
    """
    given = {
        str(entry["id"])
        for entry in definition.get("outputDirectories") or ()
        if not entry.get("createNew", True)
    }
    outputs = output_directories(definition, segment, layout)
    made = [path for name, path in outputs.items() if name not in given]
    wanted = (layout.mount_root, layout.job_temp, layout.job_mount_root, layout.shared_temp, logs, *made)
    return tuple(dict.fromkeys(wanted))
