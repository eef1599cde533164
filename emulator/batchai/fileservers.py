"""File servers over the wire: documents of the provider's own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.bodies import read_all
from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.batchai.answers import (
    check_name,
    check_same,
    entity,
    no_method,
    not_found,
    page_of,
)
from batchai_scenario.emulator.batchai.model import FileServer
from batchai_scenario.emulator.batchai.refusals import invalid_value
from batchai_scenario.emulator.batchai.tree import (
    FILE_SERVER,
    NAMESPACE,
    check_open,
    server_path,
    workspace_key,
)
from batchai_scenario.emulator.batchai.versions.registry import version_of
from batchai_scenario.emulator.cluster.model import ClusterKey, ProvisioningState, WorkspaceKey
from batchai_scenario.emulator.cluster.servers import server_names
from batchai_scenario.emulator.errors import EngineError
from batchai_scenario.emulator.state.clock import parse_time, wire_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.arm.operations import Operations
    from batchai_scenario.emulator.batchai.tree import Tree
    from batchai_scenario.emulator.cluster.servers import ServerDisks
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.store import Document


class FileServers:
    """Answers ``.../workspaces/W/fileServers[/F]``. A file server is there at once (our decision)."""

    def __init__(self, tree: Tree, operations: Operations, clock: Clock) -> None:
        self._tree = tree
        self._operations = operations
        self._clock = clock
        operations.define("file server stored", lambda _: True)
        operations.define("file server gone", lambda _: True)

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer a request."""
        verbs: dict[str, Callable[[ArmRequest], ArmResponse]] = {"GET": self._list}
        if request.types[1][1]:
            verbs = {"PUT": self._put, "GET": self._get, "DELETE": self._delete}
        if request.action or request.method not in verbs:
            raise no_method(request)
        return verbs[request.method](request)

    def page(
        self, workspaces: Sequence[WorkspaceKey], after: int, limit: int
    ) -> list[tuple[int, FileServer]]:
        """List file servers of some workspaces by age, each with its number: those after a number."""
        found = self._tree.page(FILE_SERVER, [key.id for key in workspaces], after, limit)
        return [(place, _server(document)) for place, document in found]

    def _put(self, request: ArmRequest) -> ArmResponse:
        name = request.types[1][1]
        version = version_of(request)
        check_name(name, version.NAME)
        parent = self._tree.workspace(request)
        check_open(parent)
        definition = version.read_file_server(request.body)
        workspace = workspace_key(parent)
        key = ClusterKey(workspace, name)
        old = self._tree.look(FILE_SERVER, file_server_id(key))
        if old is not None:
            check_same(f"file server {name}", old.body["definition"], definition)
            return _entity(request, old)
        now = wire_time(self._clock.now())
        document = {
            "key": [workspace.subscription, workspace.group, workspace.workspace, name],
            "definition": definition,
            "creationTime": now,
            "provisioningState": ProvisioningState.SUCCEEDED.value,
            "provisioningStateTransitionTime": now,
        }
        if self._tree.servers is not None:
            self._tree.servers.make(f"{workspace.path}/fileServers/{name}")
        self._tree.put(FILE_SERVER, file_server_id(key), document, workspace.id)
        return self._accepted("file server stored", request, key)

    def _get(self, request: ArmRequest) -> ArmResponse:
        name = request.types[1][1]
        workspace = workspace_key(self._tree.workspace(request))
        found = self._tree.look(FILE_SERVER, file_server_id(ClusterKey(workspace, name)))
        if found is None:
            raise not_found("FileServer", name)
        return _entity(request, found)

    def _delete(self, request: ArmRequest) -> ArmResponse:
        workspace = WorkspaceKey(request.subscription, request.group, request.types[0][1])
        found = self._tree.look(FILE_SERVER, file_server_id(ClusterKey(workspace, request.types[1][1])))
        if found is None:
            return ArmResponse(204)
        self._tree.remove(found)
        if self._tree.servers is not None:
            self._tree.servers.drop(server_path(found))
        return self._accepted("file server gone", request, _server(found).key)

    def _list(self, request: ArmRequest) -> ArmResponse:
        workspace = workspace_key(self._tree.workspace(request))
        return page_of(request, partial(self.page, [workspace]), version_of(request).write_file_server)

    def _accepted(self, condition: str, request: ArmRequest, key: ClusterKey) -> ArmResponse:
        operation = self._operations.begin(
            condition,
            {},
            subscription=request.subscription,
            provider=NAMESPACE,
            location=self._tree.workspace(request).body["location"],
            names=version_of(request).cluster_names(key),
        )
        return self._operations.accepted(operation, request, version_of(request).FINAL)


def check_mounted_servers(tree: Tree, volumes: Mapping[str, Any] | None, path: str) -> None:
    """Demand of ``mountVolumes`` that its file servers are there, with the folders that are to be mounted."""
    read_all(
        *(
            partial(_check_mount, tree, item, f"{path}.fileServers[{number}]")
            for number, item in enumerate((volumes or {}).get("fileServers") or ())
        )
    )


def subnet_of_mounts(
    tree: Tree, volumes: Mapping[str, Any] | None, workspace: WorkspaceKey
) -> dict[str, str] | None:
    """Give the subnet of the first file server of ``mountVolumes``, for a cluster was put there (recorded).

    ``workspace``: the cluster's, where servers of flat ids are.
    """
    for item in (volumes or {}).get("fileServers") or ():
        subscription, group, place, name = server_names(item["fileServer"]["id"]) or ("", "", "", "")
        key = ClusterKey(WorkspaceKey(subscription, group, place or workspace.workspace), name)
        found = tree.look(FILE_SERVER, file_server_id(key))
        if found is not None:
            return {"id": _server(found).subnet}
    return None


def _check_mount(tree: Tree, item: Mapping[str, Any], where: str) -> None:
    server = item["fileServer"]["id"]
    if server_names(server) is None:
        raise invalid_value(f"{where}.fileServer.id", "it is no id of a file server")
    if tree.servers is not None:
        _check_folder(tree.servers, server, "", f"{where}.fileServer.id")
        _check_folder(tree.servers, server, item.get("sourceDirectory") or "", f"{where}.sourceDirectory")


def _check_folder(servers: ServerDisks, server: str, directory: str, path: str) -> None:
    try:
        servers.find(server, directory)
    except EngineError as error:
        raise invalid_value(path, dict(error.problem.details)["Info"].removesuffix(".")) from error


def file_server_id(key: ClusterKey) -> str:
    """Give the id under which a file server is kept."""
    return f"{key.workspace.id}/fileservers/{key.name.lower()}"


def _server(found: Document) -> FileServer:
    *workspace, name = found.body["key"]
    return FileServer(ClusterKey(WorkspaceKey(*workspace), name), found.body["definition"], found.body)


def _entity(request: ArmRequest, found: Document) -> ArmResponse:
    body = version_of(request).write_file_server(_server(found))
    return entity(body, parse_time(found.body["creationTime"]))
