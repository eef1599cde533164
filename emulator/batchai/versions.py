"""The API versions at the door: what each module of translations offers, and which one was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from batchai_scenario.emulator.batchai import v2017_09_01_preview, v2018_03_01, v2018_05_01

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.batchai.fileservers import FileServer
    from batchai_scenario.emulator.batchai.ports import FolderEntry
    from batchai_scenario.emulator.cluster.model import Cluster, ClusterKey, Job, JobKey

    Read = tuple[dict[str, Any], dict[str, str]]


class Wire(Protocol):
    """One API version. Its functions turn bodies into definitions, and resources into bodies.

    ``FLAT``: clusters, jobs and file servers stand directly in a resource group, and lists take
    ``$filter`` and ``$select``. ``FOLDERS``: ``listOutputFiles`` takes ``directory`` and shows folders.
    """

    @property
    def VERSION(self) -> str:  # noqa: N802 - a module's constant
        """Its name."""
        ...

    @property
    def FLAT(self) -> bool:  # noqa: N802 - a module's constant
        """Whether it is from before workspaces."""
        ...

    @property
    def FOLDERS(self) -> bool:  # noqa: N802 - a module's constant
        """Whether it lists folders among output files."""
        ...

    @property
    def NAME(self) -> re.Pattern[str]:  # noqa: N802 - a module's constant
        """What names of clusters, jobs and file servers look like."""
        ...

    def read_cluster(self, body: Mapping[str, Any] | None, /) -> Read:
        """Read a cluster's PUT: definition and secrets; ServiceError 400."""
        ...

    def read_cluster_update(self, body: Mapping[str, Any] | None, /) -> dict[str, Any]:
        """Read a cluster's PATCH: the properties to replace, and ``tags`` if they are to be; ServiceError."""
        ...

    def read_job(self, body: Mapping[str, Any] | None, /) -> Read:
        """Read a job's PUT: definition and secrets; ServiceError 400."""
        ...

    def read_file_server(self, body: Mapping[str, Any] | None, /) -> dict[str, Any]:
        """Read a file server's PUT; ServiceError 400."""
        ...

    def write_cluster(self, cluster: Cluster, /) -> dict[str, Any]:
        """Write a cluster as GET gives it."""
        ...

    def write_job(self, job: Job, /) -> dict[str, Any]:
        """Write a job as GET gives it."""
        ...

    def write_file_server(self, server: FileServer, /) -> dict[str, Any]:
        """Write a file server as GET gives it."""
        ...

    def write_file(self, entry: FolderEntry, url: str, /) -> dict[str, Any]:
        """Write an entry of ``listOutputFiles``; a folder has no URL."""
        ...

    def cluster_names(self, key: ClusterKey, /) -> tuple[str, ...]:
        """Name a cluster (or, alike, a file server) as an operation's ``resourceId`` does."""
        ...

    def job_names(self, key: JobKey, /) -> tuple[str, ...]:
        """Name a job as an operation's ``resourceId`` does."""
        ...


WIRES: Mapping[str, Wire] = {
    "2018-05-01": v2018_05_01,
    "2018-03-01": v2018_03_01,
    "2017-09-01-preview": v2017_09_01_preview,
}
"""API version -> its translations, the newest first. Only versions that are here pass the manager."""


def wire_of(request: ArmRequest) -> Wire:
    """Give the translations that a request asked for."""
    return WIRES[request.api_version]
