"""The model's world: what exists, and how a step changes it. Several backends may share one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import BatchAIError, JobState, JobStatus, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TERMINATED = BatchAIError("JobTerminated", "The specified job has been terminated by the user")

RANKS = {"high": 0, "normal": 1, "low": 2}
"""The order of ``schedulingPriority``."""

START = datetime(2018, 6, 6, 12, tzinfo=timezone.utc)
"""When every world begins; each event is a second later."""


def _no_file(path: str) -> bytes:
    raise KeyError(path)


@dataclass(frozen=True, slots=True)
class ProgramCall:
    """What a program is called with: the job's name, its command and its environment, secrets included.

    The environment has the variables of the mount root, of input and of output directories too. ``read``
    reads a file of a share: (share, path) -> bytes; ``look`` one by the path that a job sees. KeyError if
    there is none. ``node`` is the node that a preparation or a setup task runs on; a setup task has no job.
    ``shared`` are the names in the folder that the job's nodes share.
    """

    job: str
    command: str
    environment: Mapping[str, str] = field(repr=False)
    read: Callable[[str, str], bytes] = field(repr=False)
    look: Callable[[str], bytes] = field(default=_no_file, repr=False)
    node: str = ""
    shared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Result:
    """What a program did.

    ``outputs``: contents by ``<directory id>/<path>``, of a setup task by ``<relative mount path>/<path>``.
    ``shared``: names that a preparation leaves in the folder that the job's nodes share. ``problem``: what
    the job failed of; without one a job fails of an exit code that is not 0. ``exit_code`` None: nothing
    ended, so there is a ``problem``. ``endless``: it runs until it is terminated or deleted. ``ends``: it
    runs until this is true. ``streams``: texts by file name (``stdout-wk-0.txt``) of a job whose toolkit has
    roles, in place of ``stdout`` and ``stderr``; the model makes them.
    """

    exit_code: int | None = 0
    stdout: str = ""
    stderr: str = ""
    outputs: Mapping[str, bytes] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    problem: BatchAIError | None = None
    endless: bool = False
    ends: Callable[[], bool] | None = None
    streams: Mapping[str, str] = field(default_factory=dict)

    @property
    def texts(self) -> Mapping[str, str]:
        """What it wrote to its standard streams, by the names of their files."""
        return self.streams or {"stdout.txt": self.stdout, "stderr.txt": self.stderr}


Program = "Callable[[ProgramCall], Result]"


@dataclass(slots=True)
class MemoryCluster:
    """A cluster that wants ``nodes`` nodes; ``shares`` by relative mount path.

    ``bounds``: minimum and maximum of one that scales itself. ``set_up``: its setup task, by node.
    ``members`` are the nodes that it has, those that are ``unusable`` among them.
    """

    id: str
    place: Place
    nodes: int
    shares: Mapping[str, str]
    bounds: tuple[int, int] | None = None
    low_priority: bool = False
    set_up: Callable[[str], Result] | None = field(default=None, repr=False)
    members: list[str] = field(default_factory=list)
    unusable: set[str] = field(default_factory=set)


@dataclass(slots=True)
class MemoryJob:
    """A job: its status, and what it will do when it runs."""

    status: JobStatus
    place: Place
    name: str
    cluster: MemoryCluster
    nodes: int
    priority: str
    folders: Mapping[str, tuple[str, str]]
    run: Callable[[], Result] = field(repr=False)
    result: Result | None = None


class MemoryWorld:
    """Groups, shares, clusters and jobs, under one lock.

    A ``step`` ends each job that ran before it and starts the queued ones that fit, by priority and age: a
    job is seen queued, running (with the first half of its output) and ended, in that order.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.groups: dict[str, str] = {}
        self.workspaces: dict[tuple[str, str], str] = {}
        self.experiments: set[tuple[str, str, str]] = set()
        self.shares: dict[str, dict[str, bytes]] = {}
        self.clusters: dict[tuple[str, str, str], MemoryCluster] = {}
        self.servers: dict[tuple[str, str, str], str] = {}
        self.jobs: dict[str, MemoryJob] = {}
        self._events = 0

    def now(self) -> datetime:
        """Give the time of a new event."""
        self._events += 1
        return START + timedelta(seconds=self._events)

    def guid(self) -> str:
        """Give an id that no other thing of this world has."""
        self._events += 1
        return f"00000000-0000-4000-8000-{self._events:012d}"

    def step(self) -> None:
        """Let every job do its next thing."""
        running = [job for job in self.jobs.values() if job.status.state is JobState.RUNNING]
        for job in running:
            result = job.result
            if result is not None and not result.endless and (result.ends is None or result.ends()):
                self._end(job, result)
        for cluster in self.clusters.values():
            self.fit(cluster)
        for job in sorted(self.jobs.values(), key=lambda job: RANKS[job.priority]):
            room = min(job.cluster.nodes, len(job.cluster.members) - len(job.cluster.unusable))
            if job.status.state is JobState.QUEUED and self.busy(job.cluster) + job.nodes <= room:
                job.status = replace(job.status, state=JobState.RUNNING, started_at=self.now())
                shares = {share for share, _ in job.folders.values()}
                missing = BatchAIError("AZFMountError", "Unable to mount Azure File")
                job.result = job.run() if shares <= set(self.shares) else Result(None, problem=missing)
                self._write(job, job.result, whole=False)

    def busy(self, cluster: MemoryCluster) -> int:
        """Count the cluster's nodes that run a job."""
        return sum(
            job.nodes
            for job in self.jobs.values()
            if job.cluster is cluster and job.status.state is JobState.RUNNING
        )

    def fit(self, cluster: MemoryCluster) -> None:
        """Give a cluster the nodes that it wants; those that run a job stay."""
        if cluster.bounds is not None:
            least, most = cluster.bounds
            going = [job for job in self.jobs.values() if not job.status.state.final]
            mine = [job for job in going if job.cluster is cluster]
            cluster.nodes = min(max(sum(job.nodes for job in mine if job.nodes <= most), least), most)
        while len(cluster.members) < cluster.nodes:
            self._join(cluster)
        while len(cluster.members) > max(cluster.nodes, self.busy(cluster)):
            cluster.unusable.discard(cluster.members.pop())

    def _join(self, cluster: MemoryCluster) -> None:
        """Add a node, and do its setup task."""
        self._events += 1
        node = f"tvm-{self._events}"
        cluster.members.append(node)
        if cluster.set_up is not None:
            result = cluster.set_up(node)
            for key, content in result.outputs.items():
                mount, _, path = key.partition("/")
                self.shares[cluster.shares[mount]][path] = content
            if result.exit_code != 0:
                cluster.unusable.add(node)

    def preempt(self, cluster: MemoryCluster) -> str:
        """Take a node away; a job that runs waits again."""
        node = cluster.members.pop(0)
        for job in self.jobs.values():
            if job.cluster is cluster and job.status.state is JobState.RUNNING:
                job.status = replace(job.status, state=JobState.QUEUED, started_at=None)
                job.result = None
                break
        return node

    def _end(self, job: MemoryJob, result: Result) -> None:
        self._write(job, result, whole=True)
        failed = BatchAIError("JobFailed", "Job failed with non-zero exit code")
        problem = result.problem or (failed if result.exit_code != 0 else None)
        job.status = replace(
            job.status,
            state=JobState.FAILED if problem else JobState.SUCCEEDED,
            ended_at=self.now(),
            exit_code=result.exit_code,
            errors=(problem,) if problem else (),
        )

    def terminate(self, job: MemoryJob, problem: BatchAIError = TERMINATED) -> None:
        """End a job that is not final, without an exit code."""
        if job.status.state.final:
            return
        started = job.status.started_at or self.now()
        job.status = replace(
            job.status, state=JobState.FAILED, started_at=started, ended_at=self.now(), errors=(problem,)
        )

    def _write(self, job: MemoryJob, result: Result, *, whole: bool) -> None:
        for name, text in result.texts.items():
            self._put(job, "stdouterr", name, text[: len(text) if whole else len(text) // 2].encode())
        if whole:
            for key, content in result.outputs.items():
                directory, _, path = key.partition("/")
                self._put(job, directory, path, content)

    def _put(self, job: MemoryJob, directory: str, path: str, content: bytes) -> None:
        share, folder = job.folders[directory]
        if share in self.shares:
            self.shares[share][f"{folder}/{path}"] = content
