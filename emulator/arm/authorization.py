"""Microsoft.Authorization: roles that scripts assign. They are kept and told, and decide nothing here.

Whoever signs in may do everything: the emulator has one user. An assignment's answer says so in ``Warning``.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from batchai_scenario.emulator.arm.bodies import invalid_content
from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.arm.regions import REGIONS
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.state.clock import wire_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.store import Document, Store

NAMESPACE = "Microsoft.Authorization"

_KIND = "role-assignment"
_ASSIGNMENTS = (
    *("2015-07-01", "2017-10-01-preview", "2018-01-01-preview", "2018-09-01-preview"),
    *("2020-03-01-preview", "2020-04-01-preview", "2020-08-01-preview", "2020-10-01-preview", "2022-04-01"),
)
_DEFINITIONS = ("2015-07-01", "2018-01-01-preview", "2022-04-01", "2022-05-01-preview")
_TYPED_SINCE = "2018-01-01-preview"
_FILTER = re.compile(
    r"(principalId|roleName) eq '([^']*)'|assignedTo\('([^']*)'\)|atScope\(\)", re.IGNORECASE
)
_NO_EFFECT = {"Warning": '299 - "role assignments are kept and decide nothing in this emulator"'}


class Role(NamedTuple):
    """A built-in role: its published id and what it may do."""

    name: str
    id: str
    actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()


ROLES = (
    Role("Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", ("*",)),
    Role("Contributor", "b24988ac-6180-42a0-ab88-20f7382dd24c", ("*",)),
    Role("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", ("*/read",)),
    Role("User Access Administrator", "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", ("*/read", f"{NAMESPACE}/*")),
    Role(
        "Storage Account Contributor",
        "17d1049b-9a84-46fb-8f53-869881c3d3ab",
        ("Microsoft.Storage/storageAccounts/*",),
    ),
    Role(
        "Storage Blob Data Contributor",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        data_actions=("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*",),
    ),
    Role(
        "Storage Blob Data Reader",
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        data_actions=("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",),
    ),
    Role(
        "Storage File Data Privileged Contributor",
        "69566ab7-960f-475b-8e7c-b3118f30c6bd",
        data_actions=("Microsoft.Storage/storageAccounts/fileServices/fileshares/files/*",),
    ),
    Role(
        "Storage File Data SMB Share Contributor",
        "0c867c2a-1d8c-454a-a3db-ab2ea1bdc8bb",
        data_actions=("Microsoft.Storage/storageAccounts/fileServices/fileshares/files/*",),
    ),
)


class AuthorizationProvider:
    """Answers for role assignments at any scope, and for the built-in roles that scripts look up."""

    namespace = NAMESPACE
    regions: Mapping[str, str] = REGIONS
    resource_types: Mapping[str, tuple[str, ...]] = {
        "roleAssignments": _ASSIGNMENTS,
        "roleDefinitions": _DEFINITIONS,
    }

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def handle(self, request: ArmRequest) -> ArmResponse:
        """Answer a request; ServiceError for what is not there or not emulated."""
        kind, name = request.types[0] if request.types else ("", "")
        if kind == "roledefinitions" and request.method == "GET":
            return self._definitions(request, name)
        if kind != "roleassignments" or len(request.types) > 1 or request.action:
            text = f"{request.method} of '{request.path[:200]}' is not emulated in {NAMESPACE}."
            raise ServiceError(404, "InvalidResourceType", text)
        if not name:
            return self._list(request)
        verbs = {"PUT": self._put, "GET": self._get, "DELETE": self._delete}
        verb = verbs.get(request.method)
        if verb is None:
            text = f"{request.method} of a role assignment is not emulated."
            raise ServiceError(405, "MethodNotAllowed", text)
        return verb(request, name)

    def delete_group(self, subscription: str, group: str) -> bool:
        """Forget what was assigned in a resource group."""
        scope = f"/subscriptions/{subscription}/resourcegroups/{group}".lower()
        for document in self._store.list(_KIND):
            if _within(document.body["scope"].lower(), scope):
                self._store.delete(_KIND, document.id)
        return True

    def _put(self, request: ArmRequest, name: str) -> ArmResponse:
        try:
            uuid.UUID(name)
        except ValueError:
            text = f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."
            raise ServiceError(400, "InvalidRoleAssignmentId", text) from None
        properties = (request.body or {}).get("properties")
        if not isinstance(properties, dict):
            raise invalid_content("properties is required")
        role, principal = (str(properties.get(key) or "") for key in ("roleDefinitionId", "principalId"))
        for key, value in (("roleDefinitionId", role), ("principalId", principal)):
            if not value:
                raise invalid_content(f"properties.{key} is required", f"properties.{key}")
        if role.rpartition("/")[2].lower() not in {one.id for one in ROLES}:
            text = f"The specified role definition with ID '{role.rpartition('/')[2]}' does not exist."
            raise ServiceError(404, "RoleDefinitionDoesNotExist", text, "properties.roleDefinitionId")
        document = {
            "name": name,
            "scope": scope_of(request),
            "roleDefinitionId": role,
            "principalId": principal,
            "principalType": str(properties.get("principalType") or "ServicePrincipal"),
            "createdOn": wire_time(self._clock.now()),
        }
        with self._store.transaction():
            for other in self._store.list(_KIND):
                if other.id != name.lower() and _same(other.body, document):
                    text = "The role assignment already exists."
                    raise ServiceError(409, "RoleAssignmentExists", text)
            known = self._store.get(_KIND, name.lower())
            if known is not None and not _same(known.body, document):
                text = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
                raise ServiceError(409, "RoleAssignmentUpdateNotPermitted", text)
            if known is None:
                self._store.put(_KIND, name.lower(), document)
        body = document if known is None else known.body
        return ArmResponse(201 if known is None else 200, _entity(body, request), dict(_NO_EFFECT))

    def _get(self, request: ArmRequest, name: str) -> ArmResponse:
        found = self._find(request, name)
        if found is None:
            text = f"The role assignment '{name}' is not found."
            raise ServiceError(404, "RoleAssignmentNotFound", text)
        return ArmResponse(200, _entity(found.body, request))

    def _delete(self, request: ArmRequest, name: str) -> ArmResponse:
        found = self._find(request, name)
        if found is None:
            return ArmResponse(204)
        self._store.delete(_KIND, found.id)
        return ArmResponse(200, _entity(found.body, request))

    def _find(self, request: ArmRequest, name: str) -> Document | None:
        found = self._store.get(_KIND, name.lower())
        return (
            found if found is not None and found.body["scope"].lower() == scope_of(request).lower() else None
        )

    def _list(self, request: ArmRequest) -> ArmResponse:
        if request.method != "GET":
            raise ServiceError(405, "MethodNotAllowed", f"{request.method} of a list is not served.")
        words, scope = _filter(request), scope_of(request).lower()
        principal = words.get("principalid")
        found = [
            document.body
            for document in self._store.list(_KIND)
            if (principal is None or document.body["principalId"].lower() == principal)
            and (
                _within(scope, document.body["scope"].lower())
                or ("atscope" not in words and _within(document.body["scope"].lower(), scope))
            )
        ]
        return ArmResponse(200, {"value": [_entity(body, request) for body in found]})

    def _definitions(self, request: ArmRequest, name: str) -> ArmResponse:
        if name:
            for role in ROLES:
                if role.id == name.lower():
                    return ArmResponse(200, _definition(role, request))
            text = f"The role definition '{name}' is not found."
            raise ServiceError(404, "RoleDefinitionDoesNotExist", text)
        wanted = _filter(request).get("rolename")
        found = [role for role in ROLES if wanted is None or role.name.lower() == wanted]
        return ArmResponse(200, {"value": [_definition(role, request) for role in found]})


def scope_of(request: ArmRequest) -> str:
    """Give what an assignment is for: the path before the provider, such as ``/subscriptions/S``."""
    at = request.path.lower().rfind(f"/providers/{NAMESPACE.lower()}")
    return request.path[:at] or "/"


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(
        str(one[key]).lower().rpartition("/roledefinitions/")[2]
        == str(other[key]).lower().rpartition("/roledefinitions/")[2]
        for key in ("scope", "principalId", "roleDefinitionId")
    )


def _filter(request: ArmRequest) -> dict[str, str]:
    """Read ``$filter``: what is asked for, in lower case; ServiceError names what cannot be answered."""
    text = request.query.get("$filter", "").strip()
    words: dict[str, str] = {}
    for part in re.split(r"\s+and\s+", text, flags=re.IGNORECASE) if text else ():
        match = _FILTER.fullmatch(part.strip())
        if match is None:
            message = (
                f"The filter '{part}' is not emulated; principalId, roleName, assignedTo and atScope are."
            )
            raise ServiceError(400, "UnsupportedFilter", message, "$filter")
        if match[1]:
            words[match[1].lower()] = match[2].lower()
        elif match[3] is not None:
            words["principalid"] = match[3].lower()
        else:
            words["atscope"] = ""
    return words


def _entity(body: Mapping[str, Any], request: ArmRequest) -> dict[str, Any]:
    typed = request.api_version >= _TYPED_SINCE
    more = {"principalType": body["principalType"], "createdOn": body["createdOn"]} if typed else {}
    return {
        "properties": {
            "roleDefinitionId": body["roleDefinitionId"],
            "principalId": body["principalId"],
            "scope": body["scope"],
            **more,
        },
        "id": f"{body['scope'].rstrip('/')}/providers/{NAMESPACE}/roleAssignments/{body['name']}",
        "type": f"{NAMESPACE}/roleAssignments",
        "name": body["name"],
    }


def _definition(role: Role, request: ArmRequest) -> dict[str, Any]:
    subscription = f"/subscriptions/{request.subscription}" if request.subscription else ""
    return {
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": "",
            "assignableScopes": ["/"],
            "permissions": [
                {
                    "actions": list(role.actions),
                    "notActions": [],
                    "dataActions": list(role.data_actions),
                    "notDataActions": [],
                }
            ],
        },
        "id": f"{subscription}/providers/{NAMESPACE}/roleDefinitions/{role.id}",
        "type": f"{NAMESPACE}/roleDefinitions",
        "name": role.id,
    }
