"""The volumes of clusters and jobs: file shares, blob containers, file servers, and what commands mount."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from batchai_scenario.emulator.cluster.records import ShareMount
from batchai_scenario.emulator.errors import EngineError, ServiceError
from batchai_scenario.emulator.launch.layout import (
    NODE_ROOT,
    JobLayout,
    locate_index,
    node_path,
    output_directory,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import PurePosixPath

    from batchai_scenario.emulator.cluster.model import Cluster, Job
    from batchai_scenario.emulator.cluster.ports import FileShares
    from batchai_scenario.emulator.errors import Problem
    from batchai_scenario.emulator.launch.volumes import VolumeSource

CLUSTER_VOLUMES = ("nodeSetup", "mountVolumes")
JOB_VOLUMES = ("mountVolumes",)
CONTAINER = "_blob/"
"""What stands before a container's name where a share is named: no share's name begins so."""

SERVER = "_server/"
"""What stands before a file server's id there. Clients cannot list it: it is no storage account's."""

UNMANAGED = "_unmanaged/"
"""What stands there for a file system that a command mounts; the same is true of it."""


@dataclass(frozen=True, slots=True)
class Volume:
    """What is mounted at ``path`` below the cluster's or the job's mount root.

    ``url`` is a share's, ``container`` a container's name, ``server`` a file server's id and ``directory`` a
    folder of it, ``command`` mounts it: one of the four is set.
    """

    path: str
    account: str
    url: str = ""
    container: str = ""
    server: str = ""
    directory: str = ""
    command: str = field(default="", repr=False)
    key: str = field(default="", repr=False)

    @property
    def place(self) -> ShareMount:
        """Where it stands and what it shows, without the key."""
        if self.command:
            return ShareMount(self.path, "", UNMANAGED)
        if self.server:
            return ShareMount(self.path, "", SERVER + self.server)
        if self.container:
            return ShareMount(self.path, self.account, CONTAINER + self.container)
        return ShareMount(self.path, self.account, urlsplit(self.url).path.strip("/").rsplit("/", 1)[-1])

    @property
    def told(self) -> str:
        """What it is, for a log."""
        if self.command:
            return "what its mountCommand mounts"
        if self.server:
            return f"file server {self.server.rsplit('/', 1)[-1]}"
        what = f"container {self.container}" if self.container else f"share {self.place.share}"
        return f"{what} of account {self.account}"

    def source(self, shares: FileShares, root: PurePosixPath) -> VolumeSource:
        """Find its folder or its command.

        ``root`` is the mount root that ``path`` is below, for what is said of a failure.

        Raises:
            EngineError: it cannot be mounted: ``AZFMountError``, ``BFSMountError``, ``FileServerMountError``.
        """
        if self.command:
            return self.command
        if self.server:
            return shares.mount_server(self.server, self.directory)
        if self.container:
            return shares.mount_container(self.account, self.container, self.key)
        return shares.mount_source(self.account, self.url, self.key, root / self.path)

    def problem(self, shares: FileShares, root: PurePosixPath) -> Problem | None:
        """Tell what keeps it from being mounted; None if it can be."""
        try:
            self.source(shares, root)
        except EngineError as error:
            return error.problem
        return None


def volumes(
    definition: Mapping[str, Any], where: tuple[str, ...], secrets: Mapping[str, str] | None = None
) -> list[Volume]:
    """List a definition's volumes; their keys only if the secrets are given.

    Args:
        definition: a cluster's or a job's properties.
        where: CLUSTER_VOLUMES or JOB_VOLUMES.
        secrets: from JSON pointer to value.
    """
    kinds: Any = definition
    for name in where:
        kinds = kinds.get(name) or {}
    pointer = "/" + "/".join(where)
    return [
        Volume(
            path=item["relativeMountPath"].strip("/"),
            account=item.get("accountName", ""),
            url=item.get("azureFileUrl", ""),
            container=item.get("containerName", ""),
            server=(item.get("fileServer") or {}).get("id", ""),
            directory=item.get("sourceDirectory", ""),
            command=item.get("mountCommand", ""),
            key=(secrets or {}).get(f"{pointer}/{kind}/{number}/credentials/accountKey", ""),
        )
        for kind in ("azureFileShares", "azureBlobFileSystems", "fileServers", "unmanagedFileSystems")
        for number, item in enumerate(kinds.get(kind) or ())
    ]


def file_folder(job: Job, of_cluster: Iterable[ShareMount], directory: str) -> tuple[str, str, str] | None:
    """Find (account, share, path in the share) of an output directory id or ``stdouterr``.

    A container stands as ``_blob/<name>`` in the share's place.
    None if the directory is not on a mounted share or container; KeyError if the job has no such id.
    """
    experiment = job.key.experiment
    layout = JobLayout.of(job.definition, experiment.workspace.workspace, experiment.name, job.key.name)
    try:
        path = output_directory(job.definition, job.segment, directory, layout)
    except ServiceError:
        return None
    mounts = [(layout.mount_root / mount.path, mount) for mount in of_cluster]
    mounts += [
        (layout.job_mount_root / volume.path, volume.place) for volume in volumes(job.definition, JOB_VOLUMES)
    ]
    found = locate_index(path, [target for target, _ in mounts])
    if found is None:
        return None
    number, inside = found
    share = mounts[number][1]
    if share.share.startswith((SERVER, UNMANAGED)):
        return None
    return share.account, share.share, "/".join(inside.parts)


def setup_folder(cluster: Cluster) -> tuple[str, str, str] | None:
    """Find (account, share, path in the share) of the output of a cluster's setup task.

    None if it has none, or the folder is on no mounted share or container.
    """
    task = (cluster.definition.get("nodeSetup") or {}).get("setupTask")
    if not task:
        return None
    root = NODE_ROOT / "mounts"
    try:
        prefix = node_path(
            str(task.get("stdOutErrPathPrefix") or ""), {"AZ_BATCHAI_MOUNT_ROOT": str(root)}, "setupTask"
        )
    except ServiceError:
        return None
    places = [volume.place for volume in volumes(cluster.definition, CLUSTER_VOLUMES)]
    found = locate_index(prefix / cluster.setup_suffix, [root / place.path for place in places])
    if found is None or places[found[0]].share.startswith((SERVER, UNMANAGED)):
        return None
    place = places[found[0]]
    return place.account, place.share, "/".join(found[1].parts)
