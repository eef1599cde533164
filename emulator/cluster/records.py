"""Clusters and jobs on disk: what the service shows, and what only we need to know to go on after a crash."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.cluster.model import (
    AllocationState,
    Cluster,
    ClusterKey,
    ExecutionState,
    ExperimentKey,
    Job,
    JobKey,
    Node,
    NodeState,
    ProvisioningState,
    WorkspaceKey,
)
from batchai_scenario.emulator.errors import Problem
from batchai_scenario.emulator.state.clock import parse_time, wire_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from batchai_scenario.emulator.state.store import Store

CLUSTER = "cluster"
JOB = "job"


class Ending(str, Enum):
    """Why a job is being ended before its command ends by itself; written before anything is stopped."""

    NONE = ""
    TERMINATED = "terminated"
    DELETED = "deleted"
    TIMED_OUT = "timed out"
    DEALLOCATED = "deallocated"
    CLUSTER_DELETED = "cluster deleted"
    REQUEUED = "requeued"


@dataclass(frozen=True, slots=True)
class ShareMount:
    """Where a volume stands: the path below its mount root, and the share or ``_blob/<container>`` there."""

    path: str
    account: str
    share: str


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where execution.log goes: a mounted folder of this machine, and the folder below it."""

    root: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class ClusterRecord:
    """A cluster, and the ids of nodes that are being placed: not part of it yet, but maybe on the engine."""

    cluster: Cluster
    placing: tuple[str, ...] = ()

    def but(self, *, placing: tuple[str, ...] | None = None, **changes: Any) -> ClusterRecord:  # noqa: ANN401
        """Copy with changes to the cluster's fields."""
        cluster = dataclasses.replace(self.cluster, **changes)
        return ClusterRecord(cluster, self.placing if placing is None else placing)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job, and how far its launch came.

    ``tasks``: ids that the engine may hold, written before the engine is asked; empty again once they
    are removed. ``launched``: the engine said that they run. ``mounts``: the cluster's volumes when the
    job was made, so that its files are found when the cluster is gone.
    """

    job: Job
    tasks: tuple[str, ...] = ()
    launched: bool = False
    ending: Ending = Ending.NONE
    mounts: tuple[ShareMount, ...] = ()
    log: LogPlace = field(default_factory=LogPlace)

    def but(self, **changes: Any) -> JobRecord:  # noqa: ANN401
        """Copy with changes, to our fields or to the job's."""
        ours = {name: changes.pop(name) for name in list(changes) if name in _OURS}
        return dataclasses.replace(self, job=dataclasses.replace(self.job, **changes), **ours)

    @property
    def deleting(self) -> bool:
        """Tell whether the job goes away."""
        return self.job.provisioning_state is ProvisioningState.DELETING

    @property
    def live(self) -> bool:
        """Tell whether something is left to do for the job."""
        return not self.job.execution_state.final or bool(self.tasks) or self.deleting


_OURS = frozenset({"tasks", "launched", "ending", "mounts", "log"})


class Records:
    """Keeps clusters and jobs: written to the store first, then held in memory for the loop's thread.

    ``clusters`` and ``jobs`` are by id, in order of creation; ``jobs`` are only those with something left
    to do. The ``read_*`` and ``list_*`` methods read the disk, from any thread.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.clusters: dict[str, ClusterRecord] = {}
        self.jobs: dict[str, JobRecord] = {}

    def load(self) -> None:
        """Read everything from disk."""
        clusters = [_read_cluster(document.body) for document in self._store.list(CLUSTER)]
        jobs = [_read_job(document.body) for document in self._store.list(JOB)]
        self.clusters = {record.cluster.key.id: record for record in clusters}
        self.jobs = {record.job.key.id: record for record in jobs if record.live}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write several records or none; the memory follows the disk."""
        try:
            with self._store.transaction():
                yield
        except BaseException:
            self.load()
            raise

    def save_cluster(self, record: ClusterRecord, secrets: Mapping[str, str] | None = None) -> None:
        """Write a cluster; secrets stay as they are unless given."""
        key = record.cluster.key
        self._store.put(CLUSTER, key.id, _write_cluster(record), parent=key.workspace.id, secrets=secrets)
        self.clusters[key.id] = record

    def save_job(self, record: JobRecord, secrets: Mapping[str, str] | None = None) -> None:
        """Write a job; secrets stay as they are unless given."""
        key = record.job.key
        self._store.put(JOB, key.id, _write_job(record), parent=key.experiment.id, secrets=secrets)
        if record.live:
            self.jobs[key.id] = record
        else:
            self.jobs.pop(key.id, None)

    def remove_cluster(self, key: ClusterKey) -> None:
        """Forget a cluster."""
        self._store.delete(CLUSTER, key.id)
        self.clusters.pop(key.id, None)

    def remove_job(self, key: JobKey) -> None:
        """Forget a job."""
        self._store.delete(JOB, key.id)
        self.jobs.pop(key.id, None)

    def read_cluster(self, key: ClusterKey) -> ClusterRecord | None:
        """Read a cluster from disk."""
        document = self._store.get(CLUSTER, key.id)
        return None if document is None else _read_cluster(document.body)

    def read_job(self, key: JobKey) -> JobRecord | None:
        """Read a job from disk."""
        document = self._store.get(JOB, key.id)
        return None if document is None else _read_job(document.body)

    def list_clusters(self, workspace: WorkspaceKey) -> list[Cluster]:
        """Read a workspace's clusters from disk, by age."""
        return [_read_cluster(item.body).cluster for item in self._store.list(CLUSTER, workspace.id)]

    def list_jobs(self, experiment: ExperimentKey) -> list[Job]:
        """Read an experiment's jobs from disk, by age."""
        return [_read_job(item.body).job for item in self._store.list(JOB, experiment.id)]

    def cluster_secrets(self, key: ClusterKey) -> dict[str, str]:
        """Open a cluster's secrets."""
        return self._store.secrets(CLUSTER, key.id)

    def job_secrets(self, key: JobKey) -> dict[str, str]:
        """Open a job's secrets."""
        return self._store.secrets(JOB, key.id)


def _time(value: datetime | None) -> str | None:
    return None if value is None else wire_time(value)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def _write_problems(problems: tuple[Problem, ...]) -> list[list[Any]]:
    return [[item.code, item.message, [list(pair) for pair in item.details]] for item in problems]


def _read_problems(rows: list[list[Any]]) -> tuple[Problem, ...]:
    return tuple(Problem(code, text, tuple((n, v) for n, v in details)) for code, text, details in rows)


def _write_workspace(key: WorkspaceKey) -> list[str]:
    return [key.subscription, key.group, key.workspace]


def _write_cluster(record: ClusterRecord) -> dict[str, Any]:
    cluster = record.cluster
    return {
        "key": [*_write_workspace(cluster.key.workspace), cluster.key.name],
        "guid": cluster.guid,
        "definition": cluster.definition,
        "engine": cluster.engine,
        "gpus": cluster.gpus,
        "created": _time(cluster.created_at),
        "changed": _time(cluster.changed_at),
        "provisioning": [cluster.provisioning_state.value, _time(cluster.provisioning_changed_at)],
        "allocation": [cluster.allocation_state.value, _time(cluster.allocation_changed_at)],
        "nodes": [[node.id, node.state.value, node.address, node.job] for node in cluster.nodes],
        "errors": _write_problems(cluster.errors),
        "placing": list(record.placing),
    }


def _read_cluster(body: Mapping[str, Any]) -> ClusterRecord:
    *workspace, name = body["key"]
    provisioning, allocation = body["provisioning"], body["allocation"]
    cluster = Cluster(
        key=ClusterKey(WorkspaceKey(*workspace), name),
        guid=body["guid"],
        definition=body["definition"],
        engine=body["engine"],
        gpus=body["gpus"],
        created_at=parse_time(body["created"]),
        changed_at=parse_time(body["changed"]),
        provisioning_state=ProvisioningState(provisioning[0]),
        provisioning_changed_at=parse_time(provisioning[1]),
        allocation_state=AllocationState(allocation[0]),
        allocation_changed_at=parse_time(allocation[1]),
        nodes=tuple(Node(id_, NodeState(state), address, job) for id_, state, address, job in body["nodes"]),
        errors=_read_problems(body["errors"]),
    )
    return ClusterRecord(cluster, tuple(body["placing"]))


def _write_job(record: JobRecord) -> dict[str, Any]:
    job = record.job
    experiment = job.key.experiment
    return {
        "key": [*_write_workspace(experiment.workspace), experiment.name, job.key.name],
        "guid": job.guid,
        "definition": job.definition,
        "cluster": job.cluster,
        "segment": job.segment,
        "created": _time(job.created_at),
        "changed": _time(job.changed_at),
        "provisioning": [job.provisioning_state.value, _time(job.provisioning_changed_at)],
        "execution": [job.execution_state.value, _time(job.execution_changed_at)],
        "started": _time(job.started_at),
        "ended": _time(job.ended_at),
        "exit_code": job.exit_code,
        "errors": _write_problems(job.errors),
        "nodes": list(job.nodes),
        "tasks": list(record.tasks),
        "launched": record.launched,
        "ending": record.ending.value,
        "mounts": [[mount.path, mount.account, mount.share] for mount in record.mounts],
        "log": [record.log.root, record.log.folder],
    }


def _read_job(body: Mapping[str, Any]) -> JobRecord:
    *workspace, experiment, name = body["key"]
    provisioning, execution = body["provisioning"], body["execution"]
    job = Job(
        key=JobKey(ExperimentKey(WorkspaceKey(*workspace), experiment), name),
        guid=body["guid"],
        definition=body["definition"],
        cluster=body["cluster"],
        segment=body["segment"],
        created_at=parse_time(body["created"]),
        changed_at=parse_time(body["changed"]),
        provisioning_state=ProvisioningState(provisioning[0]),
        provisioning_changed_at=parse_time(provisioning[1]),
        execution_state=ExecutionState(execution[0]),
        execution_changed_at=parse_time(execution[1]),
        started_at=_moment(body["started"]),
        ended_at=_moment(body["ended"]),
        exit_code=body["exit_code"],
        errors=_read_problems(body["errors"]),
        nodes=tuple(body["nodes"]),
    )
    return JobRecord(
        job=job,
        tasks=tuple(body["tasks"]),
        launched=body["launched"],
        ending=Ending(body["ending"]),
        mounts=tuple(ShareMount(*row) for row in body["mounts"]),
        log=LogPlace(*body["log"]),
    )
