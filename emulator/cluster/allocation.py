"""A cluster's nodes: placed, prepared, taken away. Everything here runs on the loop's thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.autoscale import AutoScaler, bounds
from batchai_scenario.emulator.cluster.endings import ask_to_end
from batchai_scenario.emulator.cluster.loop import LoopClosed
from batchai_scenario.emulator.cluster.losing import WAITS, LostNodes, deallocation_option
from batchai_scenario.emulator.cluster.model import AllocationState, Node, NodeState, ProvisioningState
from batchai_scenario.emulator.cluster.preparation import Preparation, forget_setup
from batchai_scenario.emulator.cluster.records import Ending
from batchai_scenario.emulator.cluster.room import problem_of, shortage
from batchai_scenario.emulator.cluster.transitions import ALLOCATION, AllocationEvent, NodeEvent
from batchai_scenario.emulator.engines.base import AsksAhead
from batchai_scenario.emulator.engines.gpunodes import GPUS_TAKEN, GpuWish
from batchai_scenario.emulator.errors import EngineUnavailable, NothingToTake

if TYPE_CHECKING:
    from batchai_scenario.emulator.cluster.loop import Outcome
    from batchai_scenario.emulator.cluster.records import ClusterRecord
    from batchai_scenario.emulator.cluster.room import Room
    from batchai_scenario.emulator.engines.base import NodePlace
    from batchai_scenario.emulator.errors import Problem

Placed = tuple[list["NodePlace"], "Exception | None"]

_LEAVING_ORDER = (NodeState.UNUSABLE, NodeState.PREPARING, NodeState.IDLE, NodeState.RUNNING)


class Allocation:
    """Brings clusters to their target, one written step at a time.

    ``reconcile`` looks at what is on disk and begins what is missing; it is called after every change
    and after a restart alike. Nodes that the engine will not place stand in the cluster's errors, the
    cluster is steady with what it has, and jobs stay queued (as the service did without quota: recorded
    notebooks); it is tried again on the next resize, the next job, or the next start of the emulator, and
    of itself after an engine that did not answer, or when GPUs that it wants may have become free.
    What keeps a node from being prepared makes it unusable and stands in the cluster's errors; resizing
    to 0 and back tries again (the service's own advice; our decision for mounts).
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._scaling = AutoScaler(room)
        self._preparation = Preparation(room)
        self._resting: set[str] = set()
        self._stuck: dict[str, Problem] = {}
        self._fresh: set[str] = set()
        self._retrying: set[str] = set()
        self._starved: set[str] = set()
        self.losses = LostNodes(room, self.resize)

    def reconcile(self, cluster: str) -> None:
        """Begin what is missing for a cluster (by id)."""
        record = self._room.records.clusters[cluster]
        if record.cluster.provisioning_state is ProvisioningState.DELETING:
            self._dissolve(record)
            return
        record = self._scale(record)
        if record.cluster.allocation_state is AllocationState.RESIZING:
            self._resize(record)
        self._preparation.reconcile(self._room.records.clusters[cluster])
        self._take_away(self._room.records.clusters[cluster])
        self.losses.watch(self._room.records.clusters[cluster])

    def resize(self, record: ClusterRecord) -> ClusterRecord:
        """Give the record of a cluster that is about to grow, shrink, or try again."""
        state = ALLOCATION.move(record.cluster.allocation_state, AllocationEvent.RESIZE)
        return record.but(allocation_state=state, allocation_changed_at=self._room.clock.now())

    def retry(self, cluster: str) -> None:
        """Try again to place nodes that could not be had; then look at the cluster (by id)."""
        record = self._room.records.clusters.get(cluster)
        if (
            record is not None
            and record.cluster.provisioning_state is not ProvisioningState.DELETING
            and record.cluster.allocation_state is AllocationState.STEADY
            and self._missing(record) > 0
        ):
            self._room.records.save_cluster(self.resize(record))
        self._room.settle(cluster)

    def _missing(self, record: ClusterRecord) -> int:
        """Count the nodes that the cluster lacks; less than 0: that it has too many."""
        return record.target - self._room.records.nodes[record.cluster.key.id].staying

    def _scale(self, record: ClusterRecord) -> ClusterRecord:
        """Let a cluster that scales by itself want what it needs now."""
        wanted = self._scaling.evaluate(record)
        if wanted == record.wanted:
            return record
        record = self.resize(record.but(wanted=wanted))
        self._room.records.save_cluster(record)
        return record

    def _resize(self, record: ClusterRecord) -> None:
        if self._room.workers.busy(("place", record.cluster.guid)):
            return  # its end comes back here
        if record.cluster.key.id in self._room.unseen:
            return  # it is looked at again when somebody saw it
        missing = self._missing(record)
        if record.placing and missing < len(record.placing):
            record = self._give_up(record)
        if record.placing:
            self._place(record)
        elif missing > 0:
            record = record.but(placing=self._new_ids(record, missing))
            self._room.records.save_cluster(record)
            self._fresh.add(record.cluster.guid)
            self._place(record)
        elif missing < 0:
            self._shrink(record, -missing)
        elif not self._room.records.nodes[record.cluster.key.id].count(NodeState.LEAVING):
            self._room.records.save_cluster(self._settled(record))

    def _give_up(self, record: ClusterRecord) -> ClusterRecord:
        """Let nodes leave whose placing nobody saw end: they may be on the engine."""
        lost = [Node(node, NodeState.LEAVING) for node in record.placing]
        record = record.but(placing=())
        with self._room.records.transaction():
            self._room.records.save_cluster(record)
            self._room.records.save_nodes(record.cluster.key.id, lost)
        return record

    def _settled(self, record: ClusterRecord) -> ClusterRecord:
        state = ALLOCATION.move(record.cluster.allocation_state, AllocationEvent.SETTLE)
        return record.but(allocation_state=state, allocation_changed_at=self._room.clock.now())

    def _new_ids(self, record: ClusterRecord, count: int) -> tuple[str, ...]:
        """Make node ids as the service does: ``tvm-<number>_<index from 1>-<time>z``, ``-p`` if low priority.

        Recorded traffic. Every node of a cluster has the same number.
        """
        cluster = record.cluster
        number = int(cluster.guid.replace("-", "")[:8], 16)
        time = self._room.clock.now().strftime("%Y%m%dt%H%M%Sz")
        end = "-p" if cluster.definition.get("vmPriority") == "lowpriority" else ""
        nodes = self._room.records.nodes[cluster.key.id].all
        used = {node.id.split("_")[1].split("-")[0] for node in nodes}
        indices = [index for index in range(1, len(used) + count + 1) if str(index) not in used][:count]
        return tuple(f"tvm-{number}_{index}-{time}{end}" for index in indices)

    def _place(self, record: ClusterRecord) -> None:
        room, cluster, ids = self._room, record.cluster, record.placing
        key = cluster.key.id
        fresh = cluster.guid in self._fresh
        wish = GpuWish(cluster.gpus, str(cluster.definition.get("vmSize") or ""))

        def work() -> Placed:
            places: list[NodePlace] = []
            try:
                engine = room.engines(cluster.engine)
                # Written before anything is placed: a restart must ask the same engine.
                room.loop.ask(lambda: self._choose_engine(key, cluster.guid, engine.name))
                if isinstance(engine, AsksAhead):
                    engine.ask_for(cluster.guid, ids, wish)
                for node in ids:
                    places.append(engine.place_node(cluster.guid, node, wish))  # noqa: PERF401 - kept on errors
            except LoopClosed:
                raise
            except Exception as error:  # noqa: BLE001 - handed over, with what is placed already
                return places, error
            return places, None

        room.workers.begin(("place", cluster.guid), work, lambda outcome: self._placed(key, fresh, outcome))

    def _choose_engine(self, key: str, guid: str, engine: str) -> None:
        record = self._room.records.clusters.get(key)
        if record is not None and record.cluster.guid == guid and record.cluster.engine != engine:
            self._room.records.save_cluster(record.but(engine=engine))

    def _placed(self, key: str, fresh: bool, outcome: Outcome[Placed]) -> None:  # noqa: FBT001
        places, error = ([], outcome) if isinstance(outcome, Exception) else outcome
        records = self._room.records
        record = records.clusters[key]
        nodes = [Node(place.node, NodeState.PREPARING, place.address) for place in places]
        # What failed here left nothing. What an earlier emulator began may be on the engine: keep its name.
        placed = {place.node for place in places}
        asked = isinstance(error, EngineUnavailable) and error.asked
        maybe = () if fresh and not asked else tuple(node for node in record.placing if node not in placed)
        record = record.but(placing=maybe, errors=())
        self._fresh.discard(record.cluster.guid)
        self._starved.discard(key)
        if error is not None:
            problem = problem_of(error, f"placing nodes of cluster {key}")
            record = record.but(errors=(problem,))
            if problem.code == GPUS_TAKEN:
                self._starved.add(key)
        missing = self._missing(record) - len(nodes)
        leaving = records.nodes[key].count(NodeState.LEAVING)
        if (error is not None and missing > 0) or missing == leaving == 0:
            record = self._settled(record)
        with records.transaction():
            records.save_cluster(record)
            records.save_nodes(key, nodes)
        again = error is not None and (isinstance(error, EngineUnavailable) or bool(shortage(error)))
        if again and key not in self._retrying:
            self._retrying.add(key)
            self._room.loop.later(lambda: self._retry_after_silence(key))
        self._room.settle(key)

    def _retry_after_silence(self, key: str) -> None:
        self._retrying.discard(key)
        self.retry(key)

    def _shrink(self, record: ClusterRecord, surplus: int) -> None:
        """Choose the nodes that leave: useless ones first, those with jobs last, the newest before others.

        Jobs on them: ``requeue`` (default) puts them back in the queue, ``terminate`` ends them,
        ``waitforjobcompletion`` keeps the node until its job ended (SDK 2.0.0 documentation).
        """
        room = self._room
        option = deallocation_option(record)
        nodes = room.records.nodes[record.cluster.key.id]
        newest_first = [node for node in reversed(nodes.all) if node.state in _LEAVING_ORDER]
        order = sorted(newest_first, key=lambda node: _LEAVING_ORDER.index(node.state))
        leaving = [node for node in order[:surplus] if node.state is not NodeState.RUNNING or option != WAITS]
        if not leaving:
            return
        ending = Ending.DEALLOCATED if option == "terminate" else Ending.REQUEUED
        jobs = sorted({node.job for node in leaving if node.job})
        with room.records.transaction():
            room.move_nodes(record.cluster.key.id, {node.id: NodeEvent.LEAVE for node in leaving})
            for job in jobs:
                room.records.save_job(ask_to_end(room.records.jobs[job], ending, room.clock.now()))
        for job in jobs:
            room.look(job)

    def preempt(self, record: ClusterRecord, wanted: str) -> str:
        """Take a low-priority node away at once, as the service could at any moment; gives its id.

        Its job goes back to the queue, and the cluster gets another node in its place. ``wanted``: the id of
        the node; empty: the oldest that runs a job, or else the oldest.

        Raises:
            NothingToTake: says why.
        """
        room, key = self._room, record.cluster.key.id
        if record.cluster.definition.get("vmPriority") != "lowpriority":
            raise NothingToTake(f"the cluster {record.cluster.key.name} is not of low priority")
        nodes = room.records.nodes[key]
        lines = [nodes.line(state).firsts(1) for state in reversed(_LEAVING_ORDER)]
        found = wanted or next((line[0] for line in lines if line), "")
        if found not in nodes or nodes[found].state is NodeState.LEAVING:
            named = f" {wanted}" if wanted else ""
            raise NothingToTake(f"the cluster {record.cluster.key.name} has no node{named} to take")
        job = nodes[found].job
        with room.records.transaction():
            room.move_nodes(key, {found: NodeEvent.LEAVE})
            room.records.save_cluster(self.resize(record))
            if job:
                room.records.save_job(ask_to_end(room.records.jobs[job], Ending.REQUEUED, room.clock.now()))
        room.settle(key)
        if job:
            room.look(job)
        return found

    def _take_away(self, record: ClusterRecord) -> None:
        """Give back leaving nodes on which nothing of a job is left."""
        records, key = self._room.records, record.cluster.key.id
        for id_ in list(records.nodes[key].line(NodeState.LEAVING)):
            if records.nodes[key][id_].job or records.queue(key).held(id_) or id_ in self._resting:
                continue
            if self._preparation.ends(record.cluster, id_):
                self._remove(record, id_)

    def _remove(self, record: ClusterRecord, node: str) -> None:
        room, cluster = self._room, record.cluster
        set_up = "setupTask" in cluster.definition.get("nodeSetup", {})

        def work() -> None:
            if not cluster.engine:
                return
            engine = room.engines(cluster.engine)
            if set_up:
                forget_setup(engine, engine.place_node(cluster.guid, node))
            engine.remove_node(cluster.guid, node)

        room.workers.begin(
            ("remove", cluster.guid, node), work, lambda outcome: self._removed(cluster.key.id, node, outcome)
        )

    def _removed(self, key: str, node: str, outcome: Outcome[None]) -> None:
        room = self._room
        record = room.records.clusters[key]
        if isinstance(outcome, Exception):
            self._resting.add(node)
            self._stuck[node] = problem_of(outcome, f"giving back node {node}")
            room.records.save_cluster(record.but(errors=(self._stuck[node],)))
            room.loop.later(lambda: self._try_again(key, node))
            return
        with room.records.transaction():
            room.records.remove_node(key, node)
            solved = self._stuck.pop(node, None)
            if solved is not None:
                errors = tuple(problem for problem in record.cluster.errors if problem != solved)
                room.records.save_cluster(record.but(errors=errors))
        if not room.records.nodes[key].count(NodeState.LEAVING):
            room.settle(key)
        for starved in sorted(self._starved):  # the node may have had what they wait for
            room.loop.later(partial(self.retry, starved))
        self._starved.clear()

    def _try_again(self, key: str, node: str) -> None:
        self._resting.discard(node)
        self._room.settle(key)

    def _dissolve(self, record: ClusterRecord) -> None:
        """Take a cluster that is being deleted one step further."""
        room, key = self._room, record.cluster.key
        self._scaling.forget(record.cluster.guid)
        if room.workers.busy(("place", record.cluster.guid)):
            return  # its end comes back here
        if record.placing:
            record = self._give_up(record)
        nodes = room.records.nodes[key.id]
        staying = [node.id for node in nodes.all if node.state is not NodeState.LEAVING]
        room.move_nodes(key.id, dict.fromkeys(staying, NodeEvent.LEAVE))
        self._take_away(record)
        if not nodes and room.records.queue(key.id).empty:
            room.records.remove_cluster(key)
            self._preparation.forget(record.cluster)

    def usable(self, record: ClusterRecord) -> int:
        """Tell how many usable nodes the cluster has, or may have by itself, at its present target."""
        limits = bounds(record.cluster.definition)
        lost = self._room.records.nodes[record.cluster.key.id].count(NodeState.UNUSABLE)
        return max(0, (record.target if limits is None else limits[1]) - lost)
