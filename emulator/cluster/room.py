"""What the parts of the cluster room share, and the small things that they all ask."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.model import NodeState
from batchai_scenario.emulator.cluster.transitions import NODE
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.emulator.cluster.loop import Loop, Workers
    from batchai_scenario.emulator.cluster.model import Cluster, Node
    from batchai_scenario.emulator.cluster.ports import FileShares
    from batchai_scenario.emulator.cluster.records import JobRecord, Records
    from batchai_scenario.emulator.cluster.transitions import NodeEvent
    from batchai_scenario.emulator.engines.base import Engine
    from batchai_scenario.emulator.state.clock import Clock

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Room:
    """The world of the cluster room. ``settle`` looks at a cluster (by id) and does what is due."""

    records: Records
    clock: Clock
    loop: Loop
    workers: Workers
    engines: Callable[[str], Engine]
    shares: FileShares
    settle: Callable[[str], None]

    def jobs_of(self, cluster: str) -> list[JobRecord]:
        """List the live jobs of a cluster (by id), oldest first."""
        return [record for record in self.records.jobs.values() if record.job.cluster.lower() == cluster]


def target_of(cluster: Cluster) -> int:
    """Tell how many nodes the cluster should have; 0 without a target (SDK 2.0.0: default 0)."""
    manual = cluster.definition.get("scaleSettings", {}).get("manual", {})
    return int(manual.get("targetNodeCount", 0))


def staying(cluster: Cluster) -> int:
    """Count the nodes that are not on their way out."""
    return sum(node.state is not NodeState.LEAVING for node in cluster.nodes)


def move_nodes(cluster: Cluster, moves: dict[str, NodeEvent], job: str | None = None) -> tuple[Node, ...]:
    """Give the cluster's nodes after an event for each of some; ``job``: whose they are from now on."""

    def moved(node: Node) -> Node:
        if node.id not in moves:
            return node
        state = NODE.move(node.state, moves[node.id])
        return dataclasses.replace(node, state=state, job=node.job if job is None else job)

    return tuple(moved(node) for node in cluster.nodes)


def problem_of(error: Exception) -> Problem:
    """Put an exception into the words of a cluster's or job's ``errors``; a remedy stands in the text."""
    if isinstance(error, EngineUnavailable):
        return Problem(error.problem.code, str(error), error.problem.details)
    if isinstance(error, EngineError):
        return error.problem
    # Only the type: the text of an unforeseen exception could quote a secret.
    _log.error("a bug of ours", exc_info=error)
    return Problem("InternalError", f"The emulator failed ({type(error).__name__}); its log says where.")
