"""Clusters over the version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.batchai.answers import (
    check_name,
    check_same,
    conflict,
    entity,
    no_method,
    not_found,
    page_of,
)
from batchai_scenario.emulator.batchai.fileservers import check_mounted_servers, subnet_of_mounts
from batchai_scenario.emulator.batchai.mountcommands import MountRefusal, check_mount_commands
from batchai_scenario.emulator.batchai.refusals import invalid_value
from batchai_scenario.emulator.batchai.tree import NAMESPACE, WORKSPACE, check_open, workspace_key
from batchai_scenario.emulator.batchai.versions.registry import version_of
from batchai_scenario.emulator.cluster.model import ClusterKey, ProvisioningState, WorkspaceKey
from batchai_scenario.emulator.errors import EngineUnavailable, ServiceError
from batchai_scenario.schema.engines import ENGINE_CHOICES
from batchai_scenario.schema.older import older_fields, with_older

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.arm.operations import Operations
    from batchai_scenario.emulator.batchai.tree import Tree
    from batchai_scenario.emulator.cluster.model import Cluster, RemoteLogin
    from batchai_scenario.emulator.cluster.ports import ClusterService
    from batchai_scenario.emulator.launch.plan import GpuMode

Admission = Callable[[str, str, int], "tuple[str, str] | None"]
"""From an engine's name, a ``vmSize`` and a number of nodes: the property that is wrong, and why."""

_GPUS = ("auto", "none", "required", "shared")


class Clusters:
    """Answers ``.../workspaces/W/clusters[/C]``."""

    def __init__(
        self,
        tree: Tree,
        clusters: ClusterService,
        operations: Operations,
        resolve_engine: Callable[[str], str],
        *,
        refusal: Admission,
        mount_refusal: MountRefusal,
        gpus: GpuMode,
    ) -> None:
        self._mount_refusal = mount_refusal
        self._tree = tree
        self._clusters = clusters
        self._operations = operations
        self._resolve_engine = resolve_engine
        self._refusal = refusal
        self._gpus = gpus
        operations.define("cluster stored", lambda _: True)
        operations.define("cluster gone", self._gone)

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer a request."""
        if request.action:
            if request.action.lower() != "listremotelogininformation":
                raise no_method(request)
            return logins(self._clusters.remote_logins(self._find(request).key))
        verbs: dict[str, Callable[[ArmRequest], ArmResponse]] = {"GET": self._list}
        if request.types[1][1]:
            verbs = {"PUT": self._put, "GET": self._get, "PATCH": self._patch, "DELETE": self._delete}
        if request.method not in verbs:
            raise no_method(request)
        return verbs[request.method](request)

    def _put(self, request: ArmRequest) -> ArmResponse:
        name = request.types[1][1]
        version = version_of(request)
        check_name(name, version.NAME)
        workspace = self._tree.workspace(request)
        check_open(workspace)
        definition, secrets = version.read_cluster(request.body)
        key = ClusterKey(workspace_key(workspace), name)
        old = self._clusters.get_cluster(key)
        self._place(definition, key, old)
        if old is None:
            old = self._create(key, definition, secrets, request)
            if old is None:
                operation = self._operations.begin(
                    "cluster stored",
                    {},
                    subscription=request.subscription,
                    provider=NAMESPACE,
                    location=workspace.body["location"],
                    names=version.cluster_names(key),
                )
                return self._operations.accepted(operation, request, version_of(request).FINAL)
        if old.provisioning_state is ProvisioningState.DELETING:
            raise conflict(f"The cluster {name} is being deleted")
        check_same(f"cluster {name}", old.definition, definition)
        return _entity(request, self._tagged(old, older_fields(definition).tags))

    def _place(self, definition: dict[str, Any], key: ClusterKey, old: Cluster | None) -> None:
        """Put a cluster that names no subnet into its file server's; one that is there stays where it is."""
        volumes = (definition.get("nodeSetup") or {}).get("mountVolumes") or {}
        if "subnet" in definition or not volumes.get("fileServers"):
            return
        found = (
            subnet_of_mounts(self._tree, volumes, key.workspace)
            if old is None
            else old.definition.get("subnet")
        )
        if found:
            definition["subnet"] = found

    def _create(
        self, key: ClusterKey, definition: Mapping[str, Any], secrets: Mapping[str, str], request: ArmRequest
    ) -> Cluster | None:
        """Create a cluster: None if it is new, else the one that was there."""
        engine = _choice(request, "x-scenario-engine", ENGINE_CHOICES)
        gpus = cast("GpuMode", _choice(request, "x-scenario-gpus", _GPUS) or self._gpus)
        setup = definition.get("nodeSetup") or {}
        check_mounted_servers(self._tree, setup.get("mountVolumes"), "properties.nodeSetup.mountVolumes")
        try:
            name = self._resolve_engine(engine)
        except EngineUnavailable as error:
            # 400 and not 503, which clients would take for a passing thing and try again.
            raise ServiceError(400, "EngineUnavailable", str(error), "x-scenario-engine") from error
        self._admit(name, definition)
        where = "properties.nodeSetup.mountVolumes"
        check_mount_commands(self._mount_refusal, name, setup.get("mountVolumes"), where)
        cluster, created = self._clusters.create_cluster(key, definition, secrets, engine=name, gpus=gpus)
        return None if created else cluster

    def _admit(self, engine: str, definition: Mapping[str, Any]) -> None:
        """Refuse what the engine can know beforehand that it cannot do."""
        scale = definition.get("scaleSettings") or {}
        manual, auto = scale.get("manual") or {}, scale.get("autoScale") or {}
        nodes = int(manual.get("targetNodeCount") or auto.get("maximumNodeCount") or 0)
        found = self._refusal(engine, str(definition.get("vmSize") or ""), nodes) if engine else None
        if found is not None:
            raise invalid_value(*found)

    def _get(self, request: ArmRequest) -> ArmResponse:
        found = self._find(request)
        self._clusters.seen([found.key.id])
        return _entity(request, found)

    def _patch(self, request: ArmRequest) -> ArmResponse:
        cluster = self._find(request)
        if cluster.provisioning_state is ProvisioningState.DELETING:
            raise conflict(f"The cluster {cluster.key.name} is being deleted")
        changes = version_of(request).read_cluster_update(request.body)
        cluster = self._tagged(cluster, changes.pop("tags", None))
        if changes:
            self._admit(cluster.engine, {**cluster.definition, **changes})
            changed = self._clusters.update_cluster(cluster.key, changes)
            if changed is None:
                raise not_found("Cluster", cluster.key.name)
            cluster = changed
        return _entity(request, cluster)

    def _tagged(self, cluster: Cluster, tags: Mapping[str, str] | None) -> Cluster:
        """Give a cluster other tags, which only the flat API versions know."""
        older = older_fields(cluster.definition)
        if tags is None or tags == older.tags:
            return cluster
        changed = self._clusters.update_cluster(cluster.key, with_older({}, replace(older, tags=dict(tags))))
        if changed is None:
            raise not_found("Cluster", cluster.key.name)
        return changed

    def _delete(self, request: ArmRequest) -> ArmResponse:
        name = request.types[1][1]
        key = ClusterKey(WorkspaceKey(request.subscription, request.group, request.types[0][1]), name)
        workspace = self._tree.look(WORKSPACE, key.workspace.id)
        cluster = self._clusters.get_cluster(key)
        if workspace is None or cluster is None or not self._clusters.delete_cluster(cluster.key):
            return ArmResponse(204)
        operation = self._operations.begin(
            "cluster gone",
            {**_target(cluster.key), "guid": cluster.guid},
            subscription=request.subscription,
            provider=NAMESPACE,
            location=workspace.body["location"],
            names=version_of(request).cluster_names(cluster.key),
        )
        return self._operations.accepted(operation, request, version_of(request).FINAL)

    def _list(self, request: ArmRequest) -> ArmResponse:
        workspace = workspace_key(self._tree.workspace(request))
        write = version_of(request).write_cluster

        def shown(cluster: Cluster) -> dict[str, Any]:
            self._clusters.seen([cluster.key.id])
            return write(cluster)

        return page_of(request, partial(self._clusters.page_clusters, [workspace]), shown)

    def _find(self, request: ArmRequest) -> Cluster:
        workspace = workspace_key(self._tree.workspace(request))
        name = request.types[1][1]
        found = self._clusters.get_cluster(ClusterKey(workspace, name))
        if found is None:
            raise not_found("Cluster", name)
        return found

    def _gone(self, target: Mapping[str, Any]) -> bool:
        key = ClusterKey(
            WorkspaceKey(target["subscription"], target["group"], target["workspace"]), target["name"]
        )
        found = self._clusters.get_cluster(key)
        return found is None or found.guid != target["guid"]


def logins(found: Sequence[RemoteLogin]) -> ArmResponse:
    """Answer ``listRemoteLoginInformation``."""
    value = [{"nodeId": one.node, "ipAddress": one.address, "port": one.port} for one in found]
    return ArmResponse(200, {"value": value})


def _target(key: ClusterKey) -> dict[str, str]:
    where = key.workspace
    return {
        "subscription": where.subscription,
        "group": where.group,
        "workspace": where.workspace,
        "name": key.name,
    }


def _choice(request: ArmRequest, header: str, known: tuple[str, ...]) -> str:
    """Read a header of the emulator's own; empty if it was not sent."""
    value = request.headers.get(header, "")
    if value and value not in known:
        text = f"The header {header} is one of {', '.join(known)}, not '{value}'."
        raise ServiceError(400, "InvalidHeaderValue", text, header)
    return value


def _entity(request: ArmRequest, cluster: Cluster) -> ArmResponse:
    return entity(version_of(request).write_cluster(cluster), cluster.changed_at)
