"""Services, shares, containers and signatures of an account, asked of the resource manager."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient
from azure.storage.fileshare import ShareClient

from batchai_scenario.emulator.storage.management.catalogue import OPERATIONS, page
from tests.front.signed_in import signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.front.signed_in import SignedIn

PAGE = Path(__file__).parents[2] / "docs" / "storage-management.md"
GROUP = "/subscriptions/s/resourceGroups/g"
PROVIDER = "/providers/Microsoft.Storage"
ACCOUNT = f"{GROUP}{PROVIDER}/storageAccounts/managed"
SHARES = f"{ACCOUNT}/fileServices/default/shares"
CONTAINERS = f"{ACCOUNT}/blobServices/default/containers"
EXPIRY = "2099-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedIn]:
    with signed_in(tmp_path_factory.mktemp("managed"), "2023-05-01") as found:
        found.ask("PUT", GROUP, {"location": "westus"}, version="2018-05-01")
        made = found.ask("PUT", ACCOUNT, {"location": "westus", "sku": {"name": "Standard_LRS"}})
        assert made.status_code == 202
        yield found


def test_the_page_in_docs_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), "run the command that the page names"


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_every_operation_of_the_page_is_served(manager: SignedIn, row: Any) -> None:
    """Not refused as unknown; what a body must say is tested below."""
    path = row.path.replace(" (of a group)", "")
    base = GROUP if row.path.endswith("(of a group)") else "/subscriptions/s"
    name = {"C": "thing", "S": "thing", "L": "westus"}
    path = "/".join(name.get(part, part) for part in path.split("/"))
    full = path.replace("A", ACCOUNT, 1) if path[0] == "A" else f"{base}{PROVIDER}{path}"
    if row.name == "StorageAccounts_Delete":
        full = full.replace("managed", "nobody")
    answer = manager.ask(row.method, full, {"name": "managed"} if row.method in ("PUT", "POST") else None)
    assert answer.status_code not in (405, 500, 501), answer.text
    assert "InvalidResourceType" not in answer.text


def test_an_account_tells_what_the_services_tells(manager: SignedIn) -> None:
    properties = manager.body("GET", ACCOUNT)["properties"]
    endpoints = properties["primaryEndpoints"]
    assert set(endpoints) == {"blob", "file", "queue", "table"}
    assert endpoints["file"] == f"{manager.url}/managed/"
    assert (endpoints["blob"].startswith(manager.url), endpoints["blob"][-9:]) == (False, "/managed/")
    assert properties["networkAcls"]["defaultAction"] == "Allow"
    assert properties["encryption"]["keySource"] == "Microsoft.Storage"
    assert properties["supportsHttpsTrafficOnly"] is False
    usage = manager.body("GET", f"/subscriptions/s{PROVIDER}/usages", version="2016-01-01")["value"][0]
    assert (usage["name"]["value"], usage["currentValue"]) == ("StorageAccounts", 1)
    assert manager.body("GET", f"/subscriptions/s{PROVIDER}/locations/westus/usages") == {"value": [usage]}
    names = {sku["name"] for sku in manager.body("GET", f"/subscriptions/s{PROVIDER}/skus")["value"]}
    assert {"Standard_LRS", "Premium_LRS"} <= names


def test_shares_are_made_changed_listed_and_deleted(manager: SignedIn) -> None:
    wanted = {"properties": {"shareQuota": 7, "metadata": {"a": "b"}, "accessTier": "Hot"}}
    made = manager.ask("PUT", f"{SHARES}/one", wanted)
    assert made.status_code == 201
    entity = made.json()
    assert entity["type"] == "Microsoft.Storage/storageAccounts/fileServices/shares"
    assert entity["id"].endswith("/managed/fileServices/default/shares/one")
    assert (entity["properties"]["shareQuota"], entity["properties"]["accessTier"]) == (7, "Hot")
    assert manager.ask("PUT", f"{SHARES}/one", {}).status_code == 200
    changed = manager.body("PATCH", f"{SHARES}/one", {"properties": {"shareQuota": 9}})
    assert (changed["properties"]["shareQuota"], changed["properties"]["metadata"]) == (9, {"a": "b"})
    manager.body("PUT", f"{SHARES}/two", {})
    first = manager.body("GET", SHARES, **{"$maxpagesize": "1"})
    assert [one["name"] for one in first["value"]] == ["one"]
    rest = manager.session.get(first["nextLink"], timeout=20).json()
    assert ("two" in [one["name"] for one in rest["value"]], "one" in str(rest["value"])) == (True, False)
    for name in ("one", "two"):
        assert manager.ask("DELETE", f"{SHARES}/{name}").status_code == 200
        assert manager.ask("DELETE", f"{SHARES}/{name}").status_code == 204
    assert manager.ask("GET", f"{SHARES}/one").json()["error"]["code"] == "ShareNotFound"


def test_containers_are_made_changed_and_deleted_with_what_waited_in_them(manager: SignedIn) -> None:
    made = manager.ask("PUT", f"{CONTAINERS}/box", {"properties": {"metadata": {"k": "v"}}})
    assert (made.status_code, made.json()["properties"]["publicAccess"]) == (201, "None")
    blob = _container(manager, "box", "rwdl").get_blob_client("half")
    blob.stage_block("MDAx", b"waits")
    assert len(blob.get_block_list("all")[1]) == 1
    assert manager.ask("DELETE", f"{CONTAINERS}/box").status_code == 200
    assert manager.ask("PUT", f"{CONTAINERS}/box", {}).status_code == 201
    with pytest.raises(ResourceNotFoundError):  # and not the block that waited in the old one
        blob.get_block_list("all")
    assert [one["name"] for one in manager.body("GET", CONTAINERS)["value"]] == ["box"]
    manager.ask("DELETE", f"{CONTAINERS}/box")


@pytest.mark.parametrize(
    ("path", "properties", "status", "target"),
    [
        (f"{SHARES}/xyz", {"shareQuota": 0}, 400, "properties.shareQuota"),
        (f"{SHARES}/xyz", {"accessTier": "Warm"}, 400, "properties.accessTier"),
        (f"{SHARES}/xyz", {"accessTier": "Premium"}, 400, "properties.accessTier"),
        (f"{SHARES}/xyz", {"enabledProtocols": "NFS"}, 400, "properties.enabledProtocols"),
        (f"{SHARES}/xyz", {"rootSquash": "RootSquash"}, 400, "properties.rootSquash"),
        (f"{CONTAINERS}/xyz", {"publicAccess": "Blob"}, 409, "properties.publicAccess"),
        (f"{CONTAINERS}/xyz", {"metadata": "no"}, 400, "properties.metadata"),
        (f"{ACCOUNT}/fileServices/default", {"cors": {"corsRules": [1]}}, 400, "properties.cors"),
        (f"{ACCOUNT}/blobServices/default", {"isVersioningEnabled": True}, 400, ""),
    ],
)
def test_what_would_have_no_effect_is_refused_and_nothing_is_made(
    manager: SignedIn, path: str, properties: dict[str, Any], status: int, target: str
) -> None:
    answer = manager.ask("PUT", path, {"properties": properties})
    assert answer.status_code == status
    assert answer.json()["error"].get("target", "").startswith(target)
    assert manager.ask("GET", f"{SHARES}/xyz").status_code == 404
    assert manager.ask("GET", f"{CONTAINERS}/xyz").status_code == 404


@pytest.mark.parametrize(
    ("method", "name", "text"),
    [
        ("GET", "$expand", "stats"),
        ("PUT", "$expand", "snapshots"),
        ("DELETE", "include", "leased-snapshots"),
        ("DELETE", "x-ms-snapshot", "2019-05-17T23:41:28.0000000Z"),
    ],
)
def test_what_would_go_unheard_is_refused_and_the_share_stays(
    manager: SignedIn, method: str, name: str, text: str
) -> None:
    manager.body("PUT", f"{SHARES}/heard", {})
    header = name.startswith("x-")
    answer = manager.session.request(
        method,
        f"{manager.url}{SHARES}/heard",
        params={"api-version": manager.version} | ({} if header else {name: text}),
        headers={name: text} if header else {},
        timeout=20,
    )
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, name)
    assert name in answer.json()["error"]["message"]
    assert manager.ask("GET", f"{SHARES}/heard").status_code == 200
    assert manager.ask("DELETE", f"{SHARES}/heard", include="none").status_code == 200


def test_shares_of_an_account_for_files_are_premium_and_no_others(manager: SignedIn) -> None:
    account = ACCOUNT.replace("managed", "fastfiles")
    wanted = {"location": "westus", "kind": "FileStorage", "sku": {"name": "Premium_LRS"}}
    assert manager.ask("PUT", account, wanted).status_code == 202
    share = f"{account}/fileServices/default/shares/quick"
    refused = manager.ask("PUT", share, {"properties": {"accessTier": "Hot"}})
    assert (refused.status_code, refused.json()["error"]["target"]) == (400, "properties.accessTier")
    assert manager.ask("GET", share).status_code == 404
    for properties in ({}, {"accessTier": "Premium"}):
        assert manager.body("PUT", share, {"properties": properties})["properties"]["accessTier"] == "Premium"
    assert manager.body("GET", share)["properties"]["accessTier"] == "Premium"


def test_all_that_is_refused_of_a_share_is_said_at_once(manager: SignedIn) -> None:
    wrong = {"shareQuota": 0, "accessTier": "Warm", "enabledProtocols": "NFS", "rootSquash": "NoRootSquash"}
    error = manager.ask("PUT", f"{SHARES}/xyz", {"properties": wrong}).json()["error"]
    assert [one["target"] for one in error["details"]] == [f"properties.{name}" for name in wrong]


def test_a_share_with_snapshots_stays(manager: SignedIn) -> None:
    manager.body("PUT", f"{SHARES}/kept", {})
    key = manager.body("POST", f"{ACCOUNT}/listKeys")["keys"][0]["value"]
    with ShareClient(f"{manager.url}/managed", "kept", credential=key) as share:
        share.create_snapshot()
    assert manager.ask("DELETE", f"{SHARES}/kept").json()["error"]["code"] == "ShareHasSnapshots"
    assert manager.ask("GET", f"{SHARES}/kept").status_code == 200


def _container(manager: SignedIn, name: str, permission: str) -> ContainerClient:
    asked = {
        "canonicalizedResource": f"/blob/managed/{name}",
        "signedResource": "c",
        "signedPermission": permission,
        "signedExpiry": EXPIRY,
    }
    token = manager.body("POST", f"{ACCOUNT}/ListServiceSas", asked)["serviceSasToken"]
    return ContainerClient.from_container_url(f"{manager.url}/blob/managed/{name}?{token}")


def test_signatures_open_what_they_say_and_no_more(manager: SignedIn) -> None:
    manager.body("PUT", f"{SHARES}/signed", {})
    asked = {
        "signedServices": "f",
        "signedResourceTypes": "sco",
        "signedPermission": "rl",
        "signedExpiry": EXPIRY,
        "keyToSign": "key2",
    }
    token = manager.body("POST", f"{ACCOUNT}/ListAccountSas", asked)["accountSasToken"]
    with ShareClient(f"{manager.url}/managed", "signed", credential=token) as share:
        assert share.get_share_properties()["name"] == "signed"
        with pytest.raises(Exception, match="AuthorizationPermissionMismatch"):
            share.create_directory("no")
    manager.body("PUT", f"{CONTAINERS}/signed", {})
    with _container(manager, "signed", "rwl") as container:
        container.upload_blob("a", b"text")
        assert [blob.name for blob in container.list_blobs()] == ["a"]


@pytest.mark.parametrize(
    ("action", "change", "target"),
    [
        ("ListAccountSas", {"signedExpiry": None}, "signedExpiry"),
        ("ListAccountSas", {"signedExpiry": "tomorrow"}, "signedExpiry"),
        ("ListAccountSas", {"keyToSign": "key3"}, "keyToSign"),
        ("ListAccountSas", {"signedPlanet": "earth"}, "signedPlanet"),
        ("ListServiceSas", {"canonicalizedResource": "/file/other/share"}, "canonicalizedResource"),
        ("ListServiceSas", {"signedResource": "q"}, "signedResource"),
    ],
)
def test_signatures_are_refused_by_the_propertys_name(
    manager: SignedIn, action: str, change: dict[str, Any], target: str
) -> None:
    service = {"canonicalizedResource": "/file/managed/signed", "signedResource": "s"}
    account = {"signedServices": "f", "signedResourceTypes": "s"}
    body = {"signedPermission": "r", "signedExpiry": EXPIRY}
    body |= service if action == "ListServiceSas" else account
    answer = manager.ask("POST", f"{ACCOUNT}/{action}", {**body, **change})
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, target)


SERVICE = {
    "fileServices": f"{ACCOUNT}/fileServices/default",
    "blobServices": f"{ACCOUNT}/blobServices/default",
}
RULE = {
    "allowedOrigins": ["https://page.example"],
    "allowedMethods": ["GET"],
    "allowedHeaders": ["*"],
    "exposedHeaders": [],
    "maxAgeInSeconds": 60,
}


@pytest.mark.parametrize(("service", "kind"), [("fileServices", "file"), ("blobServices", "blob")])
def test_rules_for_browsers_hold_at_the_services_own_endpoint(
    manager: SignedIn, service: str, kind: str
) -> None:
    endpoint = manager.body("GET", ACCOUNT)["properties"]["primaryEndpoints"][kind]
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}
    for rules, status in (([RULE], 200), ([], 403)):
        body = {"properties": {"cors": {"corsRules": rules}}}
        set_to = manager.body("PUT", SERVICE[service], body)
        assert set_to["properties"]["cors"]["corsRules"] == rules
        assert manager.body("GET", SERVICE[service]) == set_to
        assert requests.options(f"{endpoint}x/y", headers=asked, timeout=10).status_code == status


def test_deleted_shares_are_kept_listed_and_restored(manager: SignedIn) -> None:
    policy = {"shareDeleteRetentionPolicy": {"enabled": True, "days": 3}}
    assert manager.body("GET", SERVICE["fileServices"])["properties"]["shareDeleteRetentionPolicy"] == {
        "enabled": False
    }
    assert manager.body("PUT", SERVICE["fileServices"], {"properties": policy})["properties"] == {
        "cors": {"corsRules": []},
        **policy,
    }
    others = {one["name"] for one in manager.body("GET", SHARES)["value"]}
    for name in ("soft", "soft-b"):
        manager.body("PUT", f"{SHARES}/{name}", {"properties": {"metadata": {"a": "b"}}})
    assert manager.ask("DELETE", f"{SHARES}/soft").status_code == 200
    assert manager.ask("GET", f"{SHARES}/soft").status_code == 404
    assert {one["name"] for one in manager.body("GET", SHARES)["value"]} - others == {"soft-b"}
    found, link = [], ""
    for _ in range(9):
        query = {"$expand": "deleted", "$maxpagesize": "1"}
        page_ = manager.session.get(link, timeout=20).json() if link else manager.body("GET", SHARES, **query)
        found += page_["value"]
        link = page_.get("nextLink", "")
        if not link:
            break
    gone, other = (one for one in found if one["name"] not in others)
    assert (gone["name"], other["name"], "deleted" in other["properties"]) == ("soft", "soft-b", False)
    told = gone["properties"]
    assert (told["deleted"], told["remainingRetentionDays"], told["metadata"]) == (True, 3, {"a": "b"})
    body = {"deletedShareName": "soft", "deletedShareVersion": told["version"]}
    for wrong in ({}, {**body, "deletedShareName": "other"}, {**body, "deletedShareVersion": None}):
        assert manager.ask("POST", f"{SHARES}/soft/restore", wrong).status_code == 400
    missing = manager.ask("POST", f"{SHARES}/soft/restore", {**body, "deletedShareVersion": "01D6"})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ShareNotFound")
    assert manager.ask("POST", f"{SHARES}/soft/restore", body).status_code == 200
    assert manager.body("GET", f"{SHARES}/soft")["properties"]["metadata"] == {"a": "b"}
    manager.body(
        "PUT", SERVICE["fileServices"], {"properties": {"shareDeleteRetentionPolicy": {"enabled": False}}}
    )
    for name in ("soft", "soft-b"):
        assert manager.ask("DELETE", f"{SHARES}/{name}").status_code == 200
    left = manager.body("GET", SHARES, **{"$expand": "deleted"})["value"]
    assert {one["name"] for one in left} == others


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"cors": {"rules": []}}, "properties.cors"),
        ({"cors": {"corsRules": [RULE] * 6}}, "properties.cors.corsRules"),
        ({"cors": {"corsRules": [{**RULE, "more": 1}]}}, "properties.cors.corsRules[0]"),
        ({"cors": {"corsRules": [{**RULE, "allowedOrigins": "*"}]}}, "corsRules[0].allowedOrigins"),
        ({"cors": {"corsRules": [{**RULE, "allowedMethods": ["TRACE"]}]}}, "corsRules[0].allowedMethods"),
        ({"cors": {"corsRules": [{**RULE, "maxAgeInSeconds": -1}]}}, "corsRules[0].maxAgeInSeconds"),
        ({"shareDeleteRetentionPolicy": {"days": 7}}, "shareDeleteRetentionPolicy.enabled"),
        ({"shareDeleteRetentionPolicy": {"enabled": True}}, "shareDeleteRetentionPolicy.days"),
        ({"shareDeleteRetentionPolicy": {"enabled": True, "days": 366}}, "shareDeleteRetentionPolicy.days"),
        ({"shareDeleteRetentionPolicy": 7}, "properties.shareDeleteRetentionPolicy"),
        ({"protocolSettings": {"smb": {"versions": "SMB3.0"}}}, "properties.protocolSettings"),
    ],
)
def test_what_is_wrong_with_a_services_properties_changes_nothing(
    manager: SignedIn, properties: dict[str, Any], said: str
) -> None:
    before = manager.body("GET", SERVICE["fileServices"])
    body = {"properties": {"cors": {"corsRules": [RULE]}, **properties}}
    answer = manager.ask("PUT", SERVICE["fileServices"], body)
    assert (answer.status_code, said in answer.json()["error"]["target"]) == (400, True)
    assert manager.body("GET", SERVICE["fileServices"]) == before
