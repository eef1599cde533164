"""Resource groups. Deleting one deletes what every provider holds in it, and goes on after a restart."""

from __future__ import annotations

import base64
import json
import re
import threading
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.asked import topped
from batchai_scenario.emulator.arm.bodies import read_place
from batchai_scenario.emulator.arm.filters import read_tag_filter
from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.arm.regions import REGIONS, normal_region
from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchai_scenario.emulator.arm.messages import ArmRequest, ResourceProvider
    from batchai_scenario.emulator.state.store import Document, Store

_KIND = "group"
_NAME = re.compile(r"[-\w.()]{1,89}[-\w()]|[-\w()]")
_TYPED_SINCE = "2019-05-01"
"""From this api-version on a group says its ``type``."""


class Groups:
    """Keeps resource groups.

    A group that is being deleted is settled whenever the resource manager is asked anything: providers
    are asked in order, each once the one before it has nothing left, until the group is gone.
    """

    def __init__(self, store: Store, providers: Sequence[ResourceProvider], retry_after: str) -> None:
        self._store = store
        self._providers = providers
        self._retry_after = retry_after
        self._settling = threading.Lock()
        self._deleting = {group.id for group in store.list(_KIND) if group.body["state"] == "Deleting"}

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer ``/subscriptions/S/resourceGroups[/G]``."""
        if not request.group:
            if request.method != "GET":
                raise _no_method(request)
            return self._list(request)
        verbs = {
            "PUT": self._put,
            "GET": self._get,
            "HEAD": self._head,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }
        verb = verbs.get(request.method)
        if verb is None:
            raise _no_method(request)
        return verb(request)

    def location(self, subscription: str, group: str, *, for_writing: bool) -> str:
        """Give a group's location.

        Raises:
            ServiceError: 404 if it does not exist, 409 if it is being deleted and is to be written to.
        """
        found = self._find(subscription, group)
        if for_writing and found.body["state"] == "Deleting":
            raise _deprovisioning(group)
        return str(found.body["location"])

    def subscriptions(self) -> list[str]:
        """List the ids of subscriptions that have groups."""
        return list(dict.fromkeys(group.body["subscription"] for group in self._store.list(_KIND)))

    def settle(self) -> None:
        """Bring deletions forward; cheap when there are none, and left to whoever is at it already."""
        if not self._deleting or not self._settling.acquire(blocking=False):
            return
        try:
            for key in tuple(self._deleting):
                found = self._store.get(_KIND, key)
                if found is None or self._emptied(found):
                    self._store.delete(_KIND, key)
                    self._deleting.discard(key)
        finally:
            self._settling.release()

    def _emptied(self, group: Document) -> bool:
        where = group.body["subscription"], group.body["name"]
        # Batch AI comes first: its jobs end before the storage they write to goes.
        return all(provider.delete_group(*where) for provider in self._providers)

    def poll(self, request: ArmRequest, token: str) -> ArmResponse:
        """Answer ``GET /subscriptions/S/operationresults/TOKEN``: 202 until the group is gone, then 200."""
        try:
            group = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))["group"]
            key = _key(request.subscription, str(group))
        except (ValueError, KeyError, TypeError):
            raise ServiceError(404, "OperationNotFound", f"The operation {token} is not found") from None
        if key in self._deleting:
            return self._accepted(request, str(group))
        return ArmResponse(200)

    def _put(self, request: ArmRequest) -> ArmResponse:
        if _NAME.fullmatch(request.group) is None:
            text = (
                f"The provided resource group name '{request.group}' is invalid: 1 to 90 letters, digits, "
                "'-', '.', '(', ')' or '_', and no dot at its end."
            )
            raise ServiceError(400, "InvalidResourceGroupName", text)
        place, tags = read_place(request.body)
        location = normal_region(place)
        if location not in REGIONS:
            text = (
                f"The provided location '{location}' is not available for resource group. "
                f"List of available regions is '{','.join(REGIONS)}'."
            )
            raise ServiceError(400, "LocationNotAvailableForResourceGroup", text, "location")
        key = _key(request.subscription, request.group)
        with self._store.transaction():
            old = self._store.get(_KIND, key)
            if old is not None and old.body["state"] == "Deleting":
                raise _deprovisioning(request.group)
            if old is not None:
                _check_stays(old, location)
            document = {
                "subscription": request.subscription,
                "name": request.group if old is None else old.body["name"],
                "location": location,
                "tags": tags,
                "state": "Succeeded",
            }
            self._store.put(_KIND, key, document, parent=request.subscription.lower())
        return ArmResponse(201 if old is None else 200, _entity(document, request.api_version))

    def _get(self, request: ArmRequest) -> ArmResponse:
        return ArmResponse(
            200, _entity(self._find(request.subscription, request.group).body, request.api_version)
        )

    def _head(self, request: ArmRequest) -> ArmResponse:
        found = self._store.get(_KIND, _key(request.subscription, request.group))
        return ArmResponse(404 if found is None else 204)

    def _patch(self, request: ArmRequest) -> ArmResponse:
        with self._store.transaction():
            found = self._find(request.subscription, request.group)
            place, tags = read_place(request.body, found.body["location"])
            _check_stays(found, normal_region(place))
            document = found.body if tags is None else {**found.body, "tags": tags}
            self._store.put(_KIND, found.id, document, parent=found.parent)
        return ArmResponse(200, _entity(document, request.api_version))

    def _delete(self, request: ArmRequest) -> ArmResponse:
        with self._store.transaction():
            found = self._find(request.subscription, request.group)
            self._store.put(_KIND, found.id, {**found.body, "state": "Deleting"}, parent=found.parent)
        self._deleting.add(found.id)
        self.settle()
        return self._accepted(request, request.group)

    def _list(self, request: ArmRequest) -> ArmResponse:
        passes = read_tag_filter(request.query.get("$filter", ""))
        groups = [
            _entity(group.body, request.api_version)
            for group in self._store.list(_KIND, request.subscription.lower())
            if passes(group.body["tags"])
        ]
        return ArmResponse(200, topped(request, groups))

    def _find(self, subscription: str, group: str) -> Document:
        found = self._store.get(_KIND, _key(subscription, group))
        if found is None:
            text = f"Resource group '{group}' could not be found."
            raise ServiceError(404, "ResourceGroupNotFound", text, headers={"x-ms-failure-cause": "gateway"})
        return found

    def _accepted(self, request: ArmRequest, group: str) -> ArmResponse:
        """Make the 202 of a deletion; its token names the group, so that nothing need be remembered."""
        token = base64.urlsafe_b64encode(json.dumps({"group": group}).encode()).decode().rstrip("=")
        location = (
            f"{request.base_url}/subscriptions/{request.subscription}/operationresults/{token}"
            f"?api-version={request.api_version}"
        )
        return ArmResponse(202, None, {"Location": location, "Retry-After": self._retry_after})


def _check_stays(old: Document, location: str) -> None:
    """Refuse to move a group."""
    if old.body["location"] != location:
        text = (
            f"Invalid resource group location '{location}'. The Resource group already exists in "
            f"location '{old.body['location']}'."
        )
        raise ServiceError(409, "InvalidResourceGroupLocation", text, "location")


def _key(subscription: str, group: str) -> str:
    return f"/subscriptions/{subscription}/resourcegroups/{group}".lower()


def _entity(body: dict[str, Any], api_version: str) -> dict[str, Any]:
    entity: dict[str, Any] = {
        "id": f"/subscriptions/{body['subscription']}/resourceGroups/{body['name']}",
        "name": body["name"],
    }
    if api_version >= _TYPED_SINCE:
        entity["type"] = "Microsoft.Resources/resourceGroups"
    entity["location"] = body["location"]
    if body["tags"] is not None:
        entity["tags"] = body["tags"]
    entity["properties"] = {"provisioningState": body["state"]}
    return entity


def _deprovisioning(group: str) -> ServiceError:
    text = f"The resource group '{group}' is in deprovisioning state and cannot perform this operation."
    return ServiceError(409, "ResourceGroupBeingDeleted", text)


def _no_method(request: ArmRequest) -> ServiceError:
    text = f"The HTTP method '{request.method}' is not supported at '{request.path}'."
    return ServiceError(405, "MethodNotAllowed", text)
