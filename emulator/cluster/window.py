"""The cluster room as somebody who only looks sees it: everything at once, and what changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.mounts import file_folder, setup_folder

if TYPE_CHECKING:
    from batchai_scenario.emulator.cluster.keeping import ResourceRecords
    from batchai_scenario.emulator.cluster.model import Cluster, ClusterKey, Job, JobKey


class Window:
    """Reads clusters and jobs of all workspaces from disk; from any thread, and nothing is changed by it.

    Who looks through it is no client: states that last until somebody has seen them (``seen``) go by.
    """

    def __init__(self, records: ResourceRecords) -> None:
        self._records = records

    @property
    def changes(self) -> int:
        """Give a number that grows with whatever is written: as long as it stays, nothing has changed."""
        return self._records.changes

    def clusters(self) -> list[Cluster]:
        """List all clusters by age, with their nodes."""
        return self._records.every_cluster()

    def jobs(self, after: int = 0, *, live: bool = False) -> list[tuple[int, Job]]:
        """List jobs by age, each with its number: those after a number; ``live``: with something to do."""
        return self._records.every_job(after, live=live)

    def count_jobs(self) -> int:
        """Count all jobs."""
        return self._records.count_jobs()

    def job(self, key: JobKey) -> Job | None:
        """Read a job."""
        record = self._records.read_job(key)
        return None if record is None else record.job

    def cluster(self, key: ClusterKey) -> Cluster | None:
        """Read a cluster, with its nodes."""
        record = self._records.read_cluster(key)
        return None if record is None else record.cluster

    def job_secret_names(self, job: JobKey) -> list[str]:
        """Name the secrets of a job by their JSON pointers; their values stay in here."""
        return sorted(self._records.job_secrets(job))

    def cluster_secret_names(self, cluster: ClusterKey) -> list[str]:
        """Name the secrets of a cluster likewise."""
        return sorted(self._records.cluster_secrets(cluster))

    def job_folder(self, job: Job, directory: str) -> tuple[str, str, str] | None:
        """Find (account, share, path in the share) of an output directory id or ``stdouterr``.

        None if it is on no mounted share; KeyError if the job has no such id.
        """
        record = self._records.read_job(job.key)
        return file_folder(job, () if record is None else record.mounts, directory)

    @staticmethod
    def setup_folder(cluster: Cluster) -> tuple[str, str, str] | None:
        """Find where the output of the setup task is; None if there is none, or it is on no mounted share."""
        return setup_folder(cluster)
