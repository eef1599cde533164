"""Workspaces and experiments as documents: found, marked for deletion, gone when nothing is left inside."""

from __future__ import annotations

import heapq
import threading
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.batchai.answers import conflict, not_found
from batchai_scenario.emulator.batchai.versions.registry import version_of
from batchai_scenario.emulator.cluster.model import ExperimentKey, ProvisioningState, WorkspaceKey
from batchai_scenario.emulator.state.clock import wire_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.arm.messages import ArmRequest, ArmResponse
    from batchai_scenario.emulator.arm.operations import Operations
    from batchai_scenario.emulator.cluster.ports import ClusterService
    from batchai_scenario.emulator.cluster.servers import ServerDisks
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.store import Document, Store

NAMESPACE = "Microsoft.BatchAI"
WORKSPACE = "workspace"
EXPERIMENT = "experiment"
FILE_SERVER = "file server"
_DELETING = ProvisioningState.DELETING.value


class Tree:
    """Keeps workspaces and experiments.

    Deletion: the document is marked, deletion of everything inside is begun, and the document goes as
    soon as somebody looks and finds nothing inside. So it survives a restart and needs no thread.

    ``lock`` is held by whoever changes anything in a workspace. A reader that finds it taken does not
    wait: it sees the document as it is.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        clusters: ClusterService,
        operations: Operations,
        servers: ServerDisks | None = None,
    ) -> None:
        self.servers = servers
        self._store = store
        self._clock = clock
        self._clusters = clusters
        self._operations = operations
        self.lock = threading.RLock()
        operations.define(f"{WORKSPACE} gone", lambda target: self._gone(WORKSPACE, target))
        operations.define(f"{EXPERIMENT} gone", lambda target: self._gone(EXPERIMENT, target))

    def workspace(self, request: ArmRequest) -> Document:
        """Find the workspace of a request; ServiceError 404."""
        name = request.types[0][1]
        found = self.look(WORKSPACE, WorkspaceKey(request.subscription, request.group, name).id)
        if found is None:
            raise not_found("Workspace", name)
        return found

    def experiment(self, request: ArmRequest) -> Document:
        """Find the experiment of a request; ServiceError 404, for its workspace too."""
        workspace = workspace_key(self.workspace(request))
        name = request.types[1][1]
        found = self.look(EXPERIMENT, ExperimentKey(workspace, name).id)
        if found is None:
            raise not_found("Experiment", name)
        return found

    def page(
        self, kind: str, parents: Sequence[str] | None, after: int, limit: int
    ) -> list[tuple[int, Document]]:
        """Read documents by age, each with its number: those after a number. ``parents`` None: all.

        They come as they are: whoever shows them looks at each.
        """
        where: Sequence[str | None] = [None] if parents is None else parents
        pages = [self._store.list(kind, parent, after=after, limit=limit) for parent in where]
        found = heapq.merge(*pages, key=lambda document: document.number)
        return [(document.number, document) for document in found][:limit]

    def list(self, kind: str, parent: str | None = None) -> list[Document]:
        """List documents by age, without those whose deletion is complete."""
        looks = (self.look(kind, document.id) for document in self._store.list(kind, parent))
        return [document for document in looks if document is not None]

    def look(self, kind: str, id_: str) -> Document | None:
        """Read a document; one that is being deleted goes if nothing is left inside."""
        found = self._store.get(kind, id_)
        if found is None or not deleting(found) or not self.lock.acquire(blocking=False):
            return found
        try:
            emptied = self._empty_workspace(found) if kind == WORKSPACE else self._empty_experiment(found)
            if emptied:
                self._store.delete(kind, id_)
            return None if emptied else found
        finally:
            self.lock.release()

    def put(self, kind: str, id_: str, body: Mapping[str, Any], parent: str) -> Document:
        """Store a document."""
        self._store.put(kind, id_, body, parent=parent)
        stored = self._store.get(kind, id_)
        assert stored is not None  # noqa: S101 - it was stored one line above, under the lock
        return stored

    def remove(self, found: Document) -> None:
        """Forget a document at once."""
        self._store.delete(found.kind, found.id)

    def delete(
        self, found: Document, request: ArmRequest, location: str, names: tuple[str, ...]
    ) -> ArmResponse:
        """Begin to delete a document with all that is inside, and answer so."""
        self._mark(found)
        self.look(found.kind, found.id)
        # One of the same name that is made later is another one: its number differs.
        target = {"id": found.id, "number": found.number}
        operation = self._operations.begin(
            f"{found.kind} gone",
            target,
            subscription=request.subscription,
            provider=NAMESPACE,
            location=location,
            names=names,
        )
        return self._operations.accepted(operation, request, version_of(request).FINAL)

    def delete_group(self, subscription: str, group: str) -> bool:
        """Begin to delete all workspaces of a group; True when none is left."""
        with self.lock:
            for document in self._store.list(WORKSPACE, group_id(subscription, group)):
                if not deleting(document):
                    self._mark(document)
        return not self.list(WORKSPACE, group_id(subscription, group))

    def _gone(self, kind: str, target: Mapping[str, Any]) -> bool:
        found = self.look(kind, target["id"])
        return found is None or found.number != target["number"]

    def _empty_experiment(self, found: Document) -> bool:
        return self._clusters.delete_jobs(experiment_key(found))

    def _empty_workspace(self, found: Document) -> bool:
        key = workspace_key(found)
        for experiment in self._store.list(EXPERIMENT, key.id):
            if not deleting(experiment):
                self._mark(experiment)
            self.look(EXPERIMENT, experiment.id)
        for cluster in self._clusters.list_clusters(key):
            self._clusters.delete_cluster(cluster.key)
        for server in self._store.list(FILE_SERVER, key.id):
            self._store.delete(FILE_SERVER, server.id)
            if self.servers is not None:
                self.servers.drop(server_path(server))
        return not self._store.list(EXPERIMENT, key.id) and not self._clusters.list_clusters(key)

    def _mark(self, found: Document) -> None:
        now = wire_time(self._clock.now())
        body = {**found.body, "provisioningState": _DELETING, "provisioningStateTransitionTime": now}
        self._store.put(found.kind, found.id, body, parent=found.parent)


def server_path(found: Document) -> str:
    """Give a file server's id as clients write it."""
    subscription, group, workspace, name = found.body["key"]
    parent = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{NAMESPACE}"
    return f"{parent}/workspaces/{workspace}/fileServers/{name}"


def deleting(found: Document) -> bool:
    """Tell whether a document is being deleted."""
    return bool(found.body["provisioningState"] == _DELETING)


def check_open(found: Document) -> None:
    """Let a document be changed, or something be created inside; ServiceError 409 if it is being deleted."""
    if deleting(found):
        raise conflict(f"The {found.kind} {found.body['name']} is being deleted")


def group_id(subscription: str, group: str) -> str:
    """Name a resource group as the parent of workspaces."""
    return f"/subscriptions/{subscription}/resourcegroups/{group}".lower()


def workspace_key(found: Document) -> WorkspaceKey:
    """Name a workspace as it was created."""
    return WorkspaceKey(found.body["subscription"], found.body["group"], found.body["name"])


def experiment_key(found: Document) -> ExperimentKey:
    """Name an experiment as it was created."""
    body = found.body
    return ExperimentKey(WorkspaceKey(body["subscription"], body["group"], body["workspace"]), body["name"])
