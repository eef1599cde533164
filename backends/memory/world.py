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
    there is none.
    """

    job: str
    command: str
    environment: Mapping[str, str] = field(repr=False)
    read: Callable[[str, str], bytes] = field(repr=False)
    look: Callable[[str], bytes] = field(default=_no_file, repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What a program did.

    ``outputs``: contents by ``<directory id>/<path>``. ``problem``: what the job failed of; without one a
    job fails of an exit code that is not 0. ``exit_code`` None: nothing ended, so there is a ``problem``.
    ``endless``: it runs until it is terminated or deleted. ``ends``: it runs until this is true.
    """

    exit_code: int | None = 0
    stdout: str = ""
    stderr: str = ""
    outputs: Mapping[str, bytes] = field(default_factory=dict)
    problem: BatchAIError | None = None
    endless: bool = False
    ends: Callable[[], bool] | None = None


Program = "Callable[[Call], Result]"


@dataclass(slots=True)
class MemoryCluster:
    """A cluster: ``nodes`` are there at once; ``shares`` by relative mount path."""

    id: str
    place: Place
    nodes: int
    shares: Mapping[str, str]


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
        for job in sorted(self.jobs.values(), key=lambda job: RANKS[job.priority]):
            if (
                job.status.state is JobState.QUEUED
                and self.busy(job.cluster) + job.nodes <= job.cluster.nodes
            ):
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
        for name, text in (("stdout.txt", result.stdout), ("stderr.txt", result.stderr)):
            self._put(job, "stdouterr", name, text[: len(text) if whole else len(text) // 2].encode())
        if whole:
            for key, content in result.outputs.items():
                directory, _, path = key.partition("/")
                self._put(job, directory, path, content)

    def _put(self, job: MemoryJob, directory: str, path: str, content: bytes) -> None:
        share, folder = job.folders[directory]
        if share in self.shares:
            self.shares[share][f"{folder}/{path}"] = content
