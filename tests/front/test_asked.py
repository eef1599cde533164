"""Conditions, options of queries and kinds of content: each is done, or refused by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.front.signed_in import signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from tests.front.signed_in import SignedIn

SUBSCRIPTION = "/subscriptions/5a1b2c3d-0000-4000-8000-00000000000a"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg"
SPACE = f"{GROUP}/providers/Microsoft.BatchAI/workspaces/ws"
CLUSTER = f"{SPACE}/clusters/c"
FLAT = f"{GROUP}/providers/Microsoft.BatchAI/clusters"
STORE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/conditions"
EAST = {"location": "eastus"}
PROPERTIES = {
    "vmSize": "STANDARD_NC6",
    "userAccountSettings": {"adminUserName": "ada", "adminUserPassword": "Lovelace-1"},
    "scaleSettings": {"manual": {"targetNodeCount": 0}},
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedIn]:
    with signed_in(tmp_path_factory.mktemp("asked"), "2018-05-01") as found:
        found.ask("PUT", GROUP, EAST)
        found.ask("PUT", SPACE, EAST)
        found.ask("PUT", CLUSTER, {"properties": PROPERTIES})
        yield found


def ask(
    served: SignedIn,
    method: str,
    path: str,
    body: Any = None,
    *,
    data: str = "",
    headers: dict[str, str] | None = None,
) -> requests.Response:
    where = f"{served.url}{path}{'&' if '?' in path else '?'}api-version=2018-05-01"
    return served.session.request(
        method, where, json=body, data=data or None, headers=headers or {}, timeout=20
    )


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"] if answer.status_code >= 400 else ""


def test_conditions_hold_for_what_is_written(served: SignedIn) -> None:
    tag = ask(served, "GET", CLUSTER).headers["ETag"]
    unmet, met = (412, "PreconditionFailed"), (200, "")
    change = {"properties": {"scaleSettings": {"autoScale": {"minimumNodeCount": 0, "maximumNodeCount": 1}}}}
    for method, body in (("PATCH", change), ("DELETE", None)):
        for headers in ({"If-Match": '"0x1"'}, {"If-None-Match": "*"}, {"If-None-Match": f'"0x1", {tag}'}):
            assert code(ask(served, method, CLUSTER, body, headers=headers)) == unmet
    assert "manual" in ask(served, "GET", CLUSTER).json()["properties"]["scaleSettings"]
    assert code(ask(served, "PATCH", CLUSTER, change, headers={"If-Match": tag})) == met
    assert code(ask(served, "PATCH", CLUSTER, change, headers={"If-Match": tag})) == unmet  # it changed
    assert code(ask(served, "PATCH", CLUSTER, change, headers={"If-Match": "*"})) == met
    new = f"{SPACE}/experiments/new"
    assert code(ask(served, "PUT", new, {}, headers={"If-Match": "*"})) == unmet
    assert code(ask(served, "PUT", new, {}, headers={"If-None-Match": "*"})) == met
    assert code(ask(served, "PUT", new, {}, headers={"If-None-Match": "*"})) == unmet
    flat = served.ask("PUT", f"{FLAT}/f", {**EAST, "properties": PROPERTIES}, version="2018-03-01")
    assert flat.status_code == 202


def test_reads_are_whole_whatever_their_condition(served: SignedIn) -> None:
    tag = ask(served, "GET", CLUSTER).headers["ETag"]
    again = ask(served, "GET", CLUSTER, headers={"If-None-Match": tag, "Prefer": "return=minimal"})
    assert (again.status_code, again.json()["name"]) == (200, "c")
    assert "Preference-Applied" not in again.headers


@pytest.mark.parametrize(
    ("path", "body"), [(GROUP, EAST), (STORE, {**EAST, "sku": {"name": "Standard_LRS"}})]
)
def test_conditions_of_what_has_no_etag_are_refused(
    served: SignedIn, path: str, body: dict[str, Any]
) -> None:
    for name in ("If-Match", "If-None-Match"):
        answer = ask(served, "PUT", path, body, headers={name: "*"})
        assert code(answer) == (400, "InvalidHeaderValue")
        assert answer.json()["error"]["target"] == name.lower()


@pytest.mark.parametrize(
    ("path", "option"),
    [
        (f"{SUBSCRIPTION}/resourcegroups", "$expand"),
        (GROUP, "$filter"),
        (f"{GROUP}/resources", "$expand"),
        (f"{SUBSCRIPTION}/providers", "$expand"),
        (f"{SUBSCRIPTION}/providers/Microsoft.BatchAI", "$expand"),
        (f"{SPACE}/clusters", "$top"),
        (CLUSTER, "$select"),
        (f"{GROUP}/providers/Microsoft.Storage/storageAccounts", "$top"),
        ("/subscriptions", "$top"),
    ],
)
def test_options_that_would_go_unheard_are_refused(served: SignedIn, path: str, option: str) -> None:
    answer = ask(served, "GET", f"{path}?{option}=name")
    assert code(answer) == (400, "InvalidQueryParameterValue")
    assert answer.json()["error"]["target"] == option


def test_groups_and_resources_come_as_many_at_a_time_as_is_asked(served: SignedIn) -> None:
    for name in ("one", "two"):
        ask(served, "PUT", f"{SUBSCRIPTION}/resourcegroups/{name}", EAST)
    seen, where = [], f"{served.url}{SUBSCRIPTION}/resourcegroups?api-version=2018-05-01&$top=1"
    while where:
        page = served.session.get(where, timeout=20).json()
        seen.append([group["name"] for group in page["value"]])
        where = page.get("nextLink", "")
    assert seen == [["rg"], ["one"], ["two"]]
    assert len(ask(served, "GET", f"{SUBSCRIPTION}/resources?$top=1").json()["value"]) == 1
    for wrong in ("0", "many", "1001"):
        assert ask(served, "GET", f"{SUBSCRIPTION}/resourcegroups?$top={wrong}").status_code == 400


def test_a_body_says_that_it_is_json(served: SignedIn) -> None:
    text = '{"location": "eastus"}'
    for kind, named in (
        ("text/plain", "text/plain"),
        ("application/x-www-form-urlencoded; charset=utf-8", "form"),
    ):
        answer = ask(served, "PUT", SPACE, data=text, headers={"Content-Type": kind})
        assert code(answer) == (415, "UnsupportedMediaType")
        assert named in answer.json()["error"]["message"]
    said = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert ask(served, "PUT", SPACE, data=text, headers=said).status_code == 200
    assert ask(served, "PUT", f"{SPACE}/experiments/e", headers={"Content-Type": "text/plain"}).ok  # no body
