"""Optional powers of backends: Protocols of their own, declared in ``capabilities()``.

A backend that declares a power has its methods; one that does not need not have them. The rules are in
``backends.testing.rules`` under the letters that stand here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.backends.base import ClusterStatus, Place


class ResizesClusters(Protocol):
    """Changes the number of a cluster's nodes; declared by ``resize``.

    R. ``resize_cluster`` returns when the new target is stored; the cluster keeps its id, and its nodes come
       and go afterwards.
    """

    def resize_cluster(self, place: Place, name: str, nodes: int) -> ClusterStatus:
        """Set the target; NotFound, or InvalidSpec for a number that the backend does not have."""
        ...


class InjectsFaults(Protocol):
    """Can be told to fail as the service might; declared by ``faults``.

    F. ``faults`` gives every kind of fault by name, with a sentence.
    """

    def faults(self) -> Mapping[str, str]:
        """List the faults that it can be told to make."""
        ...
