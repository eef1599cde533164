"""The resource provider Microsoft.BatchAI: hands a request to the handler of its resource type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.arm.messages import ArmResponse
from emulator.batchai.answers import not_found, page
from emulator.batchai.catalogue import operations as list_operations
from emulator.batchai.clusters import Clusters
from emulator.batchai.jobs import Jobs
from emulator.batchai.limits import not_supported
from emulator.batchai.tree import NAMESPACE, Tree
from emulator.batchai.usages import usages
from emulator.batchai.workspaces import Experiments, Workspaces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from emulator.arm.messages import ArmRequest
    from emulator.arm.operations import Operations
    from emulator.batchai.ports import OutputFiles
    from emulator.cluster.ports import ClusterService
    from emulator.launch.plan import GpuMode
    from emulator.state.clock import Clock
    from emulator.state.store import Store

_VERSIONS = ("2018-05-01",)


class BatchAIProvider:
    """Answers for workspaces, experiments, clusters, jobs, usages, operations."""

    namespace = NAMESPACE
    resource_types: Mapping[str, tuple[str, ...]] = {
        "workspaces": _VERSIONS,
        "workspaces/clusters": _VERSIONS,
        "workspaces/fileservers": _VERSIONS,
        "workspaces/experiments": _VERSIONS,
        "workspaces/experiments/jobs": _VERSIONS,
        "operations": _VERSIONS,
        "locations": _VERSIONS,
        "locations/operationresults": _VERSIONS,
        "locations/operationstatuses": _VERSIONS,
        "locations/usages": _VERSIONS,
    }

    def __init__(
        self,
        store: Store,
        clock: Clock,
        clusters: ClusterService,
        operations: Operations,
        files: OutputFiles,
        *,
        resolve_engine: Callable[[str], str] = str,
        gpus: GpuMode = "auto",
    ) -> None:
        """Put the handlers together.

        Args:
            store: keeps workspaces and experiments.
            clock: tells when they were made.
            clusters: what clusters and jobs are done by.
            operations: keeps long-running operations.
            files: reads output directories.
            resolve_engine: turns what a caller chose (or nothing) into an engine's name that a new cluster
                keeps; EngineUnavailable if the machine lacks it.
            gpus: what a cluster whose creator did not choose gets.
        """
        self._clusters = clusters
        self._tree = Tree(store, clock, clusters, operations)
        self._handlers: dict[str, Callable[[ArmRequest], ArmResponse]] = {
            "workspaces": Workspaces(self._tree, clock).handle,
            "workspaces/experiments": Experiments(self._tree, clock).handle,
            "workspaces/clusters": Clusters(self._tree, clusters, operations, resolve_engine, gpus).handle,
            "workspaces/experiments/jobs": Jobs(self._tree, clusters, operations, files, clock).handle,
            "workspaces/fileservers": self._file_servers,
            "locations/usages": self._usages,
            "locations/operationresults": operations.poll,
            "locations/operationstatuses": operations.poll,
            "operations": lambda _: ArmResponse(200, list_operations()),
        }

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer a request; ServiceError is rendered by the door."""
        handler = self._handlers.get("/".join(kind for kind, _ in request.types))
        if handler is None or bool(request.group) != (request.types[0][0] == "workspaces"):
            handler = self._workspaces_of_subscription if _lists_workspaces(request) else self._nothing
        if request.method in ("GET", "HEAD"):
            return handler(request)
        with self._tree.lock:
            return handler(request)

    def delete_group(self, subscription: str, group: str) -> bool:
        """Begin to delete everything in a resource group; True when nothing is left."""
        return self._tree.delete_group(subscription, group)

    def _workspaces_of_subscription(self, request: ArmRequest) -> ArmResponse:
        return self._handlers["workspaces"](request)

    def _nothing(self, request: ArmRequest) -> ArmResponse:
        raise not_found("Resource", request.path)

    def _usages(self, request: ArmRequest) -> ArmResponse:
        return usages(request, self._tree, self._clusters)

    def _file_servers(self, request: ArmRequest) -> ArmResponse:
        """Refuse file servers by name: there are none yet."""
        self._tree.workspace(request)
        name = request.types[1][1]
        if request.method == "PUT":
            raise not_supported("fileServers", "mount an Azure file share (azureFileShares)")
        if request.method == "DELETE":
            return ArmResponse(204)
        if name:
            raise not_found("FileServer", name)
        return page(request, [])


def _lists_workspaces(request: ArmRequest) -> bool:
    return request.types == (("workspaces", ""),) and not request.action and bool(request.subscription)
