"""The door of the flat API versions: finds where a resource lives, and hands the request on as nested."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm import odata
from batchai_scenario.emulator.arm.bodies import read_location
from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.arm.regions import normal_region
from batchai_scenario.emulator.batchai.answers import conflict, no_method, page_of
from batchai_scenario.emulator.batchai.migrated import EXPERIMENT_NAME, home_key, is_home
from batchai_scenario.emulator.batchai.tree import EXPERIMENT, FILE_SERVER, WORKSPACE, group_id, workspace_key
from batchai_scenario.emulator.batchai.versions.registry import version_of
from batchai_scenario.emulator.cluster.model import ClusterKey, ExperimentKey, JobKey
from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.batchai.fileservers import FileServers
    from batchai_scenario.emulator.batchai.tree import Tree
    from batchai_scenario.emulator.batchai.workspaces import Experiments, Workspaces
    from batchai_scenario.emulator.cluster.model import Cluster, WorkspaceKey
    from batchai_scenario.emulator.cluster.ports import ClusterService
    from batchai_scenario.emulator.state.store import Document

    Handler = Callable[[ArmRequest], ArmResponse]

KINDS = ("clusters", "jobs", "fileservers")
_WORDS = {"clusters": "clusters", "jobs": "jobs", "fileservers": "fileServers"}


class Flat:
    """Answers ``.../Microsoft.BatchAI/{clusters,jobs,fileServers}[/NAME[/ACTION]]`` of the older versions."""

    def __init__(
        self,
        tree: Tree,
        clusters: ClusterService,
        handlers: Mapping[str, Handler],
        *,
        servers: FileServers,
        workspaces: Workspaces,
        experiments: Experiments,
    ) -> None:
        self._tree = tree
        self._clusters = clusters
        self._handlers = handlers
        self._servers = servers
        self._workspaces = workspaces
        self._experiments = experiments

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer a request."""
        kind, name = request.types[0]
        if not name:
            if request.method != "GET" or request.action:
                raise no_method(request)
            return self._list(request, kind)
        home = self._find(request.subscription, request.group, kind, name)
        if request.method == "PUT":
            return self._put(request, home)
        if home is None:
            if request.method == "DELETE":
                return ArmResponse(204)
            raise _gone(kind, name, request.group)
        return self._nested(request, workspace_key(home))

    def find_cluster(self, subscription: str, group: str, name: str) -> Cluster | None:
        """Find a cluster as flat versions name it."""
        home = self._find(subscription, group, "clusters", name)
        return None if home is None else self._clusters.get_cluster(ClusterKey(workspace_key(home), name))

    def _nested(self, request: ArmRequest, workspace: WorkspaceKey) -> ArmResponse:
        kind, name = request.types[0]
        where: tuple[tuple[str, str], ...] = (("workspaces", workspace.workspace),)
        if kind == "jobs":
            where = (*where, ("experiments", EXPERIMENT_NAME))
        nested = dataclasses.replace(request, types=(*where, (kind, name)))
        handler = self._handlers["/".join(kind for kind, _ in nested.types)]
        return handler(nested)

    def _put(self, request: ArmRequest, home: Document | None) -> ArmResponse:
        kind, name = request.types[0]
        location = normal_region(read_location(request.body or {}))
        if home is not None:
            if home.body["location"] != location:
                text = (
                    f"The resource '{name}' already exists in location '{home.body['location']}' in resource "
                    f"group '{request.group}'. A resource with the same name cannot be created in location "
                    f"'{location}'. Please select a new resource name."
                )
                raise conflict(text, "location")
            return self._nested(request, workspace_key(home))
        key = home_key(request.subscription, request.group, location)
        made = self._make_home(key, location, with_experiment=kind == "jobs")
        try:
            return self._nested(request, key)
        except ServiceError:
            for document in made:  # a body that is refused leaves nothing behind
                self._tree.remove(document)
            raise

    def _make_home(self, key: WorkspaceKey, location: str, *, with_experiment: bool) -> list[Document]:
        """Make the workspace and experiment if they are not there; gives those that were made."""
        made = []
        workspace = self._tree.look(WORKSPACE, key.id)
        if workspace is None:
            workspace = self._workspaces.make(key, location, None)
            made.append(workspace)
        elif not is_home(workspace):
            where = workspace.body["location"]
            text = f"The workspace '{key.workspace}' is in the way: its location is '{where}'."
            raise conflict(text, "location")
        experiment = ExperimentKey(key, EXPERIMENT_NAME)
        if with_experiment and self._tree.look(EXPERIMENT, experiment.id) is None:
            made.append(self._experiments.make(experiment))
        return made

    def _find(self, subscription: str, group: str, kind: str, name: str) -> Document | None:
        for home in self._homes(subscription, group):
            if self._has(workspace_key(home), kind, name):
                return home
        return None

    def _has(self, home: WorkspaceKey, kind: str, name: str) -> bool:
        if kind == "clusters":
            return self._clusters.get_cluster(ClusterKey(home, name)) is not None
        if kind == "jobs":
            return self._clusters.get_job(JobKey(ExperimentKey(home, EXPERIMENT_NAME), name)) is not None
        return self._tree.look(FILE_SERVER, f"{home.id}/fileservers/{name.lower()}") is not None

    def _homes(self, subscription: str, group: str) -> Iterator[Document]:
        parent = group_id(subscription, group) if group else None
        for document in self._tree.list(WORKSPACE, parent):
            if document.body["subscription"].lower() == subscription.lower() and is_home(document):
                yield document

    def _list(self, request: ArmRequest, kind: str) -> ArmResponse:
        keep = odata.read_filter(request.query.get("$filter", ""))
        narrow = odata.read_select(request.query.get("$select", ""))
        version = version_of(request)
        homes = [workspace_key(home) for home in self._homes(request.subscription, request.group)]
        experiments = [ExperimentKey(home, EXPERIMENT_NAME) for home in homes]
        kinds: dict[str, tuple[Callable[[int, int], Any], Callable[[Any], dict[str, Any]]]] = {
            "clusters": (partial(self._clusters.page_clusters, homes), version.write_cluster),
            "jobs": (partial(self._clusters.page_jobs, experiments), version.write_job),
            "fileservers": (partial(self._servers.page, homes), version.write_file_server),
        }
        read, write = kinds[kind]

        def shown(found: Any) -> Mapping[str, Any] | None:  # noqa: ANN401 - whatever is read
            body = write(found)
            if not keep(body):
                return None
            if kind != "fileservers":
                self._clusters.seen([found.key.id])
            return narrow(body)

        return page_of(request, read, shown)


def _gone(kind: str, name: str, group: str) -> ServiceError:
    """Say that a flat resource is not there: the resource manager said it itself (recorded traffic)."""
    resource = f"Microsoft.BatchAI/{_WORDS[kind]}/{name}"
    text = f"The Resource '{resource}' under resource group '{group}' was not found."
    return ServiceError(404, "ResourceNotFound", text, headers={"x-ms-failure-cause": "gateway"})
