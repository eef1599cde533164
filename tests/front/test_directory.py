"""The directory in both of its APIs: a service principal is made, signs in, and is gone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.identity.directory import Directory, DirectoryError, Password
from batchai_scenario.emulator.identity.graph import Graph
from batchai_scenario.emulator.state.clock import ManualClock
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store
from tests.front.signed_in import CLIENT, SECRET, signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import requests

    from tests.front.signed_in import SignedIn

OLD, NEW = "graph.windows.net", "graph.microsoft.com"
TENANT = "72f9a100-0000-4000-8000-ba7c4a100001"


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedIn]:
    with signed_in(tmp_path_factory.mktemp("directory"), "1.6") as found:
        yield found


def token(script: SignedIn, resource: str, client: str = CLIENT, secret: str = SECRET) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": secret,
        "resource": resource,
    }
    return script.session.post(f"{script.url}/{TENANT}/oauth2/token", data=form, timeout=10)


class Api:
    """One of the two APIs, at its own host."""

    def __init__(self, script: SignedIn, host: str) -> None:
        self.script, self.host = script, host
        self.prefix = "v1.0" if host == NEW else TENANT
        found = token(script, f"https://{host}/").json()["access_token"]
        self.headers = {"Host": host, "Authorization": f"Bearer {found}"}

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> requests.Response:
        asked = {"api-version": "1.6", **query}
        url = f"{self.script.url}/{self.prefix}/{path}"
        return self.script.session.request(
            method, url, params=asked, json=body, headers=self.headers, timeout=10
        )


def test_what_the_command_line_of_2018_asks(script: SignedIn) -> None:
    api = Api(script, OLD)
    body = {
        "availableToOtherTenants": False,
        "displayName": "batch",
        "homepage": "http://batch",
        "identifierUris": ["http://batch"],
        "passwordCredentials": [
            {
                "keyId": "5f2a0f5b-0000-4000-8000-000000000001",
                "startDate": "2018-06-06T12:00:00.1234567Z",
                "endDate": "2099-06-06T12:00:00Z",
                "value": "made by the client",
            }
        ],
    }
    made = api.ask("POST", "applications", body)
    assert made.status_code == 201, made.text
    application = made.json()
    assert token(script, "x", application["appId"], "made by the client").status_code == 400
    principal = api.ask("POST", "servicePrincipals", {"appId": application["appId"]}).json()
    assert principal["servicePrincipalNames"] == [application["appId"], "http://batch"]
    assert token(script, "x", application["appId"], "made by the client").status_code == 200
    assert token(script, "x", application["appId"], "another").status_code == 401
    for query in ("http://batch", application["appId"]):
        text = f"servicePrincipalNames/any(c:c eq '{query}')"
        (found,) = api.ask("GET", "servicePrincipals", **{"$filter": text}).json()["value"]
        assert found == principal
    (found,) = api.ask("POST", "getObjectsByObjectIds", {"objectIds": [principal["objectId"]]}).json()[
        "value"
    ]
    assert found == principal
    assert "made by the client" not in api.ask("GET", "applications").text
    new = {"keyId": "5f2a0f5b-0000-4000-8000-000000000002", "value": "the second", "endDate": "2099-01-01"}
    assert (
        api.ask(
            "PATCH", f"applications/{application['objectId']}", {"passwordCredentials": [new]}
        ).status_code
        == 204
    )
    assert token(script, "x", application["appId"], "the second").status_code == 200
    assert token(script, "x", application["appId"], "made by the client").status_code == 401
    assert api.ask("DELETE", f"applications/{application['objectId']}").status_code == 204
    assert token(script, "x", application["appId"], "the second").status_code == 400
    gone = api.ask("GET", f"servicePrincipals/{principal['objectId']}")
    assert (gone.status_code, gone.json()["odata.error"]["code"]) == (404, "Request_ResourceNotFound")


def test_what_the_command_line_of_today_asks(script: SignedIn) -> None:
    api = Api(script, NEW)
    application = api.ask("POST", "applications", {"displayName": "today"}).json()
    principal = api.ask("POST", "servicePrincipals", {"appId": application["appId"]}).json()
    asked = {"passwordCredential": {"displayName": "rbac", "endDateTime": "2099-01-01T00:00:00Z"}}
    password = api.ask("POST", f"applications/{application['id']}/addPassword", asked).json()
    assert password["secretText"].isalnum()  # a command line takes "-..." for an option
    assert token(script, "x", application["appId"], password["secretText"]).status_code == 200
    for kind, query, id_ in (
        ("applications", "startswith(displayName,'tod')", application["id"]),
        ("applications", f"appId eq '{application['appId']}'", application["id"]),
        ("servicePrincipals", "displayName eq 'today'", principal["id"]),
    ):
        (found,) = api.ask("GET", kind, **{"$filter": query}).json()["value"]
        assert found["id"] == id_
    assert password["secretText"] not in api.ask("GET", f"applications/{application['id']}").text
    assert api.ask("POST", "servicePrincipals", {"appId": application["appId"]}).status_code == 409
    assert api.ask("DELETE", f"servicePrincipals/{principal['id']}").status_code == 204
    assert token(script, "x", application["appId"], password["secretText"]).status_code == 400


def test_a_change_changes_what_it_names_and_refuses_the_rest(script: SignedIn) -> None:
    api = Api(script, NEW)
    asked = {"displayName": "before", "passwordCredentials": [{"secretText": "kept all the while"}]}
    application = api.ask("POST", "applications", asked).json()
    principal = api.ask("POST", "servicePrincipals", {"appId": application["appId"]}).json()
    path = f"applications/{application['id']}"
    change = {"displayName": "after", "identifierUris": ["api://after"], "keyCredentials": []}
    assert api.ask("PATCH", path, change).status_code == 204
    found = api.ask("GET", path).json()
    assert (found["displayName"], found["identifierUris"]) == ("after", ["api://after"])
    followed = api.ask("GET", f"servicePrincipals/{principal['id']}").json()
    assert followed["servicePrincipalNames"] == [application["appId"], "api://after"]
    assert followed["displayName"] == "after"
    assert token(script, "x", application["appId"], "kept all the while").status_code == 200
    other = api.ask("POST", "applications", {"displayName": "other"}).json()
    refused: list[dict[str, Any]] = [{"identifierUris": ["api://after"]}, {"web": {}}, {"displayName": ""}]
    for wrong in refused:
        answer = api.ask("PATCH", f"applications/{other['id']}", wrong)
        assert (answer.status_code, next(iter(wrong)) in answer.text) == (400, True)
    assert api.ask("PATCH", "applications/none", {"displayName": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("applications", {"displayName": "x", "passwordCredentials": [1]}, "passwordCredentials"),
        ("applications", {"displayName": "x", "passwordCredentials": {"value": "x"}}, "passwordCredentials"),
        ("applications", {"displayName": "x", "identifierUris": "http://x"}, "identifierUris"),
        ("applications", {"displayName": "x", "keyCredentials": [{"value": "x"}]}, "keyCredentials"),
        ("applications", {"displayName": ["x"]}, "displayName"),
        ("applications/x/addPassword", {"passwordCredential": 1}, "passwordCredential"),
        ("servicePrincipals", {"appId": "x", "passwordCredentials": [{"value": "x"}]}, "passwordCredentials"),
        ("directoryObjects/getByIds", {"ids": 1}, "ids"),
    ],
)
def test_a_body_that_is_wrong_is_refused_by_name(
    script: SignedIn, path: str, body: dict[str, Any], name: str
) -> None:
    answer = Api(script, NEW).ask("POST", path, body)
    assert (answer.status_code, name in answer.json()["error"]["message"]) == (400, True)


def test_a_password_without_an_end_is_good_for_a_year_on_every_day(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2020, 2, 29, tzinfo=timezone.utc))
    store = Store(tmp_path / "state.sqlite3", Seal.at(tmp_path / "key"))
    body = {"displayName": "leap", "passwordCredentials": [{"secretText": "x"}]}
    made = Graph(Directory(store, clock)).handle("POST", "applications", {}, body, new=True, tenant=TENANT)
    store.close()
    assert made.status == 201
    assert made.body["passwordCredentials"][0]["endDateTime"].startswith("2021-02-28")


def test_what_is_not_emulated_is_refused_in_the_apis_own_form(script: SignedIn) -> None:
    for host, word in ((OLD, "odata.error"), (NEW, "error")):
        api = Api(script, host)
        for method, path in (
            ("GET", "users"),
            ("POST", "applications/x/owners"),
            ("GET", "applications/none"),
        ):
            answer = api.ask(method, path, {} if method == "POST" else None)
            assert (answer.status_code, word in answer.json()) == (404, True)
        answer = api.ask("GET", "applications", **{"$filter": "owner ne 'x'"})
        assert (answer.status_code, "Request_UnsupportedQuery" in answer.text) == (400, True)
        assert api.ask("POST", "servicePrincipals", {"appId": "nobody"}).status_code == 400


def test_a_token_for_another_resource_opens_nothing(script: SignedIn) -> None:
    found = token(script, "https://management.azure.com/").json()["access_token"]
    for authorization in ({}, {"Authorization": f"Bearer {found}"}):
        answer = script.session.get(
            f"{script.url}/v1.0/applications",
            headers={"Authorization": "", "Host": NEW, **authorization},
            timeout=10,
        )
        assert answer.status_code == 401


def test_passwords_end_with_their_time_and_outlive_a_restart(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2018, 6, 6, tzinfo=timezone.utc))

    def directory() -> tuple[Store, Directory]:
        store = Store(tmp_path / "state.sqlite3", Seal.at(tmp_path / "key"))
        return store, Directory(store, clock)

    store, found = directory()
    given = Password("one", "", clock.now(), clock.now() + timedelta(days=1), "secret of one")
    application = found.add_application("app", [], [given])
    found.add_principal(application["appId"])
    store.close()
    assert b"secret of one" not in (tmp_path / "state.sqlite3").read_bytes()
    store, found = directory()
    assert found.passwords(application["appId"].upper()) == ("secret of one",)
    clock.advance(days=2)
    assert found.passwords(application["appId"]) == ()
    assert len(found.add_password(application["id"], "", None).value) >= 32
    assert len(found.passwords(application["appId"])) == 1
    own = found.principals()[0]["id"]
    with pytest.raises(DirectoryError):
        found.remove_principal(own)
    store.close()
