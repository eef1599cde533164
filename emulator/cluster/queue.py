"""One cluster's jobs: who waits, in which order, and who runs. Nothing here looks at every job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.lines import Line

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Waiting:
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
    they run, or are cleaned up, or are being deleted.
    """

    def __init__(self) -> None:
        self._lines: dict[int, Line[tuple[int, int]]] = {}
        self._waiting: dict[str, Waiting] = {}
        self._active: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._holders: dict[str, set[str]] = {}
        self._returning: dict[str, Waiting] = {}
        self._running = 0

    @property
    def empty(self) -> bool:
        """Tell whether no job is left."""
        return not self._waiting and not self._active

    @property
    def waiting(self) -> Iterable[str]:
        """The ids of the jobs that wait."""
        return self._waiting.keys()

    @property
    def active(self) -> Iterable[str]:
        """The ids of all other jobs."""
        return self._active.keys()

    def wait(self, job: Waiting) -> None:
        """Let a job wait in line."""
        if self._waiting.get(job.job) == job:
            return
        self.forget(job.job)
        self._waiting[job.job] = job
        self._lines.setdefault(job.nodes, Line()).add(job.job, job.rank)

    def aside(self, job: str) -> None:
        """Let a waiting job stand aside: it is not in line, and asks for no nodes yet."""
        if job in self._waiting:
            self._leave(self._waiting[job])

    def join(self, job: str) -> None:
        """Put a waiting job that stood aside in its line; nothing if it waits no more."""
        waiting = self._waiting.get(job)
        if waiting is not None:
            self._lines.setdefault(waiting.nodes, Line()).add(job, waiting.rank)

    def work(
        self, job: str, *, running: int = 0, held: tuple[str, ...] = (), returns: Waiting | None = None
    ) -> None:
        """Note a job that something is done with.

        ``running``: nodes that it runs on now; ``held``: nodes that the engine may hold something of it on;
        ``returns``: where it will wait once it is cleaned up. Until then nothing behind that place starts.
        """
        if self._active.get(job) == (running, held) and self._returning.get(job) == returns:
            return
        self.forget(job)
        self._active[job] = (running, held)
        if returns is not None:
            self._returning[job] = returns
        self._running += running
        for node in held:
            self._holders.setdefault(node, set()).add(job)

    def forget(self, job: str) -> None:
        """Take a job out, if it is in."""
        waiting = self._waiting.pop(job, None)
        if waiting is not None:
            self._leave(waiting)
        self._returning.pop(job, None)
        running, held = self._active.pop(job, (0, ()))
        self._running -= running
        for node in set(held):
            self._holders[node].discard(job)
            if not self._holders[node]:
                del self._holders[node]

    def _leave(self, waiting: Waiting) -> None:
        line = self._lines.get(waiting.nodes)
        if line is not None:
            line.discard(waiting.job)
            if not line:
                del self._lines[waiting.nodes]

    def first(self, capacity: int) -> Waiting | None:
        """Give the first in line of those that fit into ``capacity`` nodes; none if one returns before it."""
        heads = [head for nodes, line in self._lines.items() if nodes <= capacity and (head := line.first())]
        if not heads:
            return None
        found = self._waiting[min(heads)[1]]
        returning = (job.rank for job in self._returning.values() if job.nodes <= capacity)
        return found if all(found.rank < rank for rank in returning) else None

    def held(self, node: str) -> bool:
        """Tell whether the engine may hold something of a job on a node."""
        return node in self._holders

    def demand(self, most: int) -> int:
        """Count the nodes that jobs run on or wait for, without those that ask for more than ``most``."""
        waiting = sum(nodes * len(line) for nodes, line in self._lines.items() if nodes <= most)
        return self._running + waiting
