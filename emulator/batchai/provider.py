"""The resource provider Microsoft.BatchAI: hands a request to the handler of its resource type."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from batchai_scenario.emulator.arm.asked import check_conditions
from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.arm.regions import BATCH_AI_REGIONS
from batchai_scenario.emulator.batchai.answers import not_found
from batchai_scenario.emulator.batchai.catalogue import operations as list_operations
from batchai_scenario.emulator.batchai.clusters import Clusters
from batchai_scenario.emulator.batchai.fileservers import FileServers
from batchai_scenario.emulator.batchai.flat import KINDS, Flat
from batchai_scenario.emulator.batchai.jobs import Jobs
from batchai_scenario.emulator.batchai.tree import NAMESPACE, Tree
from batchai_scenario.emulator.batchai.usages import usages
from batchai_scenario.emulator.batchai.versions.registry import delivered, version_of
from batchai_scenario.emulator.batchai.workspaces import Experiments, Workspaces
from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.arm.operations import Operations
    from batchai_scenario.emulator.batchai.clusters import Admission
    from batchai_scenario.emulator.batchai.mountcommands import MountRefusal
    from batchai_scenario.emulator.batchai.ports import OutputFiles
    from batchai_scenario.emulator.cluster.ports import ClusterService
    from batchai_scenario.emulator.cluster.servers import ServerDisks
    from batchai_scenario.emulator.launch.plan import GpuMode
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.store import Store

_ALL = tuple(delivered())
_NESTED = tuple(name for name, version in delivered().items() if not version.FLAT)
_FLAT = tuple(name for name, version in delivered().items() if version.FLAT)
_WITH_USAGES = tuple(name for name, version in delivered().items() if version.QUOTAS)


class BatchAIProvider:
    """Answers for workspaces, experiments, clusters, jobs, file servers, usages, operations."""

    namespace = NAMESPACE
    regions: Mapping[str, str] = BATCH_AI_REGIONS
    resource_types: Mapping[str, tuple[str, ...]] = {
        "workspaces": _NESTED,
        "workspaces/clusters": _NESTED,
        "workspaces/fileservers": _NESTED,
        "workspaces/experiments": _NESTED,
        "workspaces/experiments/jobs": _NESTED,
        "clusters": _FLAT,
        "jobs": _FLAT,
        "fileservers": _FLAT,
        "operations": _ALL,
        "locations": _ALL,
        "locations/operationresults": _ALL,
        "locations/operationstatuses": _ALL,
        "locations/usages": _WITH_USAGES,
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
        refusal: Admission = lambda *_: None,
        mount_refusal: MountRefusal = lambda *_: "",
        gpus: GpuMode = "auto",
        servers: ServerDisks | None = None,
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
            refusal: says which property an engine (by name) cannot fulfil, and why.
            mount_refusal: says why an engine cannot mount what a ``mountCommand`` mounts.
            gpus: what a cluster whose creator did not choose gets.
            servers: the disks of file servers; None: they have none.
        """
        self._clusters = clusters
        self._tree = Tree(store, clock, clusters, operations, servers)
        workspaces, experiments = Workspaces(self._tree, clock), Experiments(self._tree, clock)
        file_servers = FileServers(self._tree, operations, clock)
        self._handlers: dict[str, Callable[[ArmRequest], ArmResponse]] = {}
        flat = Flat(
            self._tree,
            clusters,
            self._handlers,
            servers=file_servers,
            workspaces=workspaces,
            experiments=experiments,
        )
        jobs = Jobs(
            self._tree,
            clusters,
            operations,
            files=files,
            clock=clock,
            find_flat=flat.find_cluster,
            mount_refusal=mount_refusal,
        )
        self._handlers |= {
            "workspaces": workspaces.handle,
            "workspaces/experiments": experiments.handle,
            "workspaces/clusters": Clusters(
                self._tree,
                clusters,
                operations,
                resolve_engine,
                refusal=refusal,
                mount_refusal=mount_refusal,
                gpus=gpus,
            ).handle,
            "workspaces/experiments/jobs": jobs.handle,
            "workspaces/fileservers": file_servers.handle,
            **dict.fromkeys(KINDS, flat.handle),
            "locations/usages": self._usages,
            "locations/operationresults": operations.poll,
            "locations/operationstatuses": operations.poll,
            "operations": lambda request: ArmResponse(200, list_operations(flat=version_of(request).FLAT)),
        }

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer a request; ServiceError is rendered by the door."""
        handler = self._handlers.get("/".join(kind for kind, _ in request.types))
        in_group = bool(request.types) and request.types[0][0] in ("workspaces", *KINDS)
        if handler is None or (bool(request.group) != in_group and not _lists(request)):
            handler = self._nothing
        _check_query(request)
        if request.method in ("GET", "HEAD"):
            return handler(request)
        with self._tree.lock:
            reading = dataclasses.replace(request, method="GET", action="", body=None, headers={})
            check_conditions(request, lambda: handler(reading))
            return handler(request)

    def delete_group(self, subscription: str, group: str) -> bool:
        """Begin to delete everything in a resource group; True when nothing is left."""
        return self._tree.delete_group(subscription, group)

    def _nothing(self, request: ArmRequest) -> ArmResponse:
        raise not_found("Resource", request.path)

    def _usages(self, request: ArmRequest) -> ArmResponse:
        return usages(request, self._tree, self._clusters)


def _lists(request: ArmRequest) -> bool:
    """Tell whether a request lists what stands in the groups of a subscription."""
    ((kind, name), *more) = request.types
    return (
        kind in ("workspaces", *KINDS) and not (name or more or request.action) and bool(request.subscription)
    )


def _is_list(request: ArmRequest) -> bool:
    return bool(request.types) and not request.types[-1][1] and not request.action


def _check_query(request: ArmRequest) -> None:
    """Refuse what a list would otherwise silently not do; ``$filter`` and ``$select`` went in 2018-05-01."""
    for name in ("$filter", "$select"):
        if name in request.query and not (version_of(request).FLAT and _is_list(request)):
            where = "here" if version_of(request).FLAT else f"in api-version {request.api_version}"
            text = f"The query parameter '{name}' is not known {where}."
            raise ServiceError(400, "InvalidQueryParameterValue", text, name)
