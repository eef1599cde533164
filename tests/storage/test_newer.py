"""Copies, renames, leases, snapshots and policies, asked for wrongly: refused, and nothing has changed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.storage.serving import ACCOUNT

if TYPE_CHECKING:
    from tests.storage.serving import Served

GUID = "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-2222-3333-4444-555555555555"
COPY = "x-ms-copy-source"
RENAME = "x-ms-file-rename-source"


@pytest.mark.parametrize(
    ("source", "status", "code"),
    [
        ("{url}/devaccount/data/missing", 404, "CannotVerifyCopySource"),
        ("{url}/devaccount/nowhere/f", 404, "CannotVerifyCopySource"),
        ("{url}/stranger/data/f", 404, "CannotVerifyCopySource"),
        ("{url}/devaccount/data/../../secret", 400, "InvalidResourceName"),
        ("{url}/devaccount/data/%2e%2e/secret", 400, "InvalidResourceName"),
        ("{url}/devaccount/data//f", 400, "InvalidResourceName"),
        ("{url}/devaccount/data/f/", 400, "InvalidResourceName"),
        ("{url}/devaccount/data/f?sharesnapshot=../../data", 400, "CannotVerifyCopySource"),
        ("http://example.org/devaccount/data/f", 404, "CannotVerifyCopySource"),
        ("file:///etc/passwd", 404, "CannotVerifyCopySource"),
        ("{url}/devaccount/data/f?sig=x&sv=2019-02-02&sr=f&sp=r&se=2099-01-01", 403, "AuthenticationFailed"),
        ("https://devaccount.blob.core.windows.net/c/b", 501, "NotImplemented"),
        ("{url}/blob/devaccount/c/b", 501, "NotImplemented"),
        ("http://[::1/devaccount/data/f?sv=2019-02-02&sig=untold", 400, "InvalidHeaderValue"),
    ],
)
def test_a_wrong_source_is_not_copied(served: Served, source: str, status: int, code: str) -> None:
    served.make("/data/f", b"content")
    (served.home.storage / ACCOUNT / "secret").write_text("secret")
    before = served.state()
    text = source.format(url=served.url)
    answer = served.ask("PUT", "/data/g", headers={COPY: text})
    assert (answer.status, answer.code) == (status, code)
    assert b"untold" not in answer.body  # an error shows no signature
    ranges = {COPY: text, "x-ms-range": "bytes=0-1", "x-ms-source-range": "bytes=0-1"}
    answer = served.ask("PUT", "/data/f", {"comp": "range"}, ranges)
    assert answer.code == code
    assert answer.status in (status, 401)  # its source is fetched as anybody would
    assert served.state() == before


def test_a_source_of_another_account_needs_a_signature_of_its_own(served: Served) -> None:
    served.accounts.create("another", "s/g", {})
    served.folder("data", "another").mkdir()
    (served.folder("data", "another") / "f").write_text("another's")
    (served.folder("data") / "f").write_text("own")
    for account, code in (("another", "CannotVerifyCopySource"), (ACCOUNT, "")):
        answer = served.ask("PUT", "/data/g", headers={COPY: f"{served.url}/{account}/data/f"})
        assert answer.code == code
        assert (served.folder("data") / "g").exists() == (account == ACCOUNT)


@pytest.mark.parametrize(
    ("target", "headers", "code"),
    [
        ("/data/f", {}, "MissingRequiredHeader"),
        ("/data/missing/g", {RENAME: "{url}/devaccount/data/f"}, "ParentNotFound"),
        ("/data/a%3Ab", {RENAME: "{url}/devaccount/data/f"}, "InvalidResourceName"),
        ("/data/%2e%2e/f", {RENAME: "{url}/devaccount/data/f"}, "InvalidResourceName"),
        ("/data//g", {RENAME: "{url}/devaccount/data/f"}, "InvalidResourceName"),
        ("/data/g", {RENAME: "{url}/devaccount/data//f"}, "InvalidResourceName"),
        ("/data/g", {RENAME: "{url}/devaccount/data/f/"}, "InvalidResourceName"),
        ("/data/g", {RENAME: "{url}/devaccount/data/missing"}, "ResourceNotFound"),
        ("/data/g", {RENAME: "{url}/devaccount/data/folder"}, "ResourceTypeMismatch"),
        ("/data/g", {RENAME: "{url}/devaccount/other/f"}, "InvalidHeaderValue"),
        ("/data/folder", {RENAME: "{url}/devaccount/data/f"}, "ResourceAlreadyExists"),
        ("/data/f2", {RENAME: "{url}/devaccount/data/f"}, "ResourceAlreadyExists"),
        (
            "/data/g",
            {RENAME: "{url}/devaccount/data/f", "x-ms-source-lease-id": GUID},
            "LeaseNotPresentWithFileOperation",
        ),
    ],
)
def test_a_wrong_rename_moves_nothing(
    served: Served, target: str, headers: dict[str, str], code: str
) -> None:
    served.make("/data/f", b"content")
    served.make("/data/f2", b"other")
    (served.folder("data") / "folder").mkdir()
    before = served.state()
    sent = {name: value.format(url=served.url) for name, value in headers.items()}
    assert served.ask("PUT", target, {"comp": "rename"}, sent).code == code
    assert served.state() == before


def test_a_link_is_renamed_as_a_link_and_never_out_of_the_share(served: Served) -> None:
    share = served.folder("data")
    (served.home.storage / ACCOUNT / "secret").write_text("secret")
    (share / "out").symlink_to("..")
    served.make("/data/f", b"content")
    sent = {RENAME: f"{served.url}/{ACCOUNT}/data/f"}
    assert served.ask("PUT", "/data/out/g", {"comp": "rename"}, sent).code == "ParentNotFound"
    sent = {RENAME: f"{served.url}/{ACCOUNT}/data/out/secret"}
    assert served.ask("PUT", "/data/g", {"comp": "rename"}, sent).status == 404
    assert (share / "f").read_bytes() == b"content"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "MissingRequiredHeader"),
        ({"x-ms-lease-action": "borrow"}, 400, "InvalidHeaderValue"),
        ({"x-ms-lease-action": "acquire", "x-ms-lease-duration": "20"}, 400, "InvalidHeaderValue"),
        ({"x-ms-lease-action": "acquire", "x-ms-proposed-lease-id": "me"}, 400, "InvalidHeaderValue"),
        ({"x-ms-lease-action": "acquire", "x-ms-proposed-lease-id": OTHER}, 409, "LeaseAlreadyPresent"),
        ({"x-ms-lease-action": "renew", "x-ms-lease-id": GUID}, 400, "InvalidHeaderValue"),
        ({"x-ms-lease-action": "release"}, 400, "MissingRequiredHeader"),
        ({"x-ms-lease-action": "release", "x-ms-lease-id": OTHER}, 409, "LeaseIdMismatchWithLeaseOperation"),
        (
            {"x-ms-lease-action": "change", "x-ms-lease-id": OTHER, "x-ms-proposed-lease-id": OTHER},
            409,
            "LeaseIdMismatchWithLeaseOperation",
        ),
    ],
)
def test_a_wrong_lease_action_changes_nothing(
    served: Served, headers: dict[str, str], status: int, code: str
) -> None:
    served.make("/data/f", b"content")
    taken = {"x-ms-lease-action": "acquire", "x-ms-proposed-lease-id": GUID}
    assert served.ask("PUT", "/data/f", {"comp": "lease"}, taken).status == 201
    answer = served.ask("PUT", "/data/f", {"comp": "lease"}, headers)
    assert (answer.status, answer.code) == (status, code)
    assert served.put("/data/f", 0, b"C").code == "LeaseIdMissing"
    assert served.put("/data/f", 0, b"C", {"x-ms-lease-id": GUID}).status == 201


def test_a_lease_outlives_the_service_and_ends_with_its_file(served: Served) -> None:
    from batchai_scenario.emulator.storage.leases import Leases

    served.make("/data/f", b"content")
    taken = {"x-ms-lease-action": "acquire", "x-ms-proposed-lease-id": GUID}
    assert served.ask("PUT", "/data/f", {"comp": "lease"}, taken).status == 201
    key = f"{ACCOUNT}/data/f"
    assert Leases(served.store, served.clock).state(key) == "leased"
    assert served.ask("DELETE", "/data/f", headers={"x-ms-lease-id": GUID}).status == 202
    assert Leases(served.store, served.clock).state(key) == "available"
    served.make("/data/f", b"content")


def test_a_snapshot_is_read_only_and_cannot_be_climbed_out_of(served: Served) -> None:
    served.make("/data/f", b"content")
    answer = served.ask("PUT", "/data", {"restype": "share", "comp": "snapshot"})
    taken = answer.headers["x-ms-snapshot"]
    assert served.ask("GET", "/data/f", {"sharesnapshot": taken}).body == b"content"
    for method, path, query in (
        ("PUT", "/data/f", {"comp": "metadata"}),
        ("DELETE", "/data/f", {}),
        ("PUT", "/data/d", {"restype": "directory"}),
    ):
        refused = served.ask(method, path, {**query, "sharesnapshot": taken})
        assert (refused.status, refused.code) == (400, "ShareSnapshotOperationNotSupported")
    for wrong, code in (
        ("../data", "InvalidQueryParameterValue"),
        ("2019-05-17T23:41:28.0000000Z", "ShareSnapshotNotFound"),
    ):
        assert served.ask("GET", "/data/f", {"sharesnapshot": wrong}).code == code
    assert served.ask("GET", "/data/f", {"sharesnapshot": taken}).body == b"content"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<SignedIdentifiers>", "InvalidXmlDocument"),
        (b"<Other />", "InvalidXmlDocument"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><SignedIdentifiers />', "InvalidXmlDocument"),
        (b"<SignedIdentifiers><SignedIdentifier /></SignedIdentifiers>", "InvalidXmlNodeValue"),
        (
            (
                b"<SignedIdentifiers><SignedIdentifier><Id>a</Id><AccessPolicy><Start>soon</Start>"
                b"</AccessPolicy></SignedIdentifier></SignedIdentifiers>"
            ),
            "InvalidXmlNodeValue",
        ),
        (b"x" * 70_000, "RequestBodyTooLarge"),
    ],
)
def test_wrong_policies_are_not_kept(served: Served, body: bytes, code: str) -> None:
    query = {"restype": "share", "comp": "acl"}
    assert served.ask("PUT", "/data", query, body=body).code == code
    assert served.ask("GET", "/data", query).body.endswith(b"<SignedIdentifiers></SignedIdentifiers>")


def test_a_share_lease_ends_by_itself(served: Served) -> None:
    from batchai_scenario.emulator.storage.leases import Lease, Leases

    leases = Leases(served.store, served.clock)
    now = served.clock.now()
    for ends, broken, state in (
        (now + timedelta(seconds=60), False, "leased"),
        (now - timedelta(seconds=1), False, "expired"),
        (now + timedelta(seconds=60), True, "breaking"),
        (now - timedelta(seconds=1), True, "broken"),
    ):
        leases._leases["a/b"] = Lease(GUID, 15, ends.timestamp(), broken)
        assert leases.state("a/b") == state
