"""Optional powers of backends: Protocols of their own, declared in ``capabilities()``.

A backend that declares a power has its methods; one that does not need not have them. The rules are in
``batchai_scenario.backends.testing.rules`` under the letters that stand here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchai_scenario.backends.base import ClusterStatus, Place


@dataclass(frozen=True, slots=True)
class FileServerStatus:
    """A file server as it stands: its id, which ``mountVolumes`` name, and its provisioning state."""

    id: str
    state: str


@dataclass(frozen=True, slots=True)
class NodeLogin:
    """Where to log in to a node: its id, an address and a port."""

    node: str
    address: str
    port: int


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


class KeepsFileServers(Protocol):
    """Has file servers, whose disks clusters and jobs mount; declared by ``file_servers``.

    V. A file server's disk outlives the clusters that mount it, and goes with the server or its place.
       Creating one that exists keeps it; deleting one that does not exist is no error.
    """

    def create_file_server(self, place: Place, name: str, properties: Mapping[str, Any]) -> FileServerStatus:
        """Create a file server (2018-05-01 JSON) and return when it can be mounted; InvalidSpec."""
        ...

    def get_file_server(self, place: Place, name: str) -> FileServerStatus:
        """Read a file server; NotFound."""
        ...

    def delete_file_server(self, place: Place, name: str) -> None:
        """Delete a file server and its disk, and return when it is gone."""
        ...


class TellsLogins(Protocol):
    """Says where one logs in to nodes; declared by ``remote_login``.

    L. ``remote_logins`` gives one for each node that a cluster has; no two share address and port.
    """

    def remote_logins(self, place: Place, cluster: str) -> list[NodeLogin]:
        """List the logins of a cluster's nodes; NotFound."""
        ...


class PreemptsNodes(Protocol):
    """Can take a node of low priority away, as a cloud may at any moment; declared by ``preempts``.

    P. The job that ran there waits again, runs again on other nodes, and ends as if nothing had been.
    """

    def preempt_node(self, place: Place, cluster: str) -> str:
        """Take a node away, one that runs a job if there is one; gives its id.

        Raises:
            UserError: the cluster has no node of low priority.
        """
        ...
