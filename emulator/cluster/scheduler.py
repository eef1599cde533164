"""The scheduler: from queued jobs and idle nodes to what starts where.

Rules. Order is by priority, then by age (the service documents no order; ours). A job starts only when
all its nodes are free at once (gang scheduling: SDK 2.0.0 documentation), one job a node. The order is
strict (our decision; the service documents nothing): a job that waits for more nodes than are idle now
holds back those behind it, so that small jobs cannot starve a big one. The exception is a job that asks
for more nodes than the cluster will have at its present target: it could wait for ever, so it holds
back nobody until the cluster is made larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchai_scenario.emulator.cluster.lines import Line
    from batchai_scenario.emulator.cluster.queue import Queue


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job that starts now, and its nodes; the first is the master."""

    job: str
    nodes: tuple[str, ...]


def next_start(queue: Queue, idle: Line[int], capacity: int) -> Assignment | None:
    """Choose the job that starts now, or none. Neither the queue nor the nodes are changed.

    Args:
        queue: one cluster's jobs.
        idle: ids of its idle nodes; the oldest are taken first.
        capacity: how many usable nodes the cluster has, or may have, at its present target.
    """
    waiting = queue.first(capacity)
    if waiting is None or waiting.nodes > len(idle):
        return None
    return Assignment(waiting.job, tuple(idle.firsts(waiting.nodes)))
