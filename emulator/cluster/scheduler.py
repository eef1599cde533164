"""The scheduler: a pure function from queued jobs and idle nodes to what starts where.

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
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued job: its id, how many nodes it needs, and its priority: the higher goes first."""

    job: str
    nodes: int
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job that starts now, and its nodes; the first is the master."""

    job: str
    nodes: tuple[str, ...]


def schedule(queue: Sequence[Waiting], idle: Sequence[str], capacity: int) -> list[Assignment]:
    """Choose the jobs that start now.

    Args:
        queue: one cluster's queued jobs, oldest first.
        idle: ids of its idle nodes; taken in this order.
        capacity: how many usable nodes the cluster has at its present target.
    """
    free = list(idle)
    chosen: list[Assignment] = []
    for waiting in sorted(queue, key=lambda item: -item.priority):
        if waiting.nodes > capacity:
            continue
        if waiting.nodes > len(free):
            break
        taken, free = free[: waiting.nodes], free[waiting.nodes :]
        chosen.append(Assignment(waiting.job, tuple(taken)))
    return chosen
