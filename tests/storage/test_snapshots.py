"""Snapshots of shares, taken by many at once and of shares that go away meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.storage.serving import ACCOUNT

if TYPE_CHECKING:
    from tests.storage.serving import Served

SNAPSHOT = {"restype": "share", "comp": "snapshot"}


def test_snapshots_that_are_taken_at_once_all_have_names_of_their_own(served: Served) -> None:
    assert served.ask("PUT", "/many", {"restype": "share"}).status == 201
    for number in range(20):
        served.make(f"/many/file{number}", b"x" * 1000)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: served.ask("PUT", "/many", SNAPSHOT), range(120)))
    assert {answer.status for answer in answers} == {201}
    names = [answer.headers["x-ms-snapshot"] for answer in answers]
    assert len(set(names)) == 120
    assert sorted(names) == served.shares.snapshots(ACCOUNT, "many")
    for name in names[:3]:
        answer = served.ask("GET", "/many/file7", {"sharesnapshot": name})
        assert (answer.status, len(answer.body)) == (200, 1000)


def test_a_share_that_is_deleted_meanwhile_leaves_no_snapshot(served: Served) -> None:
    assert served.ask("PUT", "/gone", {"restype": "share"}).status == 201
    for number in range(60):
        served.make(f"/gone/file{number}", b"x")
    with ThreadPoolExecutor(4) as pool:
        taken = [pool.submit(served.ask, "PUT", "/gone", SNAPSHOT) for _ in range(3)]
        deleted = pool.submit(
            served.ask, "DELETE", "/gone", {"restype": "share"}, {"x-ms-delete-snapshots": "include"}
        )
        assert deleted.result().status in (202, 409)
        assert {one.result().status for one in taken} <= {201, 404}
    if deleted.result().status == 202:
        assert served.shares.snapshots(ACCOUNT, "gone") == []


def test_a_snapshot_that_is_leased_goes_only_with_those_that_are(served: Served) -> None:
    taken = served.ask("PUT", "/data", SNAPSHOT).headers["x-ms-snapshot"]
    lease = {"restype": "share", "comp": "lease", "sharesnapshot": taken}
    assert served.ask("PUT", "/data", lease, {"x-ms-lease-action": "acquire"}).status == 201
    for choice, status, code in (
        ("include", 412, "LeaseIdMissing"),
        ("leased", 400, "InvalidHeaderValue"),
        ("include-leased", 202, ""),
    ):
        sent = {"x-ms-delete-snapshots": choice}
        answer = served.ask("DELETE", "/data", {"restype": "share"}, sent)
        assert (answer.status, answer.code) == (status, code)
        assert served.folder("data").exists() == (status != 202)
        assert served.shares.snapshots(ACCOUNT, "data") == ([taken] if status != 202 else [])


def test_a_missing_snapshot_is_a_missing_share_to_who_asks_for_properties(served: Served) -> None:
    missing = {"restype": "share", "sharesnapshot": "2019-05-17T23:41:28.0000000Z"}
    answer = served.ask("GET", "/data", missing)
    assert (answer.status, answer.code) == (404, "ShareNotFound")
    answer = served.ask("GET", "/data", {**missing, "comp": "metadata"})
    assert (answer.status, answer.code) == (404, "ShareSnapshotNotFound")
