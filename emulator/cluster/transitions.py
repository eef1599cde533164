"""State machines as data: which event moves what from where to where; nothing else moves anything."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

from batchai_scenario.emulator.cluster.model import AllocationState, ExecutionState, NodeState

if TYPE_CHECKING:
    from collections.abc import Mapping

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)


class ForbiddenTransition(Exception):
    """An event came that the state does not know: a bug of ours, never the caller's."""

    def __init__(self, machine: str, state: Enum, event: Enum) -> None:
        super().__init__(f"{machine}: {event.value!r} cannot happen in state {state.value!r}")
        self.machine = machine
        self.state = state
        self.event = event


class Machine(Generic[S, E]):
    """A table of allowed transitions."""

    def __init__(self, name: str, table: Mapping[tuple[S, E], S]) -> None:
        self.name = name
        self.table = table

    def move(self, state: S, event: E) -> S:
        """Give the state after the event.

        Raises:
            ForbiddenTransition: the table has no such transition.
        """
        try:
            return self.table[state, event]
        except KeyError:
            raise ForbiddenTransition(self.name, state, event) from None


class AllocationEvent(str, Enum):
    """What happens to a cluster's size."""

    RESIZE = "resize"
    """The target differs from the number of nodes, or a failed allocation is tried again."""
    SETTLE = "settle"
    """The nodes are there (or cannot be had, which stands in the cluster's errors)."""


class NodeEvent(str, Enum):
    """What happens to a node. It appears as ``preparing`` and vanishes after ``leaving``."""

    PREPARED = "prepared"
    """The cluster's mounts were checked."""
    UNPREPARED = "unprepared"
    """A mount failed; the reason stands in the cluster's errors."""
    ASSIGN = "assign"
    """A job was given the node."""
    RELEASE = "release"
    """The job ended, or was put back in the queue."""
    LEAVE = "leave"
    """The cluster shrinks or is deleted."""


class JobEvent(str, Enum):
    """What happens to a job."""

    PICK = "pick"
    """The scheduler found nodes for it."""
    SUCCEED = "succeed"
    """Its command ended with 0."""
    FAIL = "fail"
    """Anything else ended it."""
    TERMINATE = "terminate"
    """The user asked to end it, or to delete it, while it runs."""
    REQUEUE = "requeue"
    """Its node leaves and the cluster's nodeDeallocationOption says requeue."""


ALLOCATION: Machine[AllocationState, AllocationEvent] = Machine(
    "cluster allocation",
    {
        (AllocationState.STEADY, AllocationEvent.RESIZE): AllocationState.RESIZING,
        (AllocationState.RESIZING, AllocationEvent.RESIZE): AllocationState.RESIZING,
        (AllocationState.RESIZING, AllocationEvent.SETTLE): AllocationState.STEADY,
    },
)

NODE: Machine[NodeState, NodeEvent] = Machine(
    "node",
    {
        (NodeState.PREPARING, NodeEvent.PREPARED): NodeState.IDLE,
        (NodeState.PREPARING, NodeEvent.UNPREPARED): NodeState.UNUSABLE,
        (NodeState.IDLE, NodeEvent.ASSIGN): NodeState.RUNNING,
        (NodeState.RUNNING, NodeEvent.RELEASE): NodeState.IDLE,
        (NodeState.LEAVING, NodeEvent.RELEASE): NodeState.LEAVING,
        (NodeState.PREPARING, NodeEvent.LEAVE): NodeState.LEAVING,
        (NodeState.IDLE, NodeEvent.LEAVE): NodeState.LEAVING,
        (NodeState.RUNNING, NodeEvent.LEAVE): NodeState.LEAVING,
        (NodeState.UNUSABLE, NodeEvent.LEAVE): NodeState.LEAVING,
    },
)

JOB: Machine[ExecutionState, JobEvent] = Machine(
    "job execution",
    {
        (ExecutionState.QUEUED, JobEvent.PICK): ExecutionState.RUNNING,
        (ExecutionState.QUEUED, JobEvent.FAIL): ExecutionState.FAILED,
        (ExecutionState.RUNNING, JobEvent.SUCCEED): ExecutionState.SUCCEEDED,
        (ExecutionState.RUNNING, JobEvent.FAIL): ExecutionState.FAILED,
        (ExecutionState.RUNNING, JobEvent.TERMINATE): ExecutionState.TERMINATING,
        (ExecutionState.TERMINATING, JobEvent.FAIL): ExecutionState.FAILED,
        # The one step back, and the service's own: a job whose node is taken away waits for another.
        (ExecutionState.RUNNING, JobEvent.REQUEUE): ExecutionState.QUEUED,
    },
)
