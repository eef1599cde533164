"""The cluster room's front: what the resource provider calls, and the thread that does the work."""

from __future__ import annotations

import copy
import logging
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from batchai_scenario.emulator.cluster.autoscale import first_size
from batchai_scenario.emulator.cluster.endings import ask_to_end
from batchai_scenario.emulator.cluster.keeping import ResourceRecords
from batchai_scenario.emulator.cluster.lasting import Unseen
from batchai_scenario.emulator.cluster.logins import Logins, remote_logins
from batchai_scenario.emulator.cluster.loop import Loop
from batchai_scenario.emulator.cluster.making import new_cluster, new_job
from batchai_scenario.emulator.cluster.model import (
    Cluster,
    ClusterKey,
    Job,
    JobKey,
    ProvisioningState,
    RemoteLogin,
)
from batchai_scenario.emulator.cluster.mounts import file_folder
from batchai_scenario.emulator.cluster.records import Ending
from batchai_scenario.emulator.cluster.settling import Settler
from batchai_scenario.emulator.cluster.window import Window
from batchai_scenario.emulator.errors import NothingToTake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from batchai_scenario.emulator.cluster.model import ExperimentKey, WorkspaceKey
    from batchai_scenario.emulator.cluster.ports import FileShares
    from batchai_scenario.emulator.engines.base import Engine
    from batchai_scenario.emulator.launch.plan import GpuMode
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.home import Home
    from batchai_scenario.emulator.state.store import Store

T = TypeVar("T")

_log = logging.getLogger(__name__)

_PAGE = 100
"""Jobs that are begun to be deleted in one step."""

_PATIENCE = 0.7
"""Seconds that ``close`` gives to engine calls under way; they are taken up again by the next ``start``."""


class Controller:
    """Clusters and jobs (rules K1 to K5 of ``ClusterService``).

    Reading answers from disk, on any thread. Everything that changes something is done by one thread:
    it writes the next state first and begins the work for it then, so that whatever dies at whatever
    moment, the next ``start`` on the same home finds on disk what is left to do.

    Args:
        store: where clusters and jobs are kept.
        clock: tells the time of every transition.
        engines: gives an engine by name (may raise EngineUnavailable); ``""`` is the default engine. It
            is called from worker threads.
        shares: turns volumes into folders; called from worker threads too.
        home: whose nodes people may log in to; None: nobody listens for them.
        is_stranger: whether a program of another user is at the other end of a connection, by its two ends.
        lasting: for how long a new job stays queued, and a new or resized cluster resizing, if nobody looks
            (``seen``); zero: no longer than it must.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        engines: Callable[[str], Engine],
        shares: FileShares,
        *,
        home: Home | None = None,
        is_stranger: Callable[[object, object], bool] = lambda *_: False,
        lasting: timedelta = timedelta(0),
    ) -> None:
        self._clock = clock
        self._records = ResourceRecords(store)
        self._loop = Loop(clock)
        unseen = Unseen(self._loop, clock, lasting)
        self._settler = Settler(
            records=self._records, clock=clock, loop=self._loop, engines=engines, shares=shares, unseen=unseen
        )
        self._room = self._settler.room
        self._emptied: set[str] = set()
        self._logins: Logins | None = None
        if home is not None and find_spec("asyncssh") is not None:
            self._logins = Logins(
                home, engines, shares, self.get_cluster, self._records.cluster_secrets, is_stranger
            )

    def start(self) -> None:
        """Recover what an earlier emulator left, and begin to work. Returns at once."""
        self._records.load()
        if self._logins is not None:
            self._logins.forget_left()
        self._loop.start()
        self._loop.post(self._settler.recover)

    @property
    def window(self) -> Window:
        """Give what those see who only look."""
        return Window(self._records)

    def close(self) -> None:
        """Stop working, within a second. Jobs run on; the next ``start`` finds them."""
        if self._logins is not None:
            self._logins.close()
        self._loop.close()
        self._room.workers.join(but="wait", timeout=_PATIENCE)

    def wait_until(self, condition: Callable[[], T | None], timeout: float = 30.0) -> T:
        """Wait until a condition gives something true, looked at after every step; TimeoutError."""
        return self._loop.wait_until(condition, timeout)

    def create_cluster(
        self,
        key: ClusterKey,
        definition: Mapping[str, Any],
        secrets: Mapping[str, str],
        *,
        engine: str = "",
        gpus: GpuMode | None = None,
    ) -> tuple[Cluster, bool]:
        """Store a cluster and begin to allocate its nodes (K1); ``gpus`` None: auto."""

        def create() -> tuple[Cluster, bool]:
            known = self._records.clusters.get(key.id)
            if known is not None:
                return self._records.view(known), False
            record = new_cluster(key, definition, engine, gpus or "auto", self._clock.now())
            if record.target:
                record = self._settler.allocation.resize(record)
            self._records.save_cluster(record, secrets)
            self._settler.resized(record)
            return record.cluster, True

        return self._loop.ask(create)

    def get_cluster(self, key: ClusterKey) -> Cluster | None:
        """Read a cluster."""
        record = self._records.read_cluster(key)
        return None if record is None else record.cluster

    def list_clusters(self, workspace: WorkspaceKey) -> list[Cluster]:
        """List a workspace's clusters by age."""
        return [cluster for _, cluster in self._records.page_clusters([workspace])]

    def page_clusters(
        self, workspaces: Sequence[WorkspaceKey], after: int = 0, limit: int | None = None
    ) -> list[tuple[int, Cluster]]:
        """List clusters of some workspaces by age, each with its number: those after a number."""
        return self._records.page_clusters(workspaces, after, limit)

    def count_jobs(self, cluster: ClusterKey) -> int:
        """Count a cluster's jobs that wait or run."""
        return self._loop.ask(lambda: len(self._records.queue(cluster.id)))

    def update_cluster(self, key: ClusterKey, changes: Mapping[str, Any]) -> Cluster | None:
        """Replace properties of the definition, and begin to resize if its target became another one.

        A cluster that is being deleted stays as it is.
        """

        def update() -> Cluster | None:
            record = self._records.clusters.get(key.id)
            if record is None or record.cluster.provisioning_state is ProvisioningState.DELETING:
                return None if record is None else self._records.view(record)
            definition = {**record.cluster.definition, **copy.deepcopy(dict(changes))}
            staying = self._records.nodes[key.id].staying
            record = record.but(
                definition=definition,
                changed_at=self._clock.now(),
                wanted=first_size(definition, staying),
            )
            if record.target != staying:
                record = self._settler.allocation.resize(record)
            self._records.save_cluster(record)
            self._settler.resized(record)
            return self._records.view(record)

        return self._loop.ask(update)

    def delete_cluster(self, key: ClusterKey) -> bool:
        """Begin to delete a cluster; jobs that run or wait on it fail with ``ClusterDeleted`` (K3)."""

        def delete() -> bool:
            record = self._records.clusters.get(key.id)
            if record is None:
                return False
            now = self._clock.now()
            self._room.unseen.drop(key.id)
            queue = self._records.queue(key.id)
            with self._records.transaction():
                if record.cluster.provisioning_state is not ProvisioningState.DELETING:
                    self._records.save_cluster(
                        record.but(provisioning_state=ProvisioningState.DELETING, provisioning_changed_at=now)
                    )
                for id_ in (*queue.waiting, *queue.active):
                    job = self._records.live_job(id_)
                    if job is not None:
                        self._records.save_job(ask_to_end(job, Ending.CLUSTER_DELETED, now))
            for id_ in tuple(queue.active):
                self._loop.post(partial(self._settler.look, id_))
            self._loop.post(lambda: self._settler.settle(key.id))
            return True

        return self._loop.ask(delete)

    def preempt(self, cluster: str, node: str = "") -> str:
        """Take a low-priority node away, as the service could at any moment: a fault for tests.

        Its job goes back to the queue. ``cluster``: id or name; ``node``: id, empty: one that runs a job.
        Gives the node's id; NothingToTake says why there is none.
        """

        def preempt() -> str:
            wanted = cluster.lower().rstrip("/")
            found = [
                record
                for key, record in self._records.clusters.items()
                if wanted in (key, record.cluster.key.name.lower())
            ]
            if len(found) != 1:
                many = f"{len(found)} clusters are called {cluster}: give an id"
                raise NothingToTake(many if found else f"there is no cluster {cluster}")
            return self._settler.allocation.preempt(found[0], node)

        return self._loop.ask(preempt)

    def create_job(
        self, key: JobKey, cluster: ClusterKey, definition: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> tuple[Job, bool]:
        """Store a job and queue it (K1). If its cluster is gone or going, it fails at once and says so."""

        def create() -> tuple[Job, bool]:
            known = self._records.read_job(key)
            if known is not None:
                return known.job, False
            owner = self._records.clusters.get(cluster.id)
            record = new_job(key, cluster, definition, owner, self._clock.now())
            if owner is None or owner.cluster.provisioning_state is ProvisioningState.DELETING:
                record = ask_to_end(record, Ending.CLUSTER_DELETED, self._clock.now())
            self._records.save_job(record, secrets)
            if self._room.unseen.hold(key.id, partial(self._settler.join, key.id, cluster.id)):
                self._records.queue(cluster.id).aside(key.id)
            else:
                self._loop.post(lambda: self._settler.allocation.retry(cluster.id))
            return record.job, True

        return self._loop.ask(create)

    def get_job(self, key: JobKey) -> Job | None:
        """Read a job."""
        record = self._records.read_job(key)
        return None if record is None else record.job

    def page_jobs(
        self, experiments: Sequence[ExperimentKey], after: int = 0, limit: int | None = None
    ) -> list[tuple[int, Job]]:
        """List jobs of some experiments by age, each with its number: those after a number."""
        return self._records.page_jobs(experiments, after, limit)

    def terminate_job(self, key: JobKey) -> bool:
        """Begin to end a queued or running job; a finished one is left as it is (recorded traffic)."""

        def terminate() -> bool:
            record = self._records.live_job(key.id)
            if record is None:
                return self._records.read_job(key) is not None
            self._records.save_job(ask_to_end(record, Ending.TERMINATED, self._clock.now()))
            self._settler.changed(record)
            return True

        return self._loop.ask(terminate)

    def delete_job(self, key: JobKey) -> bool:
        """Begin to delete a job, ending it first if it runs (K3); its files on shares stay."""

        def delete() -> bool:
            record = self._records.live_job(key.id) or self._records.read_job(key)
            if record is not None:
                self._settler.delete(record)
            return record is not None

        return self._loop.ask(delete)

    def delete_jobs(self, experiment: ExperimentKey) -> bool:
        """Begin to delete all jobs of an experiment; True when none is left (K3).

        They are gone through once, however often this is asked: no job may be made meanwhile.
        """

        def delete(after: int) -> int:
            page = self._records.page_jobs([experiment], after, _PAGE)
            with self._records.transaction():
                for _, job in page:
                    record = self._records.live_job(job.key.id) or self._records.read_job(job.key)
                    if record is not None and not record.deleting:
                        self._settler.delete(record)
            return page[-1][0] if len(page) == _PAGE else 0

        if experiment.id not in self._emptied:
            after = self._loop.ask(partial(delete, 0))
            while after:
                after = self._loop.ask(partial(delete, after))
            self._emptied.add(experiment.id)
        empty = not self._records.page_jobs([experiment], 0, 1)
        if empty:
            self._emptied.discard(experiment.id)
        return empty

    def remote_logins(self, cluster: ClusterKey, job: JobKey | None = None) -> list[RemoteLogin]:
        """List how to log in to a cluster's nodes, or to those that run the job or ran it and are there.

        As recorded: one public address for all, ports from 50000, or any that is free. Who asks opens them.
        """
        found = self.get_cluster(cluster)
        its = None if job is None else self.get_job(job)
        wanted = None if job is None else () if its is None else its.nodes
        return [] if found is None else remote_logins(found, wanted, self._logins)

    def file_folder(self, job: Job, directory: str) -> tuple[str, str, str] | None:
        """Find (account, share, path in the share) of an output directory id or ``stdouterr``.

        None if the directory is not on a mounted Azure file share; KeyError if the job has no such id.
        Works after the job's cluster is gone.
        """
        record = self._records.read_job(job.key)
        return file_folder(job, () if record is None else record.mounts, directory)

    def seen(self, ids: Iterable[str]) -> None:
        """Note that a client has seen clusters or jobs (by id) as they are."""
        self._room.unseen.seen(ids)
