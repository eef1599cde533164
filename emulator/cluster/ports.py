"""What the cluster room needs from outside, and what it offers to the resource provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path, PurePosixPath

    from batchai_scenario.emulator.cluster.model import (
        Cluster,
        ClusterKey,
        ExperimentKey,
        Job,
        JobKey,
        RemoteLogin,
        WorkspaceKey,
    )
    from batchai_scenario.emulator.launch.plan import GpuMode


class FileShares(Protocol):
    """Turns a volume of a cluster or job into a folder of this machine."""

    def mount_source(
        self, account: str, azure_file_url: str, account_key: str, target: PurePosixPath
    ) -> Path:
        """Find the share's folder; ``target`` is where it is to be mounted.

        Raises:
            EngineError: with code ``AZFMountError`` and the service's texts, if the account or the share
                does not exist or the key is not one of the account's.
        """
        ...

    def mount_container(self, account: str, container: str, account_key: str) -> Path:
        """Find the container's folder; EngineError ``BFSMountError``, as ``mount_source``."""
        ...

    def mount_server(self, server_id: str, directory: str) -> Path:
        """Find a folder of a file server's disk; EngineError ``FileServerMountError``."""
        ...

    def count_untold(self, account: str, share: str, path: str) -> int:
        """Count the files below a folder whose names no listing can tell; a very large folder in part."""
        ...


class ClusterService(Protocol):
    """Clusters and jobs, as the resource provider sees them. Every method answers at once.

    K1. Creation is idempotent: the same key again gives the stored resource and False.
    K2. States only move forward; each is on disk before anybody can see it.
    K3. Deleting and terminating start the work and return; it is done when the resource is gone
        (``get`` gives None) or the job is final. Both survive a restart.
    K4. A job ends exactly once, with the exit code that its command gave.
    K5. What does not exist: ``get`` None, ``list`` [], ``delete`` and ``terminate`` False.
    """

    def create_cluster(
        self,
        key: ClusterKey,
        definition: Mapping[str, Any],
        secrets: Mapping[str, str],
        *,
        engine: str = "",
        gpus: GpuMode | None = None,
    ) -> tuple[Cluster, bool]:
        """Store a cluster and begin to allocate its nodes; ``engine`` and ``gpus`` empty: the default."""
        ...

    def get_cluster(self, key: ClusterKey) -> Cluster | None:
        """Read a cluster."""
        ...

    def list_clusters(self, workspace: WorkspaceKey) -> list[Cluster]:
        """List a workspace's clusters by age."""
        ...

    def page_clusters(
        self, workspaces: Sequence[WorkspaceKey], after: int = 0, limit: int | None = None
    ) -> list[tuple[int, Cluster]]:
        """List clusters of some workspaces by age, each with its number: those after a number."""
        ...

    def update_cluster(self, key: ClusterKey, changes: Mapping[str, Any]) -> Cluster | None:
        """Replace properties of the definition; new ``scaleSettings`` begin a resize."""
        ...

    def delete_cluster(self, key: ClusterKey) -> bool:
        """Begin to delete a cluster: its running jobs are ended and fail, queued ones too (K3)."""
        ...

    def create_job(
        self, key: JobKey, cluster: ClusterKey, definition: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> tuple[Job, bool]:
        """Store a job and queue it (K1)."""
        ...

    def get_job(self, key: JobKey) -> Job | None:
        """Read a job."""
        ...

    def count_jobs(self, cluster: ClusterKey) -> int:
        """Count a cluster's jobs that wait or run."""
        ...

    def page_jobs(
        self, experiments: Sequence[ExperimentKey], after: int = 0, limit: int | None = None
    ) -> list[tuple[int, Job]]:
        """List jobs of some experiments by age, each with its number: those after a number."""
        ...

    def seen(self, ids: Iterable[str]) -> None:
        """Note that a client has seen clusters or jobs (by id) as they are: they may go on."""
        ...

    def terminate_job(self, key: JobKey) -> bool:
        """Begin to end a queued or running job; False if there is none; a finished one is left as it is."""
        ...

    def delete_job(self, key: JobKey) -> bool:
        """Begin to delete a job, ending it first if it runs (K3); its files on shares stay."""
        ...

    def delete_jobs(self, experiment: ExperimentKey) -> bool:
        """Begin to delete all jobs of an experiment, to which none is added; True when none is left (K3)."""
        ...

    def remote_logins(self, cluster: ClusterKey, job: JobKey | None = None) -> list[RemoteLogin]:
        """List how to log in to a cluster's nodes, or to those that run the job."""
        ...

    def file_folder(self, job: Job, directory: str) -> tuple[str, str, str] | None:
        """Find (account, share, path in the share) of an output directory id or ``stdouterr``.

        A container stands as ``_blob/<name>`` in the share's place.
        None if the directory is not on a mounted share or container; KeyError if the job has no such id.
        """
        ...
