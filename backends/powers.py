"""Optional powers of backends: Protocols of their own, declared in ``capabilities()``.

A backend that declares a power has its methods; one that does not need not have them. The rules are in
``batchai_scenario.backends.testing.rules`` under the letters that stand here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchai_scenario.backends.base import ClusterStatus, Place


class ResizesClusters(Protocol):
    """Changes the number of a cluster's nodes; declared by ``resize``.

    R. ``resize_cluster`` returns when the new target is stored; the cluster keeps its id, and its nodes come
       and go afterwards.
    """

    def resize_cluster(self, place: Place, name: str, nodes: int) -> ClusterStatus:
        """Set the target; NotFound, or InvalidSpec for a number that the backend does not have."""
        ...


class ReadiesMachine(Protocol):
    """Runs jobs on this machine, and gets what they need before anything is made; declared by ``readies``.

    M. ``lacks`` makes and fetches nothing. ``ready`` returns when every job can start; afterwards ``lacks``
       gives nothing. Neither makes anything in a place, on a share or of a cluster.
    """

    def lacks(self, jobs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        """Say in words what has to be got first: ``CNTK 2.7 and Python 2.7 (129 MB)``; empty: nothing.

        ``jobs``: ``properties`` of jobs, as in ``JobSpec``. What is wrong with them is said by ``submit``.

        Raises:
            MachineError: this machine cannot run them; the remedy says what would help.
        """
        ...

    def ready(
        self,
        jobs: Sequence[Mapping[str, Any]],
        tell: Callable[[str], None],
        progress: Callable[[str, int, int], None],
    ) -> None:
        """Get what the jobs need; what ``tell`` (lines) or ``progress`` (what, done, total) raises ends it.

        Raises:
            MachineError: it cannot be had; says from where it was tried.
        """
        ...


class InjectsFaults(Protocol):
    """Can be told to fail as the service might; declared by ``faults``.

    F. ``faults`` gives every kind of fault by name, with a sentence.
    """

    def faults(self) -> Mapping[str, str]:
        """List the faults that it can be told to make."""
        ...
