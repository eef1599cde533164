"""Microsoft.Storage behind the resource manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from batchai_scenario.emulator.arm.messages import ArmRequest
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.state.clock import ManualClock
from batchai_scenario.emulator.storage.blob.containers import Containers
from batchai_scenario.emulator.storage.management.provider import StorageProvider
from batchai_scenario.emulator.storage.records import ShareRecord
from tests.storage.serving import ACCOUNT, assemble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchai_scenario.emulator.arm.messages import ArmResponse
    from tests.storage.serving import Served

BASE = "http://127.0.0.1:5000"
BODY = {"location": "East US", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "tags": {"a": "b"}}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Served]:
    served = assemble(tmp_path / "home", ManualClock())
    yield served
    served.store.close()


@pytest.fixture
def provider(home: Served) -> StorageProvider:
    containers = Containers(home.home, home.shares.records, home.shares.staging)
    return StorageProvider(home.accounts, home.shares, home.service.deleted, containers, home.clock)


def _ask(
    provider: StorageProvider,
    method: str,
    *types: tuple[str, str],
    group: str = "Group",
    action: str = "",
    body: dict[str, Any] | None = None,
    subscription: str = "SUB",
) -> ArmResponse:
    return provider.handle(
        ArmRequest(
            method,
            "",
            BASE,
            subscription,
            group,
            "Microsoft.Storage",
            types,
            action,
            "2018-07-01",
            {},
            {},
            body,
        )
    )


def _put(provider: StorageProvider, name: str, **more: Any) -> ArmResponse:
    return _ask(provider, "PUT", ("storageaccounts", name), body=BODY, **more)


def test_an_account_is_made_polled_and_read(provider: StorageProvider) -> None:
    made = _put(provider, "made")
    assert (made.status, made.body, made.headers["Retry-After"]) == (202, None, "0")
    url = urlsplit(made.headers["Location"])
    prefix = "/subscriptions/SUB/providers/Microsoft.Storage/locations/eastus/asyncoperations/"
    assert url.path.startswith(prefix)
    assert url.query == "monitor=true&api-version=2018-07-01"
    operation = url.path.removeprefix(prefix)
    polled = _ask(provider, "GET", ("locations", "eastus"), ("asyncoperations", operation), group="")
    read = _ask(provider, "GET", ("storageaccounts", "made"), group="gROUP")
    assert (polled.status, read.status) == (200, 200)
    assert polled.body == read.body
    assert read.body is not None
    assert read.body["id"] == (
        "/subscriptions/SUB/resourceGroups/Group/providers/Microsoft.Storage/storageAccounts/made"
    )
    assert (read.body["kind"], read.body["sku"]) == (
        "StorageV2",
        {"name": "Standard_LRS", "tier": "Standard"},
    )
    assert (read.body["location"], read.body["tags"]) == ("eastus", {"a": "b"})
    assert read.body["properties"]["primaryEndpoints"] == {
        "blob": f"{BASE}/blob/made/",
        "file": f"{BASE}/made/",
        "queue": f"{BASE}/queue/made/",
        "table": f"{BASE}/table/made/",
    }
    assert read.body["properties"]["provisioningState"] == "Succeeded"


def test_making_it_again_changes_tags_and_keeps_keys(provider: StorageProvider, home: Served) -> None:
    _put(provider, "made")
    account = home.accounts.get("made")
    again = _ask(provider, "PUT", ("storageaccounts", "made"), body={**BODY, "tags": {"c": "d"}})
    assert again.status == 200
    assert again.body is not None
    assert again.body["tags"] == {"c": "d"}
    kept = home.accounts.get("made")
    assert account is not None
    assert kept is not None
    assert kept.keys == account.keys


def test_keys_are_listed_and_renewed(provider: StorageProvider) -> None:
    _put(provider, "made")
    keys = _ask(provider, "POST", ("storageaccounts", "made"), action="listKeys").body
    assert keys is not None
    assert [(key["keyName"], key["permissions"]) for key in keys["keys"]] == [
        ("key1", "FULL"),
        ("key2", "FULL"),
    ]
    renewed = _ask(
        provider, "POST", ("storageaccounts", "made"), action="regenerateKey", body={"keyName": "key2"}
    ).body
    assert renewed is not None
    assert renewed["keys"][0] == keys["keys"][0]
    assert renewed["keys"][1] != keys["keys"][1]
    with pytest.raises(ServiceError) as refused:
        _ask(provider, "POST", ("storageaccounts", "made"), action="regenerateKey", body={"keyName": "key9"})
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("name", "more", "status", "code"),
    [
        ("made", {"group": "other"}, 409, "StorageAccountAlreadyTaken"),
        ("made", {"subscription": "other"}, 409, "StorageAccountAlreadyTaken"),
        (ACCOUNT, {}, 409, "StorageAccountAlreadyTaken"),
        ("blob", {}, 409, "StorageAccountAlreadyTaken"),
        ("Upper", {}, 400, "AccountNameInvalid"),
        ("no", {}, 400, "AccountNameInvalid"),
        ("with-dash", {}, 400, "AccountNameInvalid"),
    ],
)
def test_a_name_that_cannot_be_is_refused(  # noqa: PLR0917 - one for each column
    provider: StorageProvider, home: Served, name: str, more: dict[str, str], status: int, code: str
) -> None:
    _put(provider, "made")
    before = home.state()
    with pytest.raises(ServiceError) as refused:
        _put(provider, name, **more)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert home.state() == before


def test_a_location_is_demanded(provider: StorageProvider) -> None:
    with pytest.raises(ServiceError) as refused:
        _ask(provider, "PUT", ("storageaccounts", "made"), body={})
    assert (refused.value.status, refused.value.code) == (400, "LocationRequired")


def test_all_that_is_wrong_with_a_body_is_said_at_once(provider: StorageProvider) -> None:
    wrong = {"tags": ["a"], "sku": {"name": "Standard_Nothing"}, "kind": "Warehouse"}
    with pytest.raises(ServiceError) as refused:
        _ask(provider, "PUT", ("storageaccounts", "Made"), body=wrong)
    assert [(one.code, one.target) for one in refused.value.errors] == [
        ("AccountNameInvalid", ""),
        ("LocationRequired", "location"),
        ("InvalidRequestContent", "tags"),
        ("InvalidRequestPropertyValue", "sku.name"),
        ("InvalidRequestPropertyValue", "kind"),
    ]
    _put(provider, "made")
    for method in ("PUT", "PATCH"):
        with pytest.raises(ServiceError) as changed:
            _ask(provider, method, ("storageaccounts", "made"), body={**wrong, "sku": "Standard_LRS"})
        assert [one.target for one in changed.value.errors] == ["tags", "sku"]
    any_case = {**BODY, "sku": {"name": "standard_gzrs"}, "kind": "storagev2"}
    assert _ask(provider, "PUT", ("storageaccounts", "other"), body=any_case).status == 202
    read = _ask(provider, "GET", ("storageaccounts", "other")).body
    assert read is not None
    assert (read["sku"]["name"], read["kind"]) == ("Standard_GZRS", "StorageV2")


def test_names_are_checked(provider: StorageProvider) -> None:
    _put(provider, "made")
    taken = [(name, "AlreadyExists") for name in ("made", "blob", "tenants")]
    for name, expected in (("free", None), *taken, ("Not/one", "AccountNameInvalid")):
        body = {"name": name, "type": "Microsoft.Storage/storageAccounts"}
        answer = _ask(provider, "POST", action="checkNameAvailability", group="", body=body).body
        assert answer is not None
        assert (answer["nameAvailable"], answer.get("reason")) == (expected is None, expected)


def test_accounts_are_listed_by_group_and_subscription(provider: StorageProvider) -> None:
    for name, group in (("zero", "g1"), ("one", "g1"), ("two", "g10")):
        _put(provider, name, group=group)
    _put(provider, "three", subscription="other")

    def names(group: str) -> list[str]:
        body = _ask(provider, "GET", ("storageaccounts", ""), group=group).body
        assert body is not None
        return [account["name"] for account in body["value"]]

    assert names("G1") == ["one", "zero"]
    assert names("") == ["one", "two", "zero"]
    assert names("none") == []


def test_deleting_takes_files_and_keys(provider: StorageProvider, home: Served) -> None:
    _put(provider, "made")
    home.shares.create("made", "share", ShareRecord())
    assert _ask(provider, "DELETE", ("storageaccounts", "made"), group="other").status == 204
    assert _ask(provider, "DELETE", ("storageaccounts", "made")).status == 200
    assert _ask(provider, "DELETE", ("storageaccounts", "made")).status == 204
    assert not (home.home.storage / "made").exists()
    with pytest.raises(ServiceError) as missing:
        _ask(provider, "GET", ("storageaccounts", "made"))
    assert (missing.value.status, missing.value.code) == (404, "ResourceNotFound")


def test_a_group_takes_its_accounts_along(provider: StorageProvider, home: Served) -> None:
    _put(provider, "one", group="g1")
    _put(provider, "two", group="g10")
    assert provider.delete_group("sub", "G1")
    assert home.accounts.get("one") is None
    assert home.accounts.get("two") is not None


def test_what_is_not_emulated_is_refused_by_name(provider: StorageProvider) -> None:
    with pytest.raises(ServiceError, match="deletedAccounts"):
        _ask(provider, "GET", ("deletedAccounts", ""), group="")
    _put(provider, "made")
    with pytest.raises(ServiceError, match="failover"):
        _ask(provider, "POST", ("storageaccounts", "made"), action="failover")
    with pytest.raises(ServiceError, match="storageaccounts/managementpolicies"):
        _ask(provider, "GET", ("storageaccounts", "made"), ("managementpolicies", "default"))
