"""One cluster's jobs: who waits, in which order, and who runs. Nothing here looks at every job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.lines import Line

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A queued job: its id, how many nodes it needs, its priority (the higher goes first), and its age.

    ``age`` grows from job to job in the order of their creation.
    """

    job: str
    nodes: int
    priority: int = 0
    age: int = 0

    @property
    def rank(self) -> tuple[int, int]:
        """Where it stands in line: the lower, the earlier."""
        return -self.priority, self.age


class Queue:
    """The jobs of a cluster with which something is still to be done.

    Those that wait stand in one line for each number of nodes that is asked for, so that what cannot run
    at the cluster's present size is passed over without being looked at. All other jobs are ``active``:
    they run, or are cleaned up, or are being deleted. One that goes back to the queue stands in its line
    while it is active still, and keeps its place there.
    """

    def __init__(self) -> None:
        self._lines: dict[int, Line[tuple[int, int]]] = {}
        self._places: dict[str, QueuedJob] = {}
        self._active: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._holders: dict[str, set[str]] = {}
        self._running = 0

    def __len__(self) -> int:
        return len(self._places.keys() | self._active.keys())

    @property
    def empty(self) -> bool:
        """Tell whether no job is left."""
        return not self._places and not self._active

    @property
    def waiting(self) -> Iterable[str]:
        """The ids of the jobs that wait."""
        return self._places.keys() - self._active.keys()

    @property
    def active(self) -> Iterable[str]:
        """The ids of all other jobs."""
        return self._active.keys()

    def wait(self, job: QueuedJob) -> None:
        """Let a job wait in line."""
        if self._places.get(job.job) == job and job.job not in self._active:
            return
        self.forget(job.job)
        self._line_up(job)

    def aside(self, job: str) -> None:
        """Let a waiting job stand aside: it is not in line, and asks for no nodes yet."""
        if job in self._places:
            self._leave(self._places[job])

    def join(self, job: str) -> None:
        """Put a waiting job that stood aside in its line; nothing if it waits no more."""
        place = self._places.get(job)
        if place is not None:
            self._line_up(place)

    def work(
        self, job: str, *, running: int = 0, held: tuple[str, ...] = (), returns: QueuedJob | None = None
    ) -> None:
        """Note a job that something is done with.

        ``running``: nodes that it runs on and does not ask for again; ``held``: nodes that the engine may
        hold something of it on; ``returns``: its place in line, once it is cleaned up. Nothing behind it
        starts before it.
        """
        if self._active.get(job) == (running, held) and self._places.get(job) == returns:
            return
        self.forget(job)
        self._active[job] = (running, held)
        if returns is not None:
            self._line_up(returns)
        self._running += running
        for node in held:
            self._holders.setdefault(node, set()).add(job)

    def forget(self, job: str) -> None:
        """Take a job out, if it is in."""
        place = self._places.pop(job, None)
        if place is not None:
            self._leave(place)
        running, held = self._active.pop(job, (0, ()))
        self._running -= running
        for node in set(held):
            self._holders[node].discard(job)
            if not self._holders[node]:
                del self._holders[node]

    def _line_up(self, place: QueuedJob) -> None:
        self._places[place.job] = place
        self._lines.setdefault(place.nodes, Line()).add(place.job, place.rank)

    def _leave(self, place: QueuedJob) -> None:
        line = self._lines.get(place.nodes)
        if line is not None:
            line.discard(place.job)
            if not line:
                del self._lines[place.nodes]

    def first(self, capacity: int) -> QueuedJob | None:
        """Give the first in line of those that fit into ``capacity`` nodes; None if it cannot start yet."""
        heads = [head for nodes, line in self._lines.items() if nodes <= capacity and (head := line.first())]
        first = min(heads)[1] if heads else ""
        return None if first in self._active else self._places.get(first)

    def held(self, node: str) -> bool:
        """Tell whether the engine may hold something of a job on a node."""
        return node in self._holders

    def demand(self, most: int) -> int:
        """Count the nodes that jobs run on or wait for, without those that ask for more than ``most``."""
        waiting = sum(nodes * len(line) for nodes, line in self._lines.items() if nodes <= most)
        return self._running + waiting
