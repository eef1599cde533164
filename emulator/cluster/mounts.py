"""The ``azureFileShares`` volumes of clusters and jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from emulator.cluster.records import ShareMount
from emulator.errors import EngineError, ServiceError
from emulator.launch.layout import JobLayout, locate_index, output_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from emulator.cluster.model import Job
    from emulator.cluster.ports import FileShares
    from emulator.errors import Problem

CLUSTER_VOLUMES = ("nodeSetup", "mountVolumes", "azureFileShares")
JOB_VOLUMES = ("mountVolumes", "azureFileShares")


@dataclass(frozen=True, slots=True)
class Volume:
    """An Azure file share to be mounted at ``path`` below the cluster's or the job's mount root."""

    path: str
    account: str
    url: str
    key: str = field(default="", repr=False)

    @property
    def place(self) -> ShareMount:
        """Where it stands and what it shows, without the key."""
        return ShareMount(self.path, self.account, urlsplit(self.url).path.strip("/").rsplit("/", 1)[-1])

    def source(self, shares: FileShares) -> Path:
        """Find the share's folder; EngineError ``AZFMountError`` if it cannot be mounted."""
        return shares.mount_source(self.account, self.url, self.key)

    def problem(self, shares: FileShares) -> Problem | None:
        """Tell what keeps it from being mounted; None if it can be."""
        try:
            self.source(shares)
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
    items: Any = definition
    for name in where:
        items = items.get(name) or {}
    pointer = "/" + "/".join(where)
    return [
        Volume(
            path=item["relativeMountPath"].strip("/"),
            account=item["accountName"],
            url=item["azureFileUrl"],
            key=(secrets or {}).get(f"{pointer}/{number}/credentials/accountKey", ""),
        )
        for number, item in enumerate(items)
    ]


def file_folder(job: Job, of_cluster: Iterable[ShareMount], directory: str) -> tuple[str, str, str] | None:
    """Find (account, share, path in the share) of an output directory id or ``stdouterr``.

    None if the directory is not on a mounted Azure file share; KeyError if the job has no such id.
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
    return share.account, share.share, "/".join(inside.parts)
