"""Clusters, nodes and jobs: written to the store first, then held in memory for the loop's thread."""

from __future__ import annotations

import heapq
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.cluster.forms import (
    read_cluster,
    read_job,
    read_node,
    write_cluster,
    write_job,
    write_node,
)
from batchai_scenario.emulator.cluster.nodes import Nodes
from batchai_scenario.emulator.cluster.queue import Queue, QueuedJob
from batchai_scenario.emulator.cluster.records import Ending
from batchai_scenario.schema.older import older_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchai_scenario.emulator.cluster.model import (
        Cluster,
        ClusterKey,
        ExperimentKey,
        Job,
        JobKey,
        Node,
        WorkspaceKey,
    )
    from batchai_scenario.emulator.cluster.records import ClusterRecord, JobRecord
    from batchai_scenario.emulator.state.store import Document, Store

CLUSTER = "cluster"
NODE = "node"
JOB = "job"
LIVE = "live"
"""The mark of jobs with something left to do."""

_PRIORITIES = {"low": -1000, "normal": 0, "high": 1000}
"""``schedulingPriority`` on the scale of the older ``priority`` (our decision: its ends)."""


class ResourceRecords:
    """Keeps clusters, nodes and jobs.

    For the loop's thread: ``clusters`` by id; ``nodes`` and ``queues`` by the id of their cluster;
    ``jobs`` by id: those with something to do now. Jobs that only wait stand in a queue; their records
    stay on disk. The ``read_*``, ``list_*`` and ``page_*`` methods read the disk, from any thread.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.clusters: dict[str, ClusterRecord] = {}
        self.nodes: dict[str, Nodes] = {}
        self.queues: dict[str, Queue] = {}
        self.jobs: dict[str, JobRecord] = {}

    def load(self) -> None:
        """Read from disk what there is to do."""
        self.clusters, self.nodes, self.queues, self.jobs = {}, {}, {}, {}
        for document in self._store.list(CLUSTER):
            record = read_cluster(document.body)
            self.clusters[record.cluster.key.id] = record
            self.nodes[record.cluster.key.id] = Nodes()
        for document in self._store.list(NODE):
            self.nodes[document.parent].put(read_node(document.body))
        for document in self._store.list(JOB, mark=LIVE):
            self._hold(read_job(document.body, document.number))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write several records or none; the memory follows the disk."""
        try:
            with self._store.transaction():
                yield
        except BaseException:
            self.load()
            raise

    def queue(self, cluster: str) -> Queue:
        """Give the queue of a cluster (by id)."""
        return self.queues.setdefault(cluster, Queue())

    def save_cluster(self, record: ClusterRecord, secrets: Mapping[str, str] | None = None) -> None:
        """Write a cluster, without its nodes; secrets stay as they are unless given."""
        key = record.cluster.key
        self._store.put(CLUSTER, key.id, write_cluster(record), parent=key.workspace.id, secrets=secrets)
        self.clusters[key.id] = record
        self.nodes.setdefault(key.id, Nodes())

    def save_nodes(self, cluster: str, nodes: Sequence[Node]) -> None:
        """Write nodes of a cluster (by id)."""
        with self._store.transaction():
            for node in nodes:
                self._store.put(NODE, _node_id(cluster, node.id), write_node(node), parent=cluster)
        for node in nodes:
            self.nodes[cluster].put(node)

    def remove_node(self, cluster: str, node: str) -> None:
        """Forget a node."""
        self._store.delete(NODE, _node_id(cluster, node))
        self.nodes[cluster].remove(node)

    def save_job(self, record: JobRecord, secrets: Mapping[str, str] | None = None) -> None:
        """Write a job; secrets stay as they are unless given."""
        key, mark = record.job.key, LIVE if record.live else ""
        parent = key.experiment.id
        self._store.put(JOB, key.id, write_job(record), parent=parent, mark=mark, secrets=secrets)
        if not record.number:
            stored = self._store.get(JOB, key.id)
            record = record.but(number=0 if stored is None else stored.number)
        self._hold(record)

    def remove_cluster(self, key: ClusterKey) -> None:
        """Forget a cluster that has no nodes and no jobs with something to do any more."""
        self._store.delete(CLUSTER, key.id)
        del self.clusters[key.id]
        del self.nodes[key.id]
        self.queues.pop(key.id, None)

    def remove_job(self, record: JobRecord) -> None:
        """Forget a job."""
        key = record.job.key
        self._store.delete(JOB, key.id)
        self.jobs.pop(key.id, None)
        self.queue(record.job.cluster.lower()).forget(key.id)

    def live_job(self, job: str) -> JobRecord | None:
        """Find a job (by id) with something left to do, in memory or, while it waits, on disk."""
        found = self.jobs.get(job)
        if found is not None:
            return found
        document = self._store.get(JOB, job)
        record = None if document is None else read_job(document.body, document.number)
        return record if record is not None and record.live else None

    def view(self, record: ClusterRecord) -> Cluster:
        """Give a cluster with its nodes, as the service shows it."""
        return record.but(nodes=self.nodes[record.cluster.key.id].all).cluster

    def read_cluster(self, key: ClusterKey) -> ClusterRecord | None:
        """Read a cluster from disk, with its nodes."""
        with self._store.reading():
            document = self._store.get(CLUSTER, key.id)
            return None if document is None else self._with_nodes(document)

    def read_job(self, key: JobKey) -> JobRecord | None:
        """Read a job from disk."""
        document = self._store.get(JOB, key.id)
        return None if document is None else read_job(document.body, document.number)

    def live_jobs(self) -> list[Job]:
        """Read from disk the jobs with something left to do, by age."""
        return [read_job(item.body, item.number).job for item in self._store.list(JOB, mark=LIVE)]

    def all_clusters(self) -> list[Cluster]:
        """Read every cluster from disk, by age, without its nodes."""
        return [read_cluster(item.body).cluster for item in self._store.list(CLUSTER)]

    def every_cluster(self) -> list[Cluster]:
        """Read every cluster from disk, by age, with its nodes."""
        with self._store.reading():
            return [self._with_nodes(document).cluster for document in self._store.list(CLUSTER)]

    def every_job(self, after: int = 0, *, live: bool = False) -> list[tuple[int, Job]]:
        """Read jobs of all experiments from disk, by age, each with its number: those after a number.

        ``live``: only those with something left to do.
        """
        found = self._store.list(JOB, mark=LIVE if live else None, after=after)
        return [(document.number, read_job(document.body, document.number).job) for document in found]

    def count_jobs(self) -> int:
        """Count all jobs on disk."""
        return self._store.count(JOB)

    @property
    def changes(self) -> int:
        """Give a number that grows with whatever is written."""
        return self._store.changes

    def page_clusters(
        self, workspaces: Sequence[WorkspaceKey], after: int = 0, limit: int | None = None
    ) -> list[tuple[int, Cluster]]:
        """Read clusters of some workspaces from disk, by age, each with its number: those after a number."""
        with self._store.reading():
            found = self._page(CLUSTER, [key.id for key in workspaces], after, limit)
            return [(document.number, self._with_nodes(document).cluster) for document in found]

    def page_jobs(
        self, experiments: Sequence[ExperimentKey], after: int = 0, limit: int | None = None
    ) -> list[tuple[int, Job]]:
        """Read jobs of some experiments from disk, by age, each with its number: those after a number."""
        found = self._page(JOB, [key.id for key in experiments], after, limit)
        return [(document.number, read_job(document.body, document.number).job) for document in found]

    def cluster_secrets(self, key: ClusterKey) -> dict[str, str]:
        """Open a cluster's secrets."""
        return self._store.secrets(CLUSTER, key.id)

    def job_secrets(self, key: JobKey) -> dict[str, str]:
        """Open a job's secrets."""
        return self._store.secrets(JOB, key.id)

    def _page(self, kind: str, parents: Sequence[str], after: int, limit: int | None) -> list[Document]:
        pages = [self._store.list(kind, parent, after=after, limit=limit) for parent in parents]
        return list(heapq.merge(*pages, key=lambda document: document.number))[:limit]

    def _with_nodes(self, document: Document) -> ClusterRecord:
        nodes = self._store.list(NODE, document.id)
        return read_cluster(document.body, tuple(read_node(node.body) for node in nodes))

    def _hold(self, record: JobRecord) -> None:
        """Put a job where the loop's thread looks for it."""
        key, queue = record.job.key.id, self.queue(record.job.cluster.lower())
        if record.live and not record.waiting:
            self.jobs[key] = record
            over = record.job.execution_state.final
            returns = record.ending is Ending.REQUEUED and not over
            queue.work(
                key,
                running=0 if over or returns else len(record.job.nodes),
                held=record.job.nodes if record.tasks else (),
                returns=_place(record) if returns else None,
            )
            return
        self.jobs.pop(key, None)
        if record.waiting:
            queue.wait(_place(record))
        else:
            queue.forget(key)


def _node_id(cluster: str, node: str) -> str:
    return f"{cluster}/nodes/{node}"


def _place(record: JobRecord) -> QueuedJob:
    definition = record.job.definition
    return QueuedJob(record.job.key.id, int(definition["nodeCount"]), _priority(definition), record.number)


def _priority(definition: Mapping[str, Any]) -> int:
    """Tell a job's priority as a number; jobs of the flat API versions gave one themselves."""
    number = older_fields(definition).priority
    return _PRIORITIES[definition.get("schedulingPriority", "normal")] if number is None else int(number)
