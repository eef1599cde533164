"""What people's programs do: azure-storage-file 2.1.0 against the service."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
import requests
from azure.common import AzureConflictHttpError, AzureHttpError, AzureMissingResourceHttpError
from azure.storage.common.models import AccessPolicy, AccountPermissions, CorsRule, Metrics, ResourceTypes
from azure.storage.file import ContentSettings, FilePermissions, SharePermissions
from azure.storage.file.models import DeleteSnapshot, SMBProperties

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azure.storage.file import FileService

    from tests.storage.serving import Served


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def test_shares_are_made_listed_and_deleted(served: Served, client: FileService) -> None:
    assert client.create_share("first", metadata={"owner": "me"}, quota=7)
    assert not client.create_share("first")
    with pytest.raises(AzureConflictHttpError) as conflict:
        client.create_share("first", fail_on_exist=True)
    assert conflict.value.error_code == "ShareAlreadyExists"
    listed = {share.name: share for share in client.list_shares(include_metadata=True)}
    assert sorted(listed) == ["data", "first"]
    assert (listed["first"].properties.quota, listed["first"].metadata) == (7, {"owner": "me"})
    assert listed["data"].properties.quota == 5120
    client.set_share_properties("first", 9)
    client.set_share_metadata("first", {"a": "b"})
    share = client.get_share_properties("first")
    assert (share.properties.quota, share.metadata) == (9, {"a": "b"})
    assert client.get_share_metadata("first") == {"a": "b"}
    assert client.delete_share("first")
    assert not client.delete_share("first")
    assert not client.exists("first")
    assert not served.folder("first").exists()


def test_shares_are_listed_page_by_page_and_by_prefix(client: FileService) -> None:
    for number in range(5):
        client.create_share(f"page-{number}")
    first = client._list_shares(prefix="page", max_results=2)
    assert [share.name for share in first] == ["page-0", "page-1"]
    rest = client._list_shares(prefix="page", marker=first.next_marker)
    assert [share.name for share in rest] == ["page-2", "page-3", "page-4"]
    assert [share.name for share in client.list_shares(prefix="page-")] == [f"page-{n}" for n in range(5)]


def test_a_file_goes_up_and_comes_down_in_parallel_ranges(
    served: Served, client: FileService, tmp_path: Path
) -> None:
    data = os.urandom(9 * 1024 * 1024 + 123)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    settings = ContentSettings(content_type="text/x-digits", content_md5=_md5(data))
    client.create_directory("data", "mnistcntksample")
    seen: list[int] = []
    client.create_file_from_path(
        "data", "mnistcntksample", "train.txt", str(source), settings, {"epoch": "two words"},
        validate_content=True, max_connections=4, progress_callback=lambda done, _: seen.append(done),
    )  # fmt: skip
    assert seen[-1] == len(data)
    assert (served.folder("data") / "mnistcntksample" / "train.txt").read_bytes() == data
    client.MAX_SINGLE_GET_SIZE = client.MAX_CHUNK_GET_SIZE = 1024 * 1024
    file = client.get_file_to_path(
        "data", "mnistcntksample", "train.txt", str(target), validate_content=True, max_connections=3
    )
    assert target.read_bytes() == data
    assert file.metadata == {"epoch": "two words"}
    found = client.get_file_properties("data", "mnistcntksample", "train.txt").properties
    assert found.content_length == len(data)
    assert (found.content_settings.content_type, found.content_settings.content_md5) == (
        "text/x-digits",
        _md5(data),
    )
    assert found.smb_properties.ntfs_attributes == "Archive"


def test_an_empty_file_comes_down_through_416(client: FileService) -> None:
    client.create_file_from_bytes("data", None, "empty", b"")
    assert client.get_file_to_bytes("data", None, "empty").content == b""


def test_a_part_of_a_file_comes_down(client: FileService) -> None:
    client.create_file_from_bytes("data", None, "digits", b"0123456789")
    assert client.get_file_to_bytes("data", None, "digits", start_range=3, end_range=5).content == b"345"
    assert client.get_file_to_bytes("data", None, "digits", start_range=8).content == b"89"


def test_directories_are_made_listed_and_deleted(client: FileService) -> None:
    assert client.create_directory("data", "a", metadata={"k": "v"})
    assert not client.create_directory("data", "a")
    client.create_directory("data", "a/b")
    client.create_file_from_text("data", "a", "c.txt", "see")
    assert client.get_directory_metadata("data", "a") == {"k": "v"}
    client.set_directory_metadata("data", "a", {"n": "w"})
    assert client.get_directory_properties("data", "a").metadata == {"n": "w"}
    assert sorted(entry.name for entry in client.list_directories_and_files("data", "a")) == ["b", "c.txt"]
    with pytest.raises(AzureConflictHttpError) as conflict:
        client.delete_directory("data", "a")
    assert conflict.value.error_code == "DirectoryNotEmpty"
    client.delete_file("data", "a", "c.txt")
    client.delete_directory("data", "a/b")
    assert client.delete_directory("data", "a")
    assert not client.delete_directory("data", "a")
    assert list(client.list_directories_and_files("data")) == []


def test_a_long_listing_comes_in_pages_sorted_by_name(served: Served, client: FileService) -> None:
    names = ["Zoë", "a & b", "b", "B2", "ein Wörtchen.txt", "z.txt", "x"]
    for name in names:
        (served.folder("data") / name).write_text(name)
    found: list[str] = []
    sizes = []
    marker = None
    while marker != "":
        page = client._list_directories_and_files("data", marker=marker, max_results=3)
        sizes.append(len(page))
        found += [entry.name for entry in page]
        marker = page.next_marker or ""
    assert sizes == [3, 3, 1]
    assert found == sorted(names, key=str.lower)
    assert [entry.name for entry in client.list_directories_and_files("data", prefix="Z")] == ["z.txt", "Zoë"]


def test_properties_and_size_are_set(client: FileService) -> None:
    client.create_file_from_text(
        "data", None, "f", "0123456789", content_settings=ContentSettings("text/plain")
    )
    client.set_file_metadata("data", None, "f", {"x": "1"})
    client.resize_file("data", None, "f", 4)
    file = client.get_file_properties("data", None, "f")
    assert (file.properties.content_length, file.metadata) == (4, {"x": "1"})
    assert file.properties.content_settings.content_type == "text/plain"
    client.set_file_properties("data", None, "f", ContentSettings("text/html", cache_control="no-store"))
    settings = client.get_file_properties("data", None, "f").properties.content_settings
    assert (settings.content_type, settings.cache_control) == ("text/html", "no-store")
    assert client.get_file_metadata("data", None, "f") == {"x": "1"}
    assert client.get_file_to_text("data", None, "f").content == "0123"


def test_ranges_are_cleared_and_listed(client: FileService) -> None:
    client.create_file("data", None, "sparse", 1024 * 1024)
    assert client.list_ranges("data", None, "sparse") == []
    client.update_range("data", None, "sparse", b"x" * 16384, 65536, 65536 + 16383)
    ranges = client.list_ranges("data", None, "sparse")
    assert [(found.start, found.end) for found in ranges] == [(65536, 65536 + 16383)]
    client.clear_range("data", None, "sparse", 65536, 65536 + 16383)
    assert client.list_ranges("data", None, "sparse") == []
    assert client.get_file_to_bytes("data", None, "sparse").content == bytes(1024 * 1024)
    client.update_range("data", None, "sparse", b"abc", 5, 7)
    assert client.get_share_stats_in_bytes("data") == 1024 * 1024


def test_what_is_there_is_told_from_what_is_not(client: FileService) -> None:
    client.create_directory("data", "d")
    client.create_file_from_text("data", "d", "f", "x")
    assert client.exists("data")
    assert client.exists("data", "d")
    assert client.exists("data", "d", "f")
    assert not client.exists("nothere")
    assert not client.exists("data", "e")
    assert not client.exists("data", "d", "g")
    assert not client.exists("data", "e", "f")
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: client.get_file_to_bytes("data", "d", "g"), "ResourceNotFound"),
        (lambda: client.get_file_to_bytes("data", "e", "g"), "ParentNotFound"),
        (lambda: client.create_file_from_text("data", "e", "g", "x"), "ParentNotFound"),
        (lambda: client.get_file_to_bytes("nothere", None, "g"), "ShareNotFound"),
        (lambda: client.create_directory("nothere", "g"), "ShareNotFound"),
        (lambda: client.delete_file("data", "d", "g"), "ResourceNotFound"),
    ]
    for call, code in calls:
        with pytest.raises(AzureMissingResourceHttpError) as missing:
            call()
        assert missing.value.error_code == code


def test_a_file_signature_reads_that_file_with_a_plain_client(served: Served, client: FileService) -> None:
    client.create_directory("data", "out put")
    client.create_file_from_text("data", "out put", "log ä.txt", "0123456789")
    token = client.generate_file_shared_access_signature(
        "data", "out put", "log ä.txt", FilePermissions.READ, datetime.now(timezone.utc) + timedelta(hours=1),
        content_type="text/shown",
    )  # fmt: skip
    url = client.make_file_url("data", "out put", "log ä.txt", sas_token=token, protocol="http")
    whole = requests.get(url, timeout=10)
    assert (whole.status_code, whole.text, whole.headers["content-type"]) == (200, "0123456789", "text/shown")
    part = requests.get(url, headers={"Range": "bytes=7-"}, timeout=10)
    assert (part.status_code, part.text, part.headers["content-range"]) == (206, "789", "bytes 7-9/10")
    after = requests.get(url, headers={"Range": "bytes=10-"}, timeout=10)
    assert (after.status_code, after.headers["content-range"]) == (416, "bytes */10")
    assert requests.head(url, timeout=10).headers["content-length"] == "10"
    assert requests.delete(url, timeout=10).headers["x-ms-error-code"] == "AuthorizationPermissionMismatch"


def test_share_and_account_signatures_open_what_they_name(served: Served, client: FileService) -> None:
    client.create_file_from_text("data", None, "f", "x")
    end = datetime.now(timezone.utc) + timedelta(hours=1)
    token = client.generate_share_shared_access_signature(
        "data", SharePermissions.READ + SharePermissions.LIST, end
    )
    bearer = type(client)(
        account_name=client.account_name, sas_token=token, protocol="http", endpoint_suffix="unused.invalid"
    )
    bearer.primary_endpoint = client.primary_endpoint
    bearer.retry = lambda _: None
    assert bearer.get_file_to_text("data", None, "f").content == "x"
    assert [entry.name for entry in bearer.list_directories_and_files("data")] == ["f"]
    with pytest.raises(AzureHttpError) as refused:
        bearer.create_file_from_text("data", None, "g", "y")
    assert refused.value.error_code == "AuthorizationPermissionMismatch"
    with pytest.raises(AzureHttpError) as refused:
        bearer.get_share_properties("data")
    assert refused.value.error_code == "AuthorizationResourceTypeMismatch"
    token = client.generate_account_shared_access_signature(
        ResourceTypes.SERVICE + ResourceTypes.CONTAINER,
        AccountPermissions.LIST + AccountPermissions.CREATE,
        end,
    )
    bearer.authentication = type(bearer.authentication)(token)
    assert [share.name for share in bearer.list_shares()] == ["data"]
    assert bearer.create_share("made")
    with pytest.raises(AzureHttpError) as refused:
        bearer.get_file_properties("data", None, "f")
    assert refused.value.status_code == 403


def test_a_share_s_snapshot_keeps_what_was(served: Served, client: FileService) -> None:
    client.create_file_from_text("data", None, "f", "before", metadata={"state": "old"})
    taken = client.snapshot_share("data", metadata={"why": "test"}).snapshot
    client.create_file_from_text("data", None, "f", "after!", metadata={"state": "new"})
    assert client.get_file_to_text("data", None, "f", snapshot=taken).content == "before"
    old = client.get_file_properties("data", None, "f", snapshot=taken)
    assert (old.metadata, old.properties.content_length) == ({"state": "old"}, 6)
    assert [entry.name for entry in client.list_directories_and_files("data", snapshot=taken)] == ["f"]
    assert client.get_share_properties("data", snapshot=taken).metadata == {"why": "test"}
    listed = [(share.name, share.snapshot) for share in client.list_shares(include_snapshots=True)]
    assert listed == [("data", taken), ("data", None)]
    with pytest.raises(AzureConflictHttpError) as conflict:
        client.delete_share("data", fail_not_exist=True)
    assert conflict.value.error_code == "ShareHasSnapshots"
    client.delete_share("data", snapshot=taken)
    assert [share.name for share in client.list_shares(include_snapshots=True)] == ["data"]
    client.snapshot_share("data")
    client.delete_share("data", delete_snapshots=DeleteSnapshot.Include)
    assert not served.folder("data").exists()


def test_a_file_is_copied_and_the_copy_is_done_at_once(client: FileService) -> None:
    client.create_file_from_text("data", None, "f", "content", metadata={"k": "v"})
    copy = client.copy_file("data", None, "g", client.make_file_url("data", None, "f"))
    assert copy.status == "success"
    found = client.get_file_properties("data", None, "g")
    assert found.metadata == {"k": "v"}
    assert (found.properties.copy.id, found.properties.copy.status) == (copy.id, "success")
    assert found.properties.copy.progress == "7/7"
    assert client.get_file_to_text("data", None, "g").content == "content"
    with pytest.raises(AzureConflictHttpError) as conflict:
        client.abort_copy_file("data", None, "g", copy.id)
    assert conflict.value.error_code == "NoPendingCopyOperation"


def test_stored_policies_open_and_close_what_they_signed(served: Served, client: FileService) -> None:
    client.create_file_from_text("data", None, "f", "content")
    policy = AccessPolicy(SharePermissions.READ, datetime.now(timezone.utc) + timedelta(hours=1))
    client.set_share_acl("data", {"readers": policy})
    assert client.get_share_acl("data")["readers"].permission == "r"
    token = client.generate_share_shared_access_signature("data", id="readers")
    url = client.make_file_url("data", None, "f", sas_token=token)
    assert requests.get(url, timeout=10).text == "content"
    assert requests.put(url, timeout=10).status_code == 403
    client.set_share_acl("data")
    assert client.get_share_acl("data") == {}
    assert requests.get(url, timeout=10).status_code == 403


def test_permissions_are_kept_by_key(client: FileService) -> None:
    text = "O:S-1-5-32-544G:S-1-5-21-1-2-3-513D:AI(A;;FA;;;SY)"
    key = client.create_permission_for_share("data", json.dumps({"permission": text}).encode())
    assert json.loads(client.get_permission_for_share("data", key)) == {"permission": text}
    client.create_file(
        "data", None, "p", 1, file_permission=None, smb_properties=SMBProperties(permission_key=key)
    )
    assert client.get_file_properties("data", None, "p").properties.smb_properties.permission_key == key
    client.create_directory("data", "d", file_permission=text)
    assert client.get_directory_properties("data", "d").properties.smb_properties.permission_key == key
    with pytest.raises(AzureMissingResourceHttpError):
        client.get_permission_for_share("data", "1*2")


def test_the_service_s_properties_are_kept(client: FileService) -> None:
    assert client.get_file_service_properties().cors == []
    rule = CorsRule(["https://example.org"], ["GET"], 60)
    client.set_file_service_properties(hour_metrics=Metrics(enabled=True, include_apis=True), cors=[rule])
    found = client.get_file_service_properties()
    assert found.cors[0].allowed_origins == ["https://example.org"]
    assert found.hour_metrics.enabled
    client.set_file_service_properties(cors=[])
    assert client.get_file_service_properties().hour_metrics.enabled


def test_nobody_holds_handles(client: FileService) -> None:
    client.create_file_from_text("data", None, "f", "x")
    assert list(client.list_handles("data")) == []
    assert list(client.list_handles("data", None, "f")) == []
    assert sum(client.close_handles("data", None, "f", handle_id="*")) == 0
    with pytest.raises(AzureMissingResourceHttpError):
        client.list_handles("data", None, "g")


def test_wrong_key_is_refused(served: Served) -> None:
    with pytest.raises(AzureHttpError) as refused:
        served.client(key=base64.b64encode(b"wrong" * 13).decode()).create_share("never")
    assert (refused.value.status_code, refused.value.error_code) == (403, "AuthenticationFailed")
    assert not served.folder("never").exists()
