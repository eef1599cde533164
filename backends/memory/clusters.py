"""The model's clusters, their nodes, and its file servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.base import BatchAIError, ClusterStatus
from batchai_scenario.backends.bodies import check_name
from batchai_scenario.backends.errors import InvalidSpec, NotFound, NotSupported
from batchai_scenario.backends.memory.reading import disk_of, given_variables, mounted_shares, read_body
from batchai_scenario.backends.memory.shares import MemoryShares
from batchai_scenario.backends.memory.world import MemoryCluster, ProgramCall
from batchai_scenario.backends.powers import FileServerStatus, NodeLogin
from batchai_scenario.schema.common import MAX_NODES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.backends.base import ClusterSpec, Place
    from batchai_scenario.backends.memory.world import Result

CLUSTER_DELETED = BatchAIError(
    "ClusterDeleted", "The cluster of the specified job was deleted before the job ended"
)
SETUP_FAILED = BatchAIError("SetupTaskFailed", "Node setup task failed with non-zero exit code")
FIRST_PORT = 50000
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


class MemoryClusters(MemoryShares):
    """What the model does with clusters and file servers; jobs are built on this."""

    _programs: dict[str, Callable[[ProgramCall], Result]]

    def _known(self, command: str, where: str) -> None:
        """Demand that a command's program was handed in."""
        if command not in self._programs:
            raise NotSupported(
                f"the memory backend has no program for {command!r}",
                field=where,
                hint="it runs only Python functions that its maker hands in; use --backend local",
            )

    def create_cluster(self, spec: ClusterSpec) -> ClusterStatus:
        """Create a cluster (B1); its nodes are there at once."""
        check_name(spec.name)
        properties = read_body("Cluster", spec.properties)
        scale = properties.get("scaleSettings", {})
        manual, automatic = scale.get("manual", {}), scale.get("autoScale")
        nodes = _node_count(int(manual.get("targetNodeCount", 0)))
        volumes = properties.get("nodeSetup", {}).get("mountVolumes", {})
        world, place = self.world, spec.place
        with world.lock:
            if workspace_of(place) not in world.workspaces:
                raise NotFound(
                    f"The specified workspace {place.workspace} is not found", "WorkspaceNotFound", 404
                )
            self._check_servers(volumes, "properties.nodeSetup")
            made = f"{path_of(place)}/clusters/{spec.name}"
            cluster = MemoryCluster(made, place, nodes, mounted_shares(volumes))
            if automatic:
                cluster.bounds = int(automatic["minimumNodeCount"]), int(automatic["maximumNodeCount"])
            cluster.low_priority = str(properties.get("vmPriority", "")).lower() == "lowpriority"
            cluster.set_up = self._setup(properties)
            world.clusters.setdefault((*workspace_of(place), spec.name), cluster)
            return self.get_cluster(place, spec.name)

    def _setup(self, properties: Mapping[str, Any]) -> Callable[[str], Result] | None:
        """Find what a cluster's nodes do before they are idle."""
        task = properties.get("nodeSetup", {}).get("setupTask")
        if not task:
            return None
        command = str(task["commandLine"])
        self._known(command, "properties.nodeSetup.setupTask.commandLine")
        environment = given_variables(task)

        def read(share: str, path: str) -> bytes:
            return self.world.shares[share][path]

        return lambda node: self._programs[command](ProgramCall("", command, environment, read, node=node))

    def get_cluster(self, place: Place, name: str) -> ClusterStatus:
        """Read a cluster; NotFound."""
        with self.world.lock:
            cluster = self._cluster(place, name)
            self.world.fit(cluster)
            busy, unusable = self.world.busy(cluster), len(cluster.unusable)
            counts = {
                "idle": max(0, len(cluster.members) - unusable - busy),
                "running": busy,
                "preparing": 0,
                "unusable": unusable,
                "leaving": 0,
            }
            errors = (SETUP_FAILED,) if unusable else ()
            return ClusterStatus(cluster.id, "steady", cluster.nodes, len(cluster.members), counts, errors)

    def _cluster(self, place: Place, name: str) -> MemoryCluster:
        cluster = self.world.clusters.get((*workspace_of(place), name))
        if cluster is None:
            raise NotFound(f"The specified cluster {name} is not found", "ClusterNotFound", 404)
        return cluster

    def resize_cluster(self, place: Place, name: str, nodes: int) -> ClusterStatus:
        """Set the number of a cluster's nodes (R); those that run a job stay until it has ended."""
        with self.world.lock:
            self._cluster(place, name).nodes = _node_count(nodes)
            return self.get_cluster(place, name)

    def delete_cluster(self, place: Place, name: str) -> None:
        """Delete a cluster; its jobs that are not final fail (B7)."""
        with self.world.lock:
            cluster = self.world.clusters.pop((*workspace_of(place), name), None)
            for job in self.world.jobs.values():
                if job.cluster is cluster:
                    self.world.terminate(job, CLUSTER_DELETED)

    def remote_logins(self, place: Place, cluster: str) -> list[NodeLogin]:
        """List the logins of a cluster's nodes (L), to which nobody can log in; NotFound."""
        with self.world.lock:
            members = self._cluster(place, cluster).members
            return [NodeLogin(node, "127.0.0.1", FIRST_PORT + at) for at, node in enumerate(members)]

    def preempt_node(self, place: Place, cluster: str) -> str:
        """Take a node of low priority away (P)."""
        with self.world.lock:
            found = self._cluster(place, cluster)
            if not found.low_priority or not found.members:
                raise InvalidSpec(f"the cluster {cluster} has no node of low priority", field="cluster")
            return self.world.preempt(found)

    # File servers ----------------------------------------------------------------------------------

    def create_file_server(self, place: Place, name: str, properties: Mapping[str, Any]) -> FileServerStatus:
        """Create a file server (V); what exists is kept."""
        check_name(name)
        read_body("FileServer", properties)
        with self.world.lock:
            made = f"{path_of(place)}/fileservers/{name}"
            server = self.world.servers.setdefault((*workspace_of(place), name), made)
            self.world.shares.setdefault(disk_of(server), {})
            return FileServerStatus(server, "succeeded")

    def get_file_server(self, place: Place, name: str) -> FileServerStatus:
        """Read a file server; NotFound."""
        with self.world.lock:
            server = self.world.servers.get((*workspace_of(place), name))
        if server is None:
            raise NotFound(f"The specified file server {name} is not found", "FileServerNotFound", 404)
        return FileServerStatus(server, "succeeded")

    def delete_file_server(self, place: Place, name: str) -> None:
        """Delete a file server and its disk (V)."""
        with self.world.lock:
            server = self.world.servers.pop((*workspace_of(place), name), None)
            if server is not None:
                self.world.shares.pop(disk_of(server), None)

    def _check_servers(self, volumes: Mapping[str, Any], owner: str) -> None:
        for number, volume in enumerate(volumes.get("fileServers", ())):
            if disk_of(str(volume["fileServer"]["id"])) not in self.world.shares:
                where = f"{owner}.mountVolumes.fileServers[{number}].fileServer.id"
                raise InvalidSpec("there is no such file server", field=where)


def _node_count(nodes: int) -> int:
    if not 0 <= nodes <= MAX_NODES:
        where = "properties.scaleSettings.manual.targetNodeCount"
        raise InvalidSpec(f"must be 0 to {MAX_NODES}", field=where)
    return nodes


def workspace_of(place: Place) -> tuple[str, str]:
    """Give a place's group and workspace."""
    return place.group, place.workspace


def path_of(place: Place) -> str:
    """Give the id of a place's workspace."""
    return (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{place.group}"
        f"/providers/Microsoft.BatchAI/workspaces/{place.workspace}"
    )
