"""Soft deletion: shares that were deleted can be had back, for as long as their account says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.fileshare import ShareServiceClient

from batchai_scenario.emulator.state.clock import ManualClock
from batchai_scenario.emulator.storage.deleted import DeletedShares
from tests.storage.serving import ACCOUNT, KEY, Served, Serving, assemble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHARE = {"restype": "share"}
SNAPSHOT = {"restype": "share", "comp": "snapshot"}
NEW = {"x-ms-version": "2026-02-06"}


class Killed(BaseException):
    """What a kill is to the program that it hits."""


class KilledAfter(DeletedShares):
    """Is killed when so many folders have been moved."""

    moves = 99

    def _move(self, source: str, target: str) -> None:  # type: ignore[override]
        if not self.moves:
            raise Killed
        self.moves -= 1
        super()._move(source, target)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A home whose clock stands, and that keeps deleted shares for 7 days."""
    root = tmp_path_factory.mktemp("kept") / "home"
    with Serving(assemble(root, ManualClock(), share_days=7)) as served:
        yield served


def _make(served: Served, share: str) -> str:
    """Make a share with a file, a permission, metadata and a snapshot; gives the snapshot's time."""
    assert served.ask("PUT", f"/{share}", SHARE, {"x-ms-meta-a": "b", "x-ms-share-quota": "9"}).status == 201
    served.make(f"/{share}/file", b"before", {"x-ms-meta-c": "d"})
    taken = served.ask("PUT", f"/{share}", SNAPSHOT).headers["x-ms-snapshot"]
    served.make(f"/{share}/file", b"after", {"x-ms-meta-c": "e"})
    return taken


def _delete(served: Served, share: str) -> None:
    sent = {"x-ms-delete-snapshots": "include"}
    assert served.ask("DELETE", f"/{share}", SHARE, sent).status == 202


def _restore(served: Served, share: str, version: str, name: str = "") -> tuple[int, str]:
    sent = {"x-ms-deleted-share-name": name or share, "x-ms-deleted-share-version": version}
    answer = served.ask("PUT", f"/{share}", {"restype": "share", "comp": "undelete"}, sent)
    return answer.status, answer.code


def _versions(served: Served, share: str) -> list[str]:
    return [gone.version for gone in served.service.deleted.kept(ACCOUNT) if gone.name == share]


def _check_whole(served: Served, share: str, taken: str) -> None:
    """See that a share is what ``_make`` made."""
    answer = served.ask("GET", f"/{share}", SHARE)
    assert (answer.headers["x-ms-meta-a"], answer.headers["x-ms-share-quota"]) == ("b", "9")
    for query, content, metadata in (({}, b"after", "e"), ({"sharesnapshot": taken}, b"before", "d")):
        answer = served.ask("GET", f"/{share}/file", query)
        assert (answer.status, answer.body, answer.headers["x-ms-meta-c"]) == (200, content, metadata)


def test_microsofts_client_undeletes_a_share(served: Served) -> None:
    served.service.deleted.set_days(ACCOUNT, 7)
    with ShareServiceClient(f"{served.url}/{ACCOUNT}", KEY) as client:
        share = client.create_share("reports", metadata={"a": "b"})
        share.get_file_client("march.txt").upload_file(b"42 %")
        client.delete_share("reports")
        assert [item.name for item in client.list_shares()] == ["data"]
        found = list(client.list_shares(include_deleted=True, include_metadata=True))
        (gone,) = [item for item in found if item.deleted]
        assert (gone.name, gone.metadata, gone.remaining_retention_days) == ("reports", {"a": "b"}, 7)
        assert gone.deleted_time is not None
        with pytest.raises(ResourceNotFoundError):
            client.undelete_share("reports", "01D60F8BB59A4652")
        client.undelete_share(gone.name, str(gone.version))
        assert share.get_file_client("march.txt").download_file().readall() == b"42 %"
        assert share.get_share_properties().metadata == {"a": "b"}
        with pytest.raises(ResourceNotFoundError):
            client.undelete_share(gone.name, str(gone.version))
        client.delete_share("reports")
        client.create_share("reports")
        (gone,) = [item for item in client.list_shares(include_deleted=True) if item.deleted]
        with pytest.raises(ResourceExistsError, match="ShareAlreadyExists"):
            client.undelete_share(gone.name, str(gone.version))
    served.service.deleted.set_days(ACCOUNT, 0)
    served.service.deleted.forget_all(ACCOUNT)


def test_a_share_comes_back_whole_with_its_snapshots(kept: Served) -> None:
    taken = _make(kept, "whole")
    lease = {"restype": "share", "comp": "lease"}
    sent = {"x-ms-lease-action": "acquire", **NEW}
    held = kept.ask("PUT", "/whole", lease, sent).headers["x-ms-lease-id"]
    sent = {"x-ms-delete-snapshots": "include", "x-ms-lease-id": held}
    assert kept.ask("DELETE", "/whole", SHARE, sent).status == 202
    assert kept.ask("GET", "/whole/file").code == "ShareNotFound"
    assert kept.ask("GET", "/whole/file", {"sharesnapshot": taken}).code == "ShareSnapshotNotFound"
    (version,) = _versions(kept, "whole")
    assert _restore(kept, "whole", version, "other") == (400, "InvalidHeaderValue")
    assert _restore(kept, "whole", version) == (201, "")
    _check_whole(kept, "whole", taken)
    assert kept.ask("GET", "/whole", SHARE, NEW).headers["x-ms-lease-state"] == "available"


def test_its_name_is_free_at_once_and_each_deleted_one_has_a_version(kept: Served) -> None:
    for content in (b"one", b"two"):
        assert kept.ask("PUT", "/again", SHARE).status == 201
        kept.make("/again/file", content)
        _delete(kept, "again")
    first, second = _versions(kept, "again")
    assert first < second
    assert _restore(kept, "again", first) == (201, "")
    assert kept.ask("GET", "/again/file").body == b"one"
    assert _restore(kept, "again", second) == (409, "ShareAlreadyExists")
    assert _versions(kept, "again") == [second]


def test_when_its_time_is_over_it_is_gone_and_so_is_its_folder(kept: Served) -> None:
    clock = kept.clock
    assert isinstance(clock, ManualClock)
    _make(kept, "over")
    _delete(kept, "over")
    (version,) = _versions(kept, "over")
    folder = kept.home.storage / ".deleted" / ACCOUNT / f"over!{version}"
    assert (folder / "share" / "file").read_bytes() == b"after"
    for days, left in ((0, 7), (1, 6), (5.5, 1)):
        clock.advance(days=days)
        (gone,) = [share for share in kept.service.deleted.kept(ACCOUNT) if share.name == "over"]
        assert gone.remaining == left
    clock.advance(days=0.5)
    assert _restore(kept, "over", version) == (404, "ShareNotFound")
    assert not folder.exists()
    assert "over" not in kept.ask("GET", "/", {"comp": "list", "include": "deleted"}).body.decode()
    assert not kept.store.list("storage-entry", f"{ACCOUNT}/over!{version}")


def test_a_list_with_pages_of_one_tells_each_once(kept: Served) -> None:
    for name in ("page", "page-b", "page-b2", "page2"):
        assert kept.ask("PUT", f"/{name}", SHARE).status == 201
    taken = kept.ask("PUT", "/page", SNAPSHOT).headers["x-ms-snapshot"]
    _delete(kept, "page-b")
    (version,) = _versions(kept, "page-b")
    assert kept.ask("PUT", "/page-b", SHARE).status == 201
    found, marker = [], ""
    for _ in range(9):
        query = {"comp": "list", "include": "deleted,snapshots", "maxresults": "1", "prefix": "page"}
        answer = kept.ask("GET", "/", {**query, "marker": marker} if marker else query, NEW)
        found.append((answer.text("Name"), answer.text("Snapshot"), answer.text("Version")))
        marker = answer.text("NextMarker")
        if not marker:
            break
    assert found == [
        ("page", taken, ""),
        ("page", "", ""),
        ("page-b", "", version),
        ("page-b", "", ""),
        ("page-b2", "", ""),
        ("page2", "", ""),
    ]


@pytest.mark.parametrize("moves", [0, 1, 2])
def test_a_kill_while_it_is_deleted_loses_nothing(tmp_path: Path, moves: int) -> None:
    with Serving(assemble(tmp_path / "home", ManualClock(), share_days=7)) as served:
        taken = _make(served, "data")
        killed = KilledAfter(served.shares, served.store, served.clock, days=7)
        killed.moves = moves
        if moves < 2:
            with pytest.raises(Killed):
                killed.keep(ACCOUNT, "data")
        else:
            assert killed.keep(ACCOUNT, "data")
        next_one = DeletedShares(served.shares, served.store, served.clock)
        assert served.ask("GET", "/data/file").code == "ShareNotFound"
        (gone,) = next_one.kept(ACCOUNT)
        next_one.restore(ACCOUNT, "data", gone.version)
        _check_whole(served, "data", taken)


@pytest.mark.parametrize("moves", [0, 1])
def test_a_kill_while_it_is_restored_loses_nothing(tmp_path: Path, moves: int) -> None:
    with Serving(assemble(tmp_path / "home", ManualClock(), share_days=7)) as served:
        taken = _make(served, "data")
        _delete(served, "data")
        (version,) = _versions(served, "data")
        killed = KilledAfter(served.shares, served.store, served.clock)
        killed.moves = moves
        with pytest.raises(Killed):
            killed.restore(ACCOUNT, "data", version)
        next_one = DeletedShares(served.shares, served.store, served.clock)
        assert next_one.kept(ACCOUNT) == []
        _check_whole(served, "data", taken)


def test_a_share_that_cannot_be_moved_stays_where_it_is(tmp_path: Path) -> None:
    with Serving(assemble(tmp_path / "home", ManualClock(), share_days=7)) as served:
        taken = _make(served, "data")
        (served.home.storage / ".deleted").write_text("in the way")
        sent = {"x-ms-delete-snapshots": "include"}
        with pytest.raises(NotADirectoryError):
            served.service.deleted.keep(ACCOUNT, "data")
        assert served.ask("DELETE", "/data", SHARE, sent).status >= 400
        _check_whole(served, "data", taken)
        assert served.service.deleted.kept(ACCOUNT) == []


def test_what_is_over_goes_at_the_next_start(tmp_path: Path) -> None:
    clock = ManualClock()
    with Serving(assemble(tmp_path / "home", clock, share_days=7)) as served:
        _make(served, "data")
        _delete(served, "data")
        clock.advance(days=8)
        DeletedShares(served.shares, served.store, clock)
        assert list((served.home.storage / ".deleted" / ACCOUNT).iterdir()) == []


def test_an_accounts_deleted_shares_go_with_it(tmp_path: Path) -> None:
    with Serving(assemble(tmp_path / "home", ManualClock(), share_days=7)) as served:
        _make(served, "data")
        _delete(served, "data")
        served.service.deleted.forget_all(ACCOUNT)
        assert served.service.deleted.kept(ACCOUNT) == []
        assert list((served.home.storage / ".deleted" / ACCOUNT).iterdir()) == []
