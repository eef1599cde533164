"""What an API version is: a folder whose module ``version`` has everything that is special to it.

Inside there is one model, shaped like the newest version. Bodies come in and go out through the version
that was asked for; its constants say what else differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.batchai.model import FileServer
    from batchai_scenario.emulator.batchai.ports import FolderEntry
    from batchai_scenario.emulator.batchai.versions.quotas import Quotas
    from batchai_scenario.emulator.batchai.versions.rows import Row
    from batchai_scenario.emulator.cluster.model import Cluster, ClusterKey, Job, JobKey

    Read = tuple[dict[str, Any], dict[str, str]]


class ApiVersion(Protocol):
    """One API version. Its functions turn bodies into definitions, and resources into bodies.

    ``FLAT``: clusters, jobs and file servers stand directly in a resource group, and lists take
    ``$filter`` and ``$select``. ``FOLDERS``: ``listOutputFiles`` takes ``directory`` and shows folders;
    ``FOLDERS_TWICE``: those that a job made in a mounted container as empty files, too. ``QUOTAS``: what it
    tells of usages; None: nothing. ``FINAL``: the resource in the ``Location`` header of an operation.
    ``OPERATIONS``: all that its published description has.
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
    def FOLDERS_TWICE(self) -> bool:  # noqa: N802 - a module's constant
        """Whether it lists a folder of a container as an empty file, too."""
        ...

    @property
    def QUOTAS(self) -> Quotas | None:  # noqa: N802 - a module's constant
        """What it tells of usages and quotas."""
        ...

    @property
    def FINAL(self) -> str:  # noqa: N802 - a module's constant
        """``operationstatuses``, or ``operationresults`` where both headers of an operation are the same."""
        ...

    @property
    def OPERATIONS(self) -> Sequence[Row]:  # noqa: N802 - a module's constant
        """What its description has."""
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

    def shows_file(self, name: str, /) -> bool:
        """Tell whether lists of standard output show a file of this name."""
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


class NestedVersion(ApiVersion, Protocol):
    """An API version that knows workspaces and experiments."""

    def write_workspace(self, path: str, body: Mapping[str, Any], /) -> dict[str, Any]:
        """Write a workspace from its document."""
        ...

    def write_experiment(self, path: str, body: Mapping[str, Any], /) -> dict[str, Any]:
        """Write an experiment from its document."""
        ...
