"""The backend interface: what a place must offer so that scenarios can run there.

Bodies are the service's own 2018-05-01 JSON ``properties``. Where a body needs what only the place
knows it carries a placeholder: ``$STORAGE_ACCOUNT``, ``$STORAGE_KEY`` and ``$STORAGE_URL`` (the share's
URL without the share's name, e.g. ``https://acct.file.core.windows.net``), filled in by the backend. A
job's ``cluster.id`` is filled in too. Errors are those of ``batchai_scenario.backends.errors``; if a call
raises UserError, nothing was created.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path


class JobState(str, Enum):
    """Where a job stands; moves forward only, in this order."""

    QUEUED = "queued"
    RUNNING = "running"
    TERMINATING = "terminating"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Tell whether nothing comes after this state."""
        return self in (JobState.SUCCEEDED, JobState.FAILED)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scenario's resources live: resource group and location, workspace and experiment."""

    group: str
    location: str
    workspace: str
    experiment: str


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """A cluster to create: name and ``properties`` (2018-05-01 JSON, with placeholders)."""

    place: Place
    name: str
    properties: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job to submit: name, cluster's name and ``properties`` (2018-05-01 JSON, with placeholders)."""

    place: Place
    name: str
    cluster: str
    properties: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Upload:
    """A local file and its path in a share, with forward slashes."""

    source: Path
    share: str
    path: str


@dataclass(frozen=True, slots=True)
class UploadReport:
    """What an upload did: files and bytes sent, files that were there already."""

    sent: int
    sent_bytes: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class BatchAIError:
    """An error that the service keeps with a cluster or a job."""

    code: str
    message: str
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """A cluster as it stands: node counts by state (``idle``, ``running``, ``preparing``, ...)."""

    id: str
    allocation: str
    target: int
    current: int
    nodes: Mapping[str, int]
    errors: tuple[BatchAIError, ...] = ()


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it stands.

    ``id`` is all that another process needs to attach. ``exit_code`` is set only on a job whose command
    (or preparation) ended. ``segment`` is the path segment of its outputs below each prefix.
    """

    id: str
    state: JobState
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    errors: tuple[BatchAIError, ...] = ()
    segment: str = ""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """An entry of an output directory; ``size`` in bytes, None for a directory.

    ``path`` is relative to the output directory, with forward slashes. ``url`` may be read by whoever
    has it, without credentials, until it expires; empty if the backend has none.
    """

    path: str
    size: int | None
    modified: datetime | None = None
    url: str = field(default="", repr=False)

    @property
    def is_directory(self) -> bool:
        """Tell whether this is a directory."""
        return self.size is None


@dataclass(frozen=True, slots=True)
class ShareFile:
    """A file of a share; ``size`` in bytes, None for a directory; ``path`` relative to the share."""

    path: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do; what it cannot, it refuses by name.

    ``engines``: values of its ``engine`` option. ``max_nodes``: largest cluster. ``real_time``: jobs
    take real time and run real programs. ``urls``: output files have URLs. ``readies``: jobs run on this
    machine, which may lack something that they need. ``setup_tasks``, ``auto_scale``: clusters may have
    these. The others are named after their chapter in ``batchai_scenario.backends.powers``.
    """

    max_nodes: int
    gpus: bool
    engines: tuple[str, ...] = ()
    resize: bool = False
    faults: bool = False
    readies: bool = False
    real_time: bool = True
    urls: bool = True
    setup_tasks: bool = False
    auto_scale: bool = False
    file_servers: bool = False
    remote_login: bool = False
    preempts: bool = False


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """What a caller may choose when opening a backend; a backend refuses what it does not know.

    ``home``: the home folder. ``values``: NAME=VALUE options, e.g. ``engine``, ``gpus``; text from
    the command line. ``environment``: where settings and credentials are read from.
    """

    home: Path
    values: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """A request that a run would send: secrets in it stand as names, ``<storage key>``."""

    method: str
    url: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """A place where scenarios run. Any method may be called from any thread.

    B1. ``ensure_*`` and ``create_cluster`` are idempotent: what exists is kept.
    B2. ``upload`` sends only files whose content differs from what the share holds; a file is whole or
        absent after a crash, never half (a half-sent file is sent again by the next upload).
    B3. ``submit`` is idempotent by name; it returns once the job is stored, in state queued or later.
    B4. A job's state only moves forward (but that of one that lost a pre-empted node, which waits again)
        and becomes final once; ``exit_code`` and ``errors`` are then fixed. ``succeeded`` means that the
        command itself ended with 0, and nothing else does.
    B5. ``list_outputs`` and ``read_output`` work while the job runs and after it: files are whole, in
        order, to the last byte that was written, and readable from any process.
    B6. ``terminate`` ends a queued or running job, which then is ``failed`` without an exit code; a
        finished job is left as it was. Returns when the job is final.
    B7. ``delete_job`` and ``delete_cluster`` end what runs and return when it is gone; what is not there
        is no error. Files on shares stay.
    B8. Everything is found again by name or id alone, from another process.
    B9. Secrets (keys, passwords, secret environment values) never come back from any method.
    B10. ``close`` ends what this process holds (sockets, an emulator in this process); jobs go on.
    B11. Names of clusters and jobs have 1 to 64 letters, digits, ``-`` and ``_``; any other is refused.
    B12. A job sees its input directories, output directories that are there, its variables and secrets.
    B13. A node runs one job at a time; of those that wait, the highest priority, then the oldest, is next.
    B14. A job that runs longer than its limit is ended, and failed without an exit code.
    B15. Bad input is refused by the path of its property (``field``), and nothing was created.

    These are chapters; ``batchai_scenario.backends.testing.rules`` has each rule in a sentence, and
    ``batchai_scenario.backends.testing`` the checks that prove it. Optional powers are in
    ``batchai_scenario.backends.powers``.
    """

    name: str

    def capabilities(self) -> Capabilities:
        """Say what this backend can do."""
        ...

    def details(self) -> Mapping[str, str]:
        """Say where this is: endpoints, engine and versions, for the run's record. Never a secret."""
        ...

    def ensure_place(self, place: Place) -> bool:
        """Create group, workspace and experiment where missing (B1); True if the group is new."""
        ...

    def delete_place(self, place: Place) -> None:
        """Delete the experiment and workspace, with all that is in them, and the group if it is empty."""
        ...

    def ensure_share(self, share: str) -> None:
        """Create the share if it is missing (B1)."""
        ...

    def upload(
        self, files: Sequence[Upload], progress: Callable[[str, int, int], None] | None = None
    ) -> UploadReport:
        """Bring files to their shares, directories included (B2)."""
        ...

    def list_share(self, share: str, path: str = "") -> list[ShareFile]:
        """List one folder of a share, sorted by path; NotFound if there is none."""
        ...

    def read_share(self, share: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file of a share from ``offset`` to its end; NotFound if there is none."""
        ...

    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        """Create a cluster (B1); InvalidSpec or NotSupported names the property."""
        ...

    def get_cluster(self, place: Place, name: str) -> ClusterStatus:
        """Read a cluster; NotFound."""
        ...

    def delete_cluster(self, place: Place, name: str) -> None:
        """Delete a cluster (B7)."""
        ...

    def submit(self, spec: JobSpec) -> JobStatus:
        """Submit a job (B3); InvalidSpec or NotSupported names the property."""
        ...

    def get_job(self, job_id: str) -> JobStatus:
        """Read a job; NotFound."""
        ...

    def list_jobs(self, place: Place) -> list[JobStatus]:
        """List the experiment's jobs by age."""
        ...

    def terminate(self, job_id: str) -> None:
        """End a job (B6); NotFound."""
        ...

    def delete_job(self, job_id: str) -> None:
        """Delete a job (B7)."""
        ...

    def list_outputs(self, job_id: str, directory_id: str, path: str = "") -> list[OutputFile]:
        """List one level of an output directory, ``stdouterr`` or an id of the job's, sorted (B5).

        Empty before anything was written. NotFound if the job or the directory id does not exist.
        """
        ...

    def read_output(self, job_id: str, directory_id: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """Read a file of an output directory from ``offset`` to what is its end now (B5)."""
        ...

    def wait_hint(self) -> float:
        """Say how many seconds to wait between two looks at a job: short locally, long on a cloud."""
        ...

    def close(self) -> None:
        """Let go (B10)."""
        ...


class OpensBackend(Protocol):
    """What an entry point of the group ``scenario.backends`` names."""

    def __call__(self, options: BackendOptions) -> Backend:
        """Open the backend; UserError for an unknown option, MachineError for what is missing."""
        ...
