"""What holds files and shares for azure-storage-file-share: leases, snapshots, handles, read-only files."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
)
from azure.storage.fileshare import (
    ContentSettings,
)

from tests.storage.driving import error_code


def test_file_leases(share: Any) -> None:
    file = share.get_file_client("f")
    file.upload_file(b"content")
    lease = file.acquire_lease()
    found = file.get_file_properties().lease
    assert (found.status, found.state, found.duration) == ("locked", "leased", "infinite")
    for forbidden in (
        lambda: file.upload_range(b"x", offset=0, length=1),
        file.delete_file,
        lambda: file.set_file_metadata({"n": "1"}),
        lambda: file.upload_file(b"other"),
        lambda: file.resize_file(1),
    ):
        with pytest.raises(HttpResponseError) as refused:
            forbidden()
        assert (refused.value.status_code, error_code(refused)) == (412, "LeaseIdMissing")
    with pytest.raises(HttpResponseError) as mismatch:
        file.upload_range(b"x", offset=0, length=1, lease=str(uuid.uuid4()))
    assert error_code(mismatch) == "LeaseIdMismatchWithFileOperation"
    assert file.download_file().readall() == b"content"
    file.upload_range(b"C", offset=0, length=1, lease=lease)
    with pytest.raises(ResourceExistsError) as taken:
        file.acquire_lease()
    assert error_code(taken) == "LeaseAlreadyPresent"
    lease.change(proposed_lease_id=str(uuid.uuid4()))
    file.set_file_metadata({"n": "1"}, lease=lease)
    lease.release()
    assert file.get_file_properties().lease.state == "available"
    file.acquire_lease()
    lease.break_lease()
    assert file.get_file_properties().lease.state == "broken"
    file.delete_file()


def test_share_leases(service: Any, share: Any) -> None:
    lease = share.acquire_lease(lease_duration=15)
    assert share.get_share_properties().lease.duration == "fixed"
    with pytest.raises(HttpResponseError) as refused:
        share.delete_share()
    assert (refused.value.status_code, error_code(refused)) == (412, "LeaseIdMissing")
    lease.renew()
    lease.change(proposed_lease_id=str(uuid.uuid4()))
    assert next(iter(service.list_shares("data"))).lease.state == "leased"
    assert 0 <= lease.break_lease(lease_break_period=10) <= 10
    assert share.get_share_properties().lease.state == "breaking"
    with pytest.raises(ResourceExistsError) as breaking:
        share.acquire_lease()
    assert error_code(breaking) == "LeaseIsBreakingAndCannotBeAcquired"
    lease.release()
    share.delete_share()


def test_snapshots(service: Any, share: Any) -> None:
    directory = share.create_directory("a")
    directory.upload_file("f", b"before", metadata={"state": "old"})
    taken = share.create_snapshot(metadata={"why": "test"})["snapshot"]
    directory.upload_file("f", b"after!")
    old = service.get_share_client("data", snapshot=taken)
    assert old.get_share_properties().metadata == {"why": "test"}
    file = old.get_file_client("a/f")
    assert file.download_file().readall() == b"before"
    assert file.get_file_properties().metadata == {"state": "old"}
    assert [item.name for item in old.get_directory_client("a").list_directories_and_files()] == ["f"]
    share.get_file_client("back").start_copy_from_url(file.url)
    assert share.get_file_client("back").download_file().readall() == b"before"
    assert len(list(service.list_shares("data", include_snapshots=True))) == 2
    with pytest.raises(ResourceExistsError) as refused:
        share.delete_share()
    assert error_code(refused) == "ShareHasSnapshots"
    old.delete_share()
    share.create_snapshot()
    share.delete_share(delete_snapshots=True)
    assert list(service.list_shares("data", include_snapshots=True)) == []


def test_handles(share: Any) -> None:
    directory = share.create_directory("a")
    directory.upload_file("f", b"x")
    file = share.get_file_client("a/f")
    assert list(directory.list_handles(recursive=True)) == []
    assert list(file.list_handles()) == []
    assert directory.close_all_handles() == {"closed_handles_count": 0, "failed_handles_count": 0}
    assert file.close_all_handles() == {"closed_handles_count": 0, "failed_handles_count": 0}


def test_read_only_files(share: Any) -> None:
    file = share.get_file_client("f")
    file.create_file(4, file_attributes="ReadOnly")
    for forbidden in (
        lambda: file.upload_range(b"x", offset=0, length=1),
        file.delete_file,
        lambda: file.create_file(1),
    ):
        with pytest.raises(ResourceExistsError) as refused:
            forbidden()
        assert error_code(refused) == "ReadOnlyAttribute"
    file.set_http_headers(ContentSettings(), file_attributes="Archive")
    file.delete_file()
