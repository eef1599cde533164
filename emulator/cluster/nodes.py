"""One cluster's nodes, found by id and by state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.lines import Line
from batchai_scenario.emulator.cluster.model import NodeState

if TYPE_CHECKING:
    from batchai_scenario.emulator.cluster.model import Node


class Nodes:
    """The nodes of a cluster, oldest first."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._states: dict[NodeState, Line[int]] = {state: Line() for state in NodeState}
        self._ages: dict[str, int] = {}
        self._made = 0

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, node: str) -> bool:
        return node in self._nodes

    def __getitem__(self, node: str) -> Node:
        return self._nodes[node]

    @property
    def all(self) -> tuple[Node, ...]:
        """Every node."""
        return tuple(self._nodes.values())

    @property
    def staying(self) -> int:
        """How many are not on their way out."""
        return len(self._nodes) - self.count(NodeState.LEAVING)

    def count(self, state: NodeState) -> int:
        """Count the nodes in a state."""
        return len(self._states[state])

    def line(self, state: NodeState) -> Line[int]:
        """Give the nodes in a state, oldest first."""
        return self._states[state]

    def put(self, node: Node) -> None:
        """Add a node, or put one in another state."""
        old = self._nodes.get(node.id)
        if old is None:
            self._made += 1
            self._ages[node.id] = self._made
        else:
            self._states[old.state].discard(node.id)
        self._nodes[node.id] = node
        self._states[node.state].add(node.id, self._ages[node.id])

    def remove(self, node: str) -> None:
        """Forget a node, if it is known."""
        old = self._nodes.pop(node, None)
        if old is not None:
            self._states[old.state].discard(node)
            del self._ages[node]
