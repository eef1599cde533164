"""``autoScale``: how many nodes a cluster wants by itself, and when.

Known (documentation, recorded traffic): the size follows what queued and running jobs ask for, within the
bounds; with a minimum of 0 it returned to 0 after the last job; no idle time could be set; how often it was
evaluated is not known. Our decisions: a cluster grows as soon as a job needs more nodes; it gives up nodes
that nothing has needed for ``PATIENCE``, counted from when they were ready, so that a client that waits some
seconds sees it. Jobs that ask for more nodes than the maximum do not count. ``initialNodeCount`` is what a
new cluster begins with. Nodes with jobs on them are never taken, not even if the maximum is lowered: they
leave when their jobs have ended.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.cluster.model import AllocationState, NodeState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.cluster.loop import Timer
    from batchai_scenario.emulator.cluster.records import ClusterRecord
    from batchai_scenario.emulator.cluster.room import Room

PATIENCE = timedelta(seconds=3)
"""How long nodes are kept that nothing needs."""


def bounds(definition: Mapping[str, Any]) -> tuple[int, int] | None:
    """Give (minimum, maximum) of a cluster that scales by itself; None for one that does not."""
    scale = definition.get("scaleSettings", {}).get("autoScale")
    return None if scale is None else (int(scale["minimumNodeCount"]), int(scale["maximumNodeCount"]))


def first_size(definition: Mapping[str, Any], nodes: int | None = None) -> int:
    """Tell with how many nodes automatic scaling begins.

    ``nodes``: what an existing cluster has; a new one begins with its ``initialNodeCount``.
    """
    limits = bounds(definition)
    if limits is None:
        return 0
    start = int(definition["scaleSettings"]["autoScale"].get("initialNodeCount", 0))
    return min(max(start if nodes is None else nodes, limits[0]), limits[1])


class AutoScaler:
    """Decides how many nodes clusters want. On the loop's thread."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._timers: dict[str, Timer] = {}
        self._over: set[str] = set()

    def evaluate(self, record: ClusterRecord) -> int:
        """Tell how many nodes a cluster wants now; if it may want fewer soon, it is settled then."""
        guid, key = record.cluster.guid, record.cluster.key.id
        limits = bounds(record.cluster.definition)
        if limits is None:
            self.forget(guid)
            return 0
        minimum, maximum = limits
        need = min(max(self._room.records.queue(key).demand(maximum), minimum), maximum)
        present = min(max(record.wanted, minimum), maximum)
        if need >= present:
            self.forget(guid)
            return need
        if guid in self._over:
            self.forget(guid)
            return need
        ready = record.cluster.allocation_state is AllocationState.STEADY
        if ready and not self._room.records.nodes[key].count(NodeState.PREPARING):
            self._wait(guid, key)
        return present

    def _wait(self, guid: str, key: str) -> None:
        if guid in self._timers:
            return

        def over() -> None:
            self._over.add(guid)
            self._room.settle(key)

        self._timers[guid] = self._room.loop.at(self._room.clock.now() + PATIENCE, over)

    def forget(self, guid: str) -> None:
        """Wait no longer for a cluster (by guid)."""
        self._over.discard(guid)
        timer = self._timers.pop(guid, None)
        if timer is not None:
            self._room.loop.cancel(timer)
