"""What the cluster room's thread looks at, and when: clusters and jobs that something happened to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.allocation import Allocation
from batchai_scenario.emulator.cluster.due import Due
from batchai_scenario.emulator.cluster.endings import ask_to_end
from batchai_scenario.emulator.cluster.jobs import JobRunner
from batchai_scenario.emulator.cluster.loop import Loop, Workers
from batchai_scenario.emulator.cluster.model import (
    AllocationState,
    ExecutionState,
    NodeState,
    ProvisioningState,
)
from batchai_scenario.emulator.cluster.records import Ending
from batchai_scenario.emulator.cluster.room import Room
from batchai_scenario.emulator.cluster.scheduler import next_start

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.emulator.cluster.keeping import ResourceRecords
    from batchai_scenario.emulator.cluster.lasting import Unseen
    from batchai_scenario.emulator.cluster.ports import FileShares
    from batchai_scenario.emulator.cluster.records import ClusterRecord, JobRecord
    from batchai_scenario.emulator.engines.base import Engine
    from batchai_scenario.emulator.state.clock import Clock


class Settler:
    """Sees to clusters and jobs; everything here is for the loop's thread.

    ``room`` is what the parts share; ``allocation`` sizes clusters, ``jobs`` runs jobs.
    """

    def __init__(
        self,
        *,
        records: ResourceRecords,
        clock: Clock,
        loop: Loop,
        engines: Callable[[str], Engine],
        shares: FileShares,
        unseen: Unseen,
    ) -> None:
        self.room = Room(
            records=records,
            clock=clock,
            loop=loop,
            workers=Workers(loop),
            engines=engines,
            shares=shares,
            settle=self.settle,
            look=self.look,
            lose=self._lose,
            unseen=unseen,
        )
        self.allocation = Allocation(self.room)
        self.jobs = JobRunner(self.room)
        self._due = Due(loop)

    def _lose(self, cluster: str, nodes: list[str]) -> None:
        self.allocation.losses.let_leave(cluster, nodes)

    def resized(self, record: ClusterRecord) -> None:
        """See to a cluster that is new or was changed, but not before somebody saw that it resizes."""
        key = record.cluster.key.id
        if record.cluster.allocation_state is AllocationState.RESIZING:
            self.room.unseen.hold(key, partial(self.settle, key))
        self.room.loop.post(lambda: self.settle(key))

    def join(self, job: str, cluster: str) -> None:
        """Let a new job stand in line."""
        self.room.records.queue(cluster).join(job)
        self.room.loop.post(lambda: self.allocation.retry(cluster))

    def delete(self, record: JobRecord) -> None:
        """Begin to delete a job."""
        now = self.room.clock.now()
        if not record.deleting:
            record = record.but(provisioning_state=ProvisioningState.DELETING, provisioning_changed_at=now)
        if record.job.execution_state is not ExecutionState.QUEUED:
            record = ask_to_end(record, Ending.DELETED, now)
        self.room.records.save_job(record)
        self.changed(record)

    def changed(self, record: JobRecord) -> None:
        """See soon to a job that was changed, and to its cluster."""
        self.room.loop.post(lambda: self.look(record.job.key.id))
        self.room.loop.post(lambda: self.settle(record.job.cluster.lower()))

    def recover(self) -> None:
        """Look at everything that an earlier emulator left."""
        for cluster in list(self.room.records.clusters):
            self.allocation.retry(cluster)
        for job in list(self.room.records.jobs):
            self.look(job)  # also those whose cluster is gone

    def settle(self, cluster: str) -> None:
        """See to a cluster (by id), once whoever asks is done."""
        self._due.do(self._look_at_cluster, cluster)

    def look(self, job: str) -> None:
        """See to a job (by id), once whoever asks is done."""
        self._due.do(self.jobs.reconcile, job)

    def _look_at_cluster(self, cluster: str) -> None:
        if cluster in self.room.records.clusters:
            self.allocation.reconcile(cluster)
        if cluster in self.room.records.clusters:
            self._schedule(self.room.records.clusters[cluster])

    def _schedule(self, record: ClusterRecord) -> None:
        if record.cluster.provisioning_state is ProvisioningState.DELETING:
            return
        key = record.cluster.key.id
        queue, idle = self.room.records.queue(key), self.room.records.nodes[key].line(NodeState.IDLE)
        while idle and (start := next_start(queue, idle, self.allocation.usable(record))) is not None:
            self.jobs.pick(key, start)
