"""Nodes that somebody else takes away: they leave their cluster, and their jobs go where it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.endings import ask_to_end
from batchai_scenario.emulator.cluster.model import NodeState, ProvisioningState
from batchai_scenario.emulator.cluster.records import Ending
from batchai_scenario.emulator.cluster.transitions import NodeEvent
from batchai_scenario.emulator.engines.base import LosesNodes, Lost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchai_scenario.emulator.cluster.loop import Outcome
    from batchai_scenario.emulator.cluster.records import ClusterRecord
    from batchai_scenario.emulator.cluster.room import Room

WAITS = "waitforjobcompletion"


class LostNodes:
    """Hears of nodes that an engine has no more, and asks it for them. Everything is for the loop's thread.

    Args:
        room: what the parts of the cluster room share.
        resize: gives the record of a cluster that is about to get other nodes.
    """

    def __init__(self, room: Room, resize: Callable[[ClusterRecord], ClusterRecord]) -> None:
        self._room = room
        self._resize = resize
        self._watched: set[str] = set()
        self._wanted: dict[str, tuple[str, ...]] = {}

    def lose(self, key: str, lost: Lost) -> None:
        """Let nodes leave that somebody else took away, or wants; the cluster gets others in their place.

        Their jobs go where the cluster's ``nodeDeallocationOption`` says, as when it shrinks; those of nodes
        that failed have failed, which is heard of them.
        """
        self.let_leave(key, lost.taken)
        self.let_leave(key, lost.failed, with_jobs=False)
        self._wanted[key] = lost.wanted
        self._give_back(key)

    def _give_back(self, key: str) -> None:
        """Let nodes leave that somebody wants, but not before their jobs ended where the cluster says so."""
        record = self._room.records.clusters.get(key)
        if record is None or not self._wanted.get(key):
            self._wanted.pop(key, None)
            return
        there = self._room.records.nodes[key]
        wanted = [id_ for id_ in self._wanted[key] if id_ in there]
        if deallocation_option(record) == WAITS:
            wanted = [id_ for id_ in wanted if not there[id_].job]
        self.let_leave(key, wanted)

    def let_leave(self, key: str, nodes: Sequence[str], *, with_jobs: bool = True) -> None:
        """Let some nodes of a cluster (by id) leave now, with or without asking their jobs to end."""
        room = self._room
        record = room.records.clusters.get(key)
        if record is None:
            return
        there = room.records.nodes[key]
        lost = [id_ for id_ in nodes if id_ in there and there[id_].state is not NodeState.LEAVING]
        ending = Ending.DEALLOCATED if deallocation_option(record) == "terminate" else Ending.REQUEUED
        on_them = {there[id_].job for id_ in nodes if id_ in there and there[id_].job} if with_jobs else set()
        jobs = [job for job in sorted(on_them) if room.records.jobs[job].ending is Ending.NONE]
        if not lost and not jobs:
            return
        deleting = record.cluster.provisioning_state is ProvisioningState.DELETING
        with room.records.transaction():
            room.move_nodes(key, dict.fromkeys(lost, NodeEvent.LEAVE))
            if lost and not deleting:
                room.records.save_cluster(self._resize(record))
            for job in jobs:
                room.records.save_job(ask_to_end(room.records.jobs[job], ending, room.clock.now()))
        room.settle(key)
        for job in jobs:
            room.look(job)

    def watch(self, record: ClusterRecord) -> None:
        """Ask an engine whose nodes may be taken away whether they were, from time to time."""
        room, key, guid = self._room, record.cluster.key.id, record.cluster.guid
        self._give_back(key)
        if guid in self._watched or not record.cluster.engine or not room.records.nodes[key]:
            return
        self._watched.add(guid)

        def work() -> Lost | None:
            engine = room.engines(record.cluster.engine)
            return engine.lost_nodes(guid) if isinstance(engine, LosesNodes) else None

        def looked(outcome: Outcome[Lost | None]) -> None:
            if outcome is None:
                return  # its nodes stay: it is asked no more
            if not isinstance(outcome, Exception):
                self.lose(key, outcome)
            room.loop.later(again)

        def again() -> None:
            self._watched.discard(guid)
            found = room.records.clusters.get(key)
            if found is not None and found.cluster.guid == guid:
                self.watch(found)

        room.workers.begin(("watch", guid), work, looked)


def deallocation_option(record: ClusterRecord) -> str:
    """Say what becomes of jobs whose node leaves: a cluster that scales by itself waits for them."""
    scale = record.cluster.definition["scaleSettings"]
    return WAITS if "autoScale" in scale else str(scale["manual"].get("nodeDeallocationOption", "requeue"))
