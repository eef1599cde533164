"""What people's programs do: azure-storage-file-share 12.x, synchronous and asynchronous."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.fileshare import (
    AccessPolicy,
    AccountSasPermissions,
    ContentSettings,
    CorsRule,
    FileSasPermissions,
    Metrics,
    NTFSAttributes,
    ResourceTypes,
    RetentionPolicy,
    ShareServiceClient,
    generate_account_sas,
    generate_file_sas,
    generate_share_sas,
)

from tests.storage.driving import error_code
from tests.storage.serving import ACCOUNT, KEY

if TYPE_CHECKING:
    from tests.storage.serving import Served

SDDL = "O:S-1-5-32-544G:S-1-5-21-1-2-3-513D:AI(A;;FA;;;SY)(A;OICI;0x1200a9;;;AU)"
LATER = datetime.now(timezone.utc) + timedelta(hours=1)


def test_service_properties(service: Any) -> None:
    metrics = Metrics(enabled=True, include_apis=True, retention_policy=RetentionPolicy(True, 5))
    rule = CorsRule(["https://example.org"], ["GET"], allowed_headers=["x-ms-*"], max_age_in_seconds=60)
    service.set_service_properties(hour_metrics=metrics, minute_metrics=metrics, cors=[rule])
    found = service.get_service_properties()
    assert found["hour_metrics"].retention_policy.days == 5
    assert found["cors"][0].allowed_origins == "https://example.org"
    service.set_service_properties(cors=[])
    assert service.get_service_properties()["cors"] in ([], None)


def test_shares(service: Any) -> None:
    for number in range(3):
        service.create_share(f"list-{number}", metadata={"Number": str(number)}, quota=number + 1)
    with pytest.raises(ResourceExistsError) as refused:
        service.create_share("list-0")
    assert error_code(refused) == "ShareAlreadyExists"
    listed = {item.name: item for item in service.list_shares("list-", include_metadata=True)}
    assert [item.quota for item in listed.values()] == [1, 2, 3]
    assert listed["list-1"].metadata == {"Number": "1"}
    paged = service.list_shares("list-", results_per_page=1)
    assert [item.name for item in paged] == ["list-0", "list-1", "list-2"]
    client = service.get_share_client("list-0")
    client.set_share_quota(7)
    client.set_share_properties(access_tier="Hot")
    client.set_share_metadata({"owner": "me"})
    found = client.get_share_properties()
    assert (found.quota, found.access_tier, found.metadata) == (7, "Hot", {"owner": "me"})
    assert found.lease.state == "available"
    assert client.get_share_stats() == 0
    service.delete_share("list-0")
    with pytest.raises(ResourceNotFoundError) as missing:
        client.get_share_properties()
    assert error_code(missing) == "ShareNotFound"


def test_access_policies(served: Served, share: Any) -> None:
    share.get_file_client("f").upload_file(b"content")
    policy = AccessPolicy(permission="r", start=LATER - timedelta(hours=2), expiry=LATER)
    share.set_share_access_policy({"readers": policy})
    found = share.get_share_access_policy()["signed_identifiers"]
    assert [(item.id, item.access_policy.permission) for item in found] == [("readers", "r")]
    token = generate_share_sas(ACCOUNT, "data", KEY, policy_id="readers")
    url = f"{served.url}/{ACCOUNT}/data/f?{token}"
    assert requests.get(url, timeout=10).text == "content"
    assert requests.delete(url, timeout=10).status_code == 403
    share.set_share_access_policy({"readers": AccessPolicy(permission="r", expiry=LATER - timedelta(days=1))})
    assert requests.get(url, timeout=10).status_code == 403
    with pytest.raises(ValueError, match="5"):
        share.set_share_access_policy({str(number): AccessPolicy(permission="r") for number in range(6)})


def test_permissions(share: Any) -> None:
    key = share.create_permission_for_share(SDDL)
    assert share.get_permission_for_share(key) == SDDL
    assert share.create_permission_for_share(SDDL) == key
    file = share.get_file_client("f")
    file.create_file(1, permission_key=key)
    assert file.get_file_properties().permission_key == key
    file.set_http_headers(ContentSettings(content_type="text/plain"))
    assert file.get_file_properties().permission_key == key
    file.set_http_headers(ContentSettings(), file_permission="inherit")
    default = file.get_file_properties().permission_key
    assert default != key
    assert share.get_permission_for_share(default).startswith("O:")
    with pytest.raises(ResourceNotFoundError):
        share.get_permission_for_share("1*2")
    with pytest.raises(HttpResponseError) as refused:
        share.create_permission_for_share("everybody")
    assert error_code(refused) == "FileInvalidPermission"


def test_directories(share: Any) -> None:
    directory = share.create_directory("a", metadata={"k": "v"})
    directory.create_subdirectory("b")
    directory.upload_file("c.txt", b"see")
    found = directory.get_directory_properties()
    assert (found.metadata, found.is_directory) == ({"k": "v"}, True)
    directory.set_directory_metadata({"n": "w"})
    stamp = datetime(2019, 5, 17, 23, 41, 28, tzinfo=timezone.utc)
    directory.set_http_headers(file_attributes="Hidden", file_creation_time=stamp, file_last_write_time=stamp)
    found = directory.get_directory_properties()
    assert found.metadata == {"n": "w"}
    assert (found.creation_time, found.last_write_time) == (stamp, stamp)
    assert "Hidden" in found.file_attributes
    assert directory.exists()
    with pytest.raises(ResourceExistsError) as refused:
        directory.delete_directory()
    assert error_code(refused) == "DirectoryNotEmpty"
    directory.delete_file("c.txt")
    directory.delete_subdirectory("b")
    directory.delete_directory()
    assert not directory.exists()


def test_listings_tell_what_is_asked_for(served: Served, share: Any) -> None:
    share.create_directory("a", file_attributes=NTFSAttributes(directory=True, hidden=True))
    share.get_file_client("b").create_file(2, file_attributes="ReadOnly")
    (served.folder("data") / "by-a-job").write_text("123")
    plain = {item.name: item for item in share.list_directories_and_files()}
    assert [(name, item.is_directory, item.get("size")) for name, item in plain.items()] == [
        ("a", True, None), ("b", False, 2), ("by-a-job", False, 3),
    ]  # fmt: skip
    whole = {
        item.name: item
        for item in share.list_directories_and_files(
            include=["timestamps", "Etag", "Attributes", "PermissionKey"], include_extended_info=True
        )
    }
    properties = share.get_file_client("b").get_file_properties()
    assert whole["b"].file_attributes == "ReadOnly"
    assert whole["b"].permission_key == properties.permission_key
    assert whole["b"].etag == properties.etag
    assert whole["b"].file_id == properties.file_id
    written = properties.last_write_time.strftime("%Y-%m-%dT%H:%M:%S.%f")
    assert str(whole["b"].last_write_time).startswith(written)
    assert whole["by-a-job"].last_modified is not None
    assert "Hidden" in whole["a"].file_attributes
    assert [item.name for item in share.list_directories_and_files(name_starts_with="by")] == ["by-a-job"]
    assert [item.name for item in share.list_directories_and_files(results_per_page=1)] == list(whole)


def test_files(served: Served, share: Any) -> None:
    data = os.urandom(900 * 1024 + 123)
    file = share.get_file_client("digits.bin")
    settings = ContentSettings(content_type="text/x-digits", content_language="de", cache_control="no-store")
    file.upload_file(
        data,
        metadata={"epoch": "two words"},
        content_settings=settings,
        validate_content=True,
        max_concurrency=3,
    )
    assert (served.folder("data") / "digits.bin").read_bytes() == data
    assert file.download_file(validate_content=True, max_concurrency=3).readall() == data
    assert file.download_file(offset=5, length=10).readall() == data[5:15]
    found = file.get_file_properties()
    assert (found.size, found.metadata) == (len(data), {"epoch": "two words"})
    assert found.content_settings.content_type == "text/x-digits"
    assert found.content_settings.content_language == "de"
    mixed = {"Epoch_10": "a", "epochA": "b", "Epoch1": "c", "epoch_": "d"}
    file.set_file_metadata(mixed)
    assert file.get_file_properties().metadata == mixed
    file.set_file_metadata({"n": "1"})
    file.resize_file(100)
    file.set_http_headers(ContentSettings(content_type="text/plain"), file_attributes="Archive|Hidden")
    found = file.get_file_properties()
    assert (found.size, found.metadata) == (100, {"n": "1"})
    assert found.content_settings.content_type == "text/plain"
    assert file.exists()
    file.delete_file()
    assert not file.exists()
    with pytest.raises(ResourceNotFoundError):
        file.download_file()
    empty = share.get_file_client("empty")
    empty.upload_file(b"")
    assert empty.download_file().readall() == b""


def test_ranges(share: Any) -> None:
    file = share.get_file_client("f")
    file.create_file(16384)
    file.upload_range(b"x" * 4096, offset=4096, length=4096, validate_content=True)
    assert [(item.start, item.end) for item in file.list_ranges()] == [(4096, 8191)]
    before = file.get_file_properties().last_write_time
    file.upload_range(b"y" * 512, offset=0, length=512, file_last_write_mode="preserve")
    assert file.get_file_properties().last_write_time == before
    taken = share.create_snapshot()
    file.clear_range(offset=4096, length=4096)
    file.upload_range(b"z" * 512, offset=8192, length=512)
    for options in ({}, {"results_per_page": 1}):
        changed = file.list_ranges(previous_sharesnapshot=taken, **options)
        assert [(item.start, item.end, item.cleared) for item in changed] == [
            (4096, 8191, True),
            (8192, 8703, False),
        ]
    other = share.get_file_client("g")
    other.create_file(1024)
    token = generate_file_sas(ACCOUNT, "data", ["f"], KEY, "r", LATER)
    with pytest.raises(HttpResponseError) as refused:
        other.upload_range_from_url(file.url, offset=512, length=512, source_offset=8192)
    assert (refused.value.status_code, error_code(refused)) == (401, "CannotVerifyCopySource")
    told = refused.value.response.headers  # type: ignore[union-attr]
    assert told["x-ms-copy-source-status-code"] == "401"
    assert told["x-ms-copy-source-error-code"] == "NoAuthenticationInformation"
    other.upload_range_from_url(f"{file.url}?{token}", offset=512, length=512, source_offset=8192)
    assert other.download_file().readall() == bytes(512) + b"z" * 512


def test_copies(share: Any) -> None:
    stamp = datetime(2019, 5, 17, 23, 41, 28, tzinfo=timezone.utc)
    source = share.get_file_client("f")
    source.upload_file(
        b"content",
        metadata={"k": "v"},
        content_settings=ContentSettings(content_type="text/plain"),
        file_creation_time=stamp,
        file_last_write_time=stamp,
        file_attributes="Hidden",
        file_permission=SDDL,
    )
    target = share.get_file_client("g")
    copy = target.start_copy_from_url(source.url)
    assert copy["copy_status"] == "success"
    found = target.get_file_properties()
    assert (found.copy.id, found.copy.status) == (copy["copy_id"], "success")
    assert found.copy.progress == "7/7"
    assert (found.metadata, found.content_settings.content_type) == ({"k": "v"}, "text/plain")
    assert "Hidden" not in found.file_attributes
    target.start_copy_from_url(
        source.url, metadata={"n": "w"}, file_attributes="source", file_creation_time="source",
        file_last_write_time="source", file_permission="source",
    )  # fmt: skip
    found = target.get_file_properties()
    assert (found.creation_time, found.metadata) == (stamp, {"n": "w"})
    assert "Hidden" in found.file_attributes
    assert found.permission_key == source.get_file_properties().permission_key
    with pytest.raises(ResourceExistsError) as refused:
        target.abort_copy(copy["copy_id"])
    assert error_code(refused) == "NoPendingCopyOperation"
    with pytest.raises(ResourceNotFoundError):
        target.start_copy_from_url(source.url + "missing")
    assert target.download_file().readall() == b"content"


def test_renaming(served: Served, share: Any) -> None:
    share.create_directory("old", metadata={"k": "v"}).upload_file("f", b"content", metadata={"n": "1"})
    lease = share.get_file_client("old/f").acquire_lease()
    moved = share.get_directory_client("old").rename_directory("new")
    assert moved.get_directory_properties().metadata == {"k": "v"}
    file = share.get_file_client("new/f")
    found = file.get_file_properties()
    assert (found.metadata, found.lease.state) == ({"n": "1"}, "leased")
    with pytest.raises(HttpResponseError) as refused:
        file.rename_file("g")
    assert error_code(refused) == "LeaseIdMissing"
    renamed = file.rename_file("g", source_lease=lease, metadata={"n": "2"}, content_type="text/plain")
    found = renamed.get_file_properties()
    assert (found.metadata, found.content_settings.content_type) == ({"n": "2"}, "text/plain")
    assert renamed.download_file().readall() == b"content"
    other = share.get_file_client("h")
    other.upload_file(b"other")
    with pytest.raises(ResourceExistsError) as exists:
        other.rename_file("new")
    assert error_code(exists) == "ResourceAlreadyExists"
    share.get_file_client("i").upload_file(b"in the way")
    with pytest.raises(ResourceExistsError):
        other.rename_file("i")
    assert other.rename_file("i", overwrite=True).download_file().readall() == b"other"
    assert share.get_file_client("i").rename_file("I").download_file().readall() == b"other"
    with pytest.raises(HttpResponseError) as inside:
        moved.rename_directory("new/below")
    assert inside.value.status_code == 400
    with pytest.raises(ResourceNotFoundError):
        share.get_file_client("missing").rename_file("j")
    assert sorted(path.name for path in served.folder("data").iterdir()) == ["I", "g", "new"]


def test_signatures(served: Served, share: Any) -> None:
    share.get_file_client("f").upload_file(b"content")
    account = generate_account_sas(
        ACCOUNT, KEY, ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(read=True, write=True, list=True, create=True), LATER,
    )  # fmt: skip
    for token in (
        account,
        generate_share_sas(ACCOUNT, "data", KEY, "r", LATER),
        generate_file_sas(ACCOUNT, "data", ["f"], KEY, FileSasPermissions(read=True), LATER),
    ):
        answer = requests.get(f"{served.url}/{ACCOUNT}/data/f?{token}", timeout=10)
        assert (answer.status_code, answer.text) == (200, "content")
        tampered = token.replace("sp=r", "sp=d")
        assert requests.get(f"{served.url}/{ACCOUNT}/data/f?{tampered}", timeout=10).status_code == 403
    with ShareServiceClient(f"{served.url}/{ACCOUNT}", credential=account, retry_total=0) as client:
        assert [item.name for item in client.list_shares()] == ["data"]
        renamed = client.get_share_client("data").get_file_client("f").rename_file("g")
        renamed_copy = client.get_share_client("data").get_file_client("h")
        renamed_copy.start_copy_from_url(renamed.url)
        with pytest.raises(HttpResponseError) as refused:
            renamed_copy.start_copy_from_url(renamed.url.partition("?")[0])
        assert (refused.value.status_code, error_code(refused)) == (404, "CannotVerifyCopySource")
        with pytest.raises(HttpResponseError) as forbidden:
            renamed.delete_file()
        assert error_code(forbidden) == "AuthorizationPermissionMismatch"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda share: share.create_directory("d", file_mode="0777"), "x-ms-mode"),
        (lambda share: share.get_file_client("l").create_symlink("f"), "symboliclink"),
        (lambda share: share.get_file_client("l").create_hardlink("f"), "hardlink"),
        (lambda share: share.set_share_properties(root_squash="NoRootSquash"), "x-ms-root-squash"),
        (lambda share: share.set_share_properties(access_tier="Premium"), "x-ms-access-tier"),
    ],
)
def test_what_is_not_built_is_refused_by_name(share: Any, call: Any, named: str) -> None:
    with pytest.raises(HttpResponseError) as refused:
        call(share)
    assert refused.value.status_code == 501
    assert named in str(refused.value)


def test_a_share_that_was_not_deleted_cannot_be_restored(service: Any) -> None:
    with pytest.raises(HttpResponseError) as refused:
        service.undelete_share("data", "01D60F8BB59A4652")
    assert refused.value.status_code == 404
    assert "ErrorCode:ShareNotFound" in str(refused.value)


def test_nfs_is_refused_by_name(service: Any) -> None:
    with pytest.raises(HttpResponseError, match="x-ms-enabled-protocols"):
        service.create_share("nfs", protocols="NFS")
