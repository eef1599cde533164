"""From a job and its nodes to a launch plan: pure functions, nothing is run or touched here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.launch.environment import environment
from batchai_scenario.emulator.launch.layout import (
    NODE_TREE,
    SHARED,
    JobLayout,
    host_name,
    output_directories,
    refuse,
    stdouterr_directory,
)
from batchai_scenario.emulator.launch.plan import (
    CommandMount,
    Gang,
    GpuMode,
    ImageRequest,
    LaunchPlan,
    Member,
    Mount,
    NodeTask,
    Step,
)
from batchai_scenario.emulator.launch.processes import node_step, own_variables
from batchai_scenario.emulator.launch.volumes import outer_first, place_volumes
from batchai_scenario.schema.layout import output_places
from batchai_scenario.training.toolkits.base import JobNodes
from batchai_scenario.training.toolkits.registry import Toolkits, delivered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path, PurePosixPath

    from batchai_scenario.emulator.launch.volumes import VolumeSource
    from batchai_scenario.training.toolkits.base import Process, Toolkit

NODE_SYSTEM = "node/ubuntuserver:16.04-lts"
"""What nodes run unless their cluster says otherwise (recorded): a name for tables, no image's."""

_SIZE = re.compile(r"\d+(\.\d+)? *([kmgt](i?b)?|b)?\Z", re.IGNORECASE)
_NOT_IN_ID = re.compile(r"[^a-z0-9]+")


class NodeView(Protocol):
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
    def port(self) -> int:
        """The first port for its processes."""
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


def node_system(reference: Mapping[str, Any]) -> str:
    """Name a node's own system, from its cluster's ``imageReference``, as tables of substitutes do."""
    offer, sku = (str(reference.get(name) or "").lower() for name in ("offer", "sku"))
    name = "node/" + "".join(letter for letter in offer if letter.isalnum() or letter in "._-")
    return f"{name}:{sku}" if offer and sku else NODE_SYSTEM


def task_id(job_guid: str, index: int) -> str:
    """Make the id of a job's task on its node number ``index``."""
    return f"{_NOT_IN_ID.sub('-', job_guid.lower()).strip('-')[:56]}-{index}"


@dataclass(frozen=True, slots=True)
class JobToPlan:
    """A job and where it runs.

    Args:
        job_guid: the job's own for ever; task ids are made from it.
        workspace: name of the job's workspace, a part of its paths.
        experiment: name of its experiment, likewise.
        job: its own name, likewise.
        segment: ``jobOutputDirectoryPathSegment``.
        definition: the job's ``properties`` of API version 2018-05-01, without secrets.
        secrets: JSON pointer to value (``/secrets/0/value``).
        nodes: where the tasks run; at least one.
        cluster_mounts: (relativeMountPath, what it is mounted from) of the cluster's volumes.
        job_mounts: the same of the job's own volumes.
        gpus: what the job may have.
        slots: how many processes the host file gives to each node.
        system: what the nodes' own system is, as ``node_system`` names it.
    """

    job_guid: str
    workspace: str
    experiment: str
    job: str
    segment: str
    definition: Mapping[str, Any]
    secrets: Mapping[str, str]
    nodes: Sequence[NodeView]
    cluster_mounts: Sequence[tuple[str, VolumeSource]]
    job_mounts: Sequence[tuple[str, VolumeSource]]
    gpus: GpuMode = "auto"
    slots: int = 1
    system: str = NODE_SYSTEM

    @property
    def addresses(self) -> tuple[str, ...]:
        """The nodes' addresses, the master's first."""
        return tuple(node.address for node in self.nodes)


def plan_job(job: JobToPlan, toolkits: Toolkits | None = None) -> LaunchPlan:
    """Plan a job: one task for each node, the first the master's, with what the toolkit runs there.

    ``toolkits``: those that there are; None: the delivered ones.

    Raises:
        ServiceError: names the property that cannot be planned (a path that climbs, an unknown variable,
            a toolkit that is not emulated, a name that is no shell identifier).
    """
    toolkit, settings = _toolkit(job.definition, len(job.nodes), toolkits or delivered())
    image = image_request(job.definition, job.secrets)
    tasks = (_task(job, index, toolkit, settings, image) for index in range(len(job.nodes)))
    return LaunchPlan(tuple(tasks))


def _task(
    job: JobToPlan, index: int, toolkit: Toolkit, settings: dict[str, Any], image: ImageRequest | None
) -> NodeTask:
    node = job.nodes[index]
    layout = JobLayout.of(job.definition, job.workspace, job.experiment, job.job, node.root)
    seen = JobNodes(job.addresses, layout.host_file, layout.shared_temp, tuple(one.port for one in job.nodes))
    processes = _processes(toolkit, settings, seen)
    variables = environment(
        job.definition,
        job.secrets,
        segment=job.segment,
        layout=layout,
        addresses=job.addresses,
        defaults=toolkit.defaults,
    )
    logs = stdouterr_directory(job.definition, job.segment, layout.variables())
    gang = _gang(job.job_guid, job.nodes, index, layout)
    hosts = "".join(f"{address} slots={job.slots}\n" for address in job.addresses)
    mounts, commands = _mounts(node, layout, job.cluster_mounts, job.job_mounts, gang)
    return NodeTask(
        id=task_id(job.job_guid, index),
        cluster=node.cluster,
        node=node.node,
        toolkit=toolkit.tool_type,
        node_image=toolkit.node_image or job.system,
        environment_program=toolkit.environment_for(settings),
        image=image,
        mounts=mounts,
        directories=_directories(job.definition, job.segment, layout, logs),
        working_directory=layout.job_temp,
        environment={
            **variables,
            **toolkit.variables(settings, seen),
            **own_variables(processes, index),
        },
        preparation=_preparation(job.definition, logs, f"-{node.node}" if len(job.nodes) > 1 else ""),
        main=node_step(processes, index, logs),
        gpus=job.gpus,
        files=((layout.host_file, hosts),),
        gang=gang,
        commands=commands,
    )


def _toolkit(
    definition: Mapping[str, Any], node_count: int, toolkits: Toolkits
) -> tuple[Toolkit, dict[str, Any]]:
    """Find a job's toolkit and its completed settings; ServiceError, also for what the door let pass."""
    given = [name for name in toolkits.names if definition.get(name) is not None]
    if len(given) != 1:
        raise refuse("properties", f"a job has exactly one toolkit's settings, not {len(given)}")
    (name,) = given
    if name not in toolkits:
        message = f"properties.{name} is not emulated yet"
        raise ServiceError(400, "PropertyNotSupported", message, target=f"properties.{name}")
    settings = dict(definition[name])
    for fault in toolkits.check(name, settings, node_count):
        raise refuse(fault.below(f"properties.{name}").path, fault.why)
    return toolkits[name], settings


def _processes(toolkit: Toolkit, settings: Mapping[str, Any], nodes: JobNodes) -> Sequence[Process]:
    """Give what runs on the nodes, checked as far as the shell is concerned; ServiceError."""
    found = toolkit.processes(settings, nodes)
    if any("\0" in process.command for process in found):
        raise refuse(f"properties.{toolkit.settings_name}", "the command holds a NUL character")
    return found


def _gang(job_guid: str, nodes: Sequence[NodeView], index: int, layout: JobLayout) -> Gang | None:
    """Plan what binds the nodes of a job together; None if it has only one."""
    if len(nodes) == 1:
        return None
    members = tuple(Member(node.node, node.address, host_name(node.node)) for node in nodes)
    return Gang(members, index, nodes[0].disk / SHARED / task_id(job_guid, 0), layout.door)


def _preparation(definition: Mapping[str, Any], logs: PurePosixPath, suffix: str) -> Step | None:
    """Plan job preparation; its files carry the node's id if there is more than one (recorded lists)."""
    command = str((definition.get("jobPreparation") or {}).get("commandLine") or "")
    if not command.strip():
        return None
    if "\0" in command:
        raise refuse("properties.jobPreparation.commandLine", "the command holds a NUL character")
    return Step(command, logs / f"stdout-job_prep{suffix}.txt", logs / f"stderr-job_prep{suffix}.txt")


def _mounts(
    node: NodeView,
    layout: JobLayout,
    cluster_mounts: Sequence[tuple[str, VolumeSource]],
    job_mounts: Sequence[tuple[str, VolumeSource]],
    gang: Gang | None,
) -> tuple[tuple[Mount, ...], tuple[CommandMount, ...]]:
    """Plan the node's own tree first, then volumes, outer ones before those inside them."""
    placed = place_volumes(layout.mount_root, cluster_mounts)
    placed += place_volumes(layout.job_mount_root, job_mounts)
    if gang is not None:
        placed += [Mount(gang.source / "temp", layout.shared_temp), Mount(gang.source / "door", gang.door)]
    mounts, commands = outer_first(placed)
    return (Mount(node.disk / NODE_TREE, node.root), *mounts), commands


def _directories(
    definition: Mapping[str, Any], segment: str, layout: JobLayout, logs: PurePosixPath
) -> tuple[PurePosixPath, ...]:
    """Plan what must exist before the first step: outputs always, inputs never (recorded behaviour).

    An output directory with ``createNew`` false (older API versions) is the user's own business.
    """
    given = {place.id for place in output_places(definition) if not place.in_segment}
    outputs = output_directories(definition, segment, layout)
    made = [path for name, path in outputs.items() if name not in given]
    wanted = (layout.mount_root, layout.job_temp, layout.job_mount_root, layout.shared_temp, logs, *made)
    return tuple(dict.fromkeys(wanted))
