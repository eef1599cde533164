"""Nodes that somebody else takes away: they leave their cluster, and their jobs go where it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.endings import ask_to_end
from batchai_scenario.emulator.cluster.model import NodeState, ProvisioningState
from batchai_scenario.emulator.cluster.records import Ending
from batchai_scenario.emulator.cluster.transitions import NodeEvent
from batchai_scenario.emulator.engines.base import LosesNodes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchai_scenario.emulator.cluster.loop import Outcome
    from batchai_scenario.emulator.cluster.records import ClusterRecord
    from batchai_scenario.emulator.cluster.room import Room


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

    def lose(self, key: str, nodes: Sequence[str]) -> None:
        """Let nodes leave that somebody else took away; the cluster gets others in their place.

        Their jobs go where the cluster's ``nodeDeallocationOption`` says, as when it shrinks.
        """
        room = self._room
        record = room.records.clusters.get(key)
        if record is None:
            return
        there = room.records.nodes[key]
        lost = [id_ for id_ in nodes if id_ in there and there[id_].state is not NodeState.LEAVING]
        if not lost:
            return
        manual = record.cluster.definition["scaleSettings"].get("manual") or {}
        option = manual.get("nodeDeallocationOption", "requeue")
        ending = Ending.DEALLOCATED if option == "terminate" else Ending.REQUEUED
        jobs = sorted({there[id_].job for id_ in lost if there[id_].job})
        deleting = record.cluster.provisioning_state is ProvisioningState.DELETING
        with room.records.transaction():
            room.move_nodes(key, dict.fromkeys(lost, NodeEvent.LEAVE))
            if not deleting:
                room.records.save_cluster(self._resize(record))
            for job in jobs:
                room.records.save_job(ask_to_end(room.records.jobs[job], ending, room.clock.now()))
        room.settle(key)
        for job in jobs:
            room.look(job)

    def watch(self, record: ClusterRecord) -> None:
        """Ask an engine whose nodes may be taken away whether they were, from time to time."""
        room, key, guid = self._room, record.cluster.key.id, record.cluster.guid
        if guid in self._watched or not record.cluster.engine or not room.records.nodes[key]:
            return
        self._watched.add(guid)

        def work() -> list[str] | None:
            engine = room.engines(record.cluster.engine)
            return engine.lost_nodes(guid) if isinstance(engine, LosesNodes) else None

        def looked(outcome: Outcome[list[str] | None]) -> None:
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
