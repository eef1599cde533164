"""Role assignments: kept, listed, deleted, and said to decide nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.arm.authorization import ROLES
from tests.front.signed_in import signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.front.signed_in import SignedIn

CONTRIBUTOR = next(role.id for role in ROLES if role.name == "Contributor")
NAME = "0e9d2a4c-0000-4000-8000-00000000000{}"
SUBSCRIPTION = "/subscriptions/s"
GROUP = f"{SUBSCRIPTION}/resourceGroups/roles"
ROLE = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}"


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedIn]:
    with signed_in(tmp_path_factory.mktemp("roles"), "2018-09-01-preview") as found:
        found.ask("PUT", GROUP, {"location": "eastus"})
        yield found


def _assignment(scope: str, number: int) -> str:
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{NAME.format(number)}"


def _body(principal: str) -> dict[str, Any]:
    return {"properties": {"roleDefinitionId": ROLE, "principalId": principal}}


def test_a_role_is_looked_up_by_its_name_as_the_command_line_does(script: SignedIn) -> None:
    path, version = f"{GROUP}/providers/Microsoft.Authorization/roleDefinitions", "2018-01-01-preview"
    query = {"$filter": "roleName eq 'Contributor'"}
    (found,) = script.ask("GET", path, version=version, **query).json()["value"]
    assert (found["name"], found["properties"]["roleName"]) == (CONTRIBUTOR, "Contributor")
    assert script.ask("GET", f"{path}/{CONTRIBUTOR}", version=version).json() == found
    assert len(script.ask("GET", path, version=version).json()["value"]) == len(ROLES)


def test_assignments_are_kept_listed_by_scope_and_deleted(script: SignedIn) -> None:
    account = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/rolesacct"
    for number, scope in enumerate((SUBSCRIPTION, GROUP, account)):
        made = script.ask("PUT", _assignment(scope, number), _body(f"p{number}"))
        assert (made.status_code, made.json()["properties"]["scope"]) == (201, scope)
        assert "decide nothing" in made.headers["Warning"]
        assert script.ask("PUT", _assignment(scope, number), _body(f"p{number}")).status_code == 200
    listing = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments"

    def principals(**query: str) -> set[str]:
        found = script.ask("GET", listing, **query).json()["value"]
        return {one["properties"]["principalId"] for one in found}

    assert principals() == {"p0", "p1", "p2"}
    assert principals(**{"$filter": "atScope()"}) == {"p0", "p1"}
    assert principals(**{"$filter": "principalId eq 'P2'"}) == {"p2"}
    assert principals(**{"$filter": "atScope() and assignedTo('p1')"}) == {"p1"}
    assert script.ask("GET", _assignment(account, 2)).json()["properties"]["principalId"] == "p2"
    assert script.ask("GET", _assignment(GROUP, 2)).status_code == 404
    assert script.ask("DELETE", GROUP).status_code == 202
    while script.ask("GET", GROUP).status_code == 200:
        pass
    script.ask("PUT", GROUP, {"location": "eastus"})
    assert principals() == {"p0"}
    assert script.ask("DELETE", _assignment(SUBSCRIPTION, 0)).status_code == 200
    assert script.ask("DELETE", _assignment(SUBSCRIPTION, 0)).status_code == 204


@pytest.mark.parametrize(
    ("change", "name", "status", "code"),
    [
        ({"principalId": ""}, NAME.format(5), 400, "InvalidRequestContent"),
        ({"roleDefinitionId": f"{ROLE[:-1]}0"}, NAME.format(5), 404, "RoleDefinitionDoesNotExist"),
        ({}, "no-guid", 400, "InvalidRoleAssignmentId"),
        ({}, NAME.format(6), 409, "RoleAssignmentExists"),
    ],
)
def test_what_cannot_be_assigned_is_refused(
    script: SignedIn, change: dict[str, str], name: str, status: int, code: str
) -> None:
    script.ask("PUT", _assignment(GROUP, 4), _body("taken"))
    body = _body("taken")
    body["properties"] |= change
    path = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{name}"
    answer = script.ask("PUT", path, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    script.ask("DELETE", _assignment(GROUP, 4))
