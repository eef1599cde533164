"""Workspaces and experiments over the wire. Creation answers 200 at once (recorded traffic)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.bodies import known_properties, read_place
from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.arm.regions import normal_region
from batchai_scenario.emulator.batchai.answers import check_name, conflict, entity, no_method, page_of
from batchai_scenario.emulator.batchai.tree import (
    EXPERIMENT,
    WORKSPACE,
    check_open,
    experiment_key,
    group_id,
    workspace_key,
)
from batchai_scenario.emulator.batchai.versions.registry import nested_version_of
from batchai_scenario.emulator.cluster.model import ExperimentKey, ProvisioningState, WorkspaceKey
from batchai_scenario.emulator.state.clock import parse_time, wire_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.batchai.tree import Tree
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.store import Document


class Workspaces:
    """Answers ``.../workspaces[/W]``."""

    def __init__(self, tree: Tree, clock: Clock) -> None:
        self._tree = tree
        self._clock = clock

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer a request."""
        verbs: dict[str, Callable[[ArmRequest], ArmResponse]] = {"GET": self._list}
        if request.types[0][1]:
            verbs = {"PUT": self._put, "GET": self._get, "PATCH": self._patch, "DELETE": self._delete}
        if request.action or request.method not in verbs:
            raise no_method(request)
        return verbs[request.method](request)

    def _put(self, request: ArmRequest) -> ArmResponse:
        name = request.types[0][1]
        check_name(name, nested_version_of(request).NAME)
        place, tags = read_place(request.body)
        location = normal_region(place)
        key = WorkspaceKey(request.subscription, request.group, name)
        old = self._tree.look(WORKSPACE, key.id)
        if old is not None:
            return self._put_again(request, old, location, tags)
        return _workspace(request, self.make(key, location, tags))

    def make(self, key: WorkspaceKey, location: str, tags: Mapping[str, str] | None) -> Document:
        """Store a new workspace."""
        document = {
            "subscription": key.subscription,
            "group": key.group,
            "name": key.workspace,
            "location": location,
            "tags": tags,
            **_created(self._clock),
        }
        return self._tree.put(WORKSPACE, key.id, document, group_id(key.subscription, key.group))

    def _put_again(
        self, request: ArmRequest, old: Document, location: str, tags: dict[str, str] | None
    ) -> ArmResponse:
        check_open(old)
        if old.body["location"] != location:
            name = request.types[0][1]
            text = (
                f"The resource '{name}' already exists in location '{old.body['location']}' in resource "
                f"group '{request.group}'. A resource with the same name cannot be created in location "
                f"'{location}'. Please select a new resource name."
            )
            raise conflict(text, "location")
        return _workspace(request, self._tagged(old, tags))

    def _get(self, request: ArmRequest) -> ArmResponse:
        return _workspace(request, self._tree.workspace(request))

    def _patch(self, request: ArmRequest) -> ArmResponse:
        found = self._tree.workspace(request)
        place, tags = read_place(request.body, found.body["location"])
        return self._put_again(request, found, normal_region(place), tags)

    def _delete(self, request: ArmRequest) -> ArmResponse:
        key = WorkspaceKey(request.subscription, request.group, request.types[0][1])
        found = self._tree.look(WORKSPACE, key.id)
        if found is None:
            return ArmResponse(204)
        names = (request.subscription, request.group, found.body["name"])
        return self._tree.delete(found, request, found.body["location"], names)

    def _list(self, request: ArmRequest) -> ArmResponse:
        subscription = request.subscription.lower()
        parents = [group_id(subscription, request.group)] if request.group else None
        version = nested_version_of(request)

        def write(found: Document) -> dict[str, Any] | None:
            if found.body["subscription"].lower() != subscription:
                return None
            seen = self._tree.look(WORKSPACE, found.id)
            return None if seen is None else version.write_workspace(workspace_key(seen).path, seen.body)

        return page_of(request, partial(self._tree.page, WORKSPACE, parents), write)

    def _tagged(self, found: Document, tags: Mapping[str, str] | None) -> Document:
        if tags is None or tags == found.body["tags"]:
            return found
        body = {**found.body, "tags": dict(tags), "changedAt": wire_time(self._clock.now())}
        return self._tree.put(WORKSPACE, found.id, body, found.parent)


class Experiments:
    """Answers ``.../workspaces/W/experiments[/E]``."""

    def __init__(self, tree: Tree, clock: Clock) -> None:
        self._tree = tree
        self._clock = clock

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer a request."""
        verbs: dict[str, Callable[[ArmRequest], ArmResponse]] = {"GET": self._list}
        if request.types[1][1]:
            verbs = {"PUT": self._put, "GET": self._get, "DELETE": self._delete}
        if request.action or request.method not in verbs:
            raise no_method(request)
        return verbs[request.method](request)

    def _put(self, request: ArmRequest) -> ArmResponse:
        name = request.types[1][1]
        check_name(name, nested_version_of(request).NAME)
        known_properties(request.body, "location")
        parent = self._tree.workspace(request)
        check_open(parent)
        workspace = workspace_key(parent)
        key = ExperimentKey(workspace, name)
        found = self._tree.look(EXPERIMENT, key.id)
        if found is not None:
            check_open(found)
            return _experiment(request, found)
        return _experiment(request, self.make(key))

    def make(self, key: ExperimentKey) -> Document:
        """Store a new experiment."""
        document = {
            "subscription": key.workspace.subscription,
            "group": key.workspace.group,
            "workspace": key.workspace.workspace,
            "name": key.name,
            **_created(self._clock),
        }
        return self._tree.put(EXPERIMENT, key.id, document, key.workspace.id)

    def _get(self, request: ArmRequest) -> ArmResponse:
        return _experiment(request, self._tree.experiment(request))

    def _delete(self, request: ArmRequest) -> ArmResponse:
        workspace = WorkspaceKey(request.subscription, request.group, request.types[0][1])
        parent = self._tree.look(WORKSPACE, workspace.id)
        found = self._tree.look(EXPERIMENT, ExperimentKey(workspace, request.types[1][1]).id)
        if found is None or parent is None:
            return ArmResponse(204)
        names = (request.subscription, request.group, found.body["workspace"], found.body["name"])
        return self._tree.delete(found, request, parent.body["location"], names)

    def _list(self, request: ArmRequest) -> ArmResponse:
        parent = workspace_key(self._tree.workspace(request))
        version = nested_version_of(request)

        def write(found: Document) -> dict[str, Any] | None:
            seen = self._tree.look(EXPERIMENT, found.id)
            return None if seen is None else version.write_experiment(experiment_key(seen).path, seen.body)

        return page_of(request, partial(self._tree.page, EXPERIMENT, [parent.id]), write)


def _created(clock: Clock) -> dict[str, Any]:
    now = wire_time(clock.now())
    return {
        "creationTime": now,
        "provisioningState": ProvisioningState.SUCCEEDED.value,
        "provisioningStateTransitionTime": now,
        "changedAt": now,
    }


def _workspace(request: ArmRequest, found: Document) -> ArmResponse:
    body = nested_version_of(request).write_workspace(workspace_key(found).path, found.body)
    return entity(body, parse_time(found.body["changedAt"]))


def _experiment(request: ArmRequest, found: Document) -> ArmResponse:
    body = nested_version_of(request).write_experiment(experiment_key(found).path, found.body)
    return entity(body, parse_time(found.body["changedAt"]))
