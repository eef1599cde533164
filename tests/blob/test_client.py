"""What people's programs do with containers and block blobs: azure-storage-blob 12.x."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    AccountSasPermissions,
    BlobBlock,
    BlobSasPermissions,
    ContainerSasPermissions,
    ContentSettings,
    ResourceTypes,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)

from tests.storage.serving import ACCOUNT, KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azure.storage.blob import BlobServiceClient, ContainerClient

    from tests.storage.serving import Served

LATER = datetime.now(timezone.utc) + timedelta(hours=1)
BIG = os.urandom(3 * 1024 * 1024 + 17)


def code(error: pytest.ExceptionInfo[Any]) -> tuple[int, str]:
    return error.value.status_code, error.value.error_code


def test_containers_live_and_die(service: BlobServiceClient) -> None:
    made = service.create_container("made", metadata={"Who": "me"})
    assert made.get_container_properties().metadata == {"Who": "me"}
    made.set_container_metadata({"more": "x"})
    names = {item.name: item.metadata for item in service.list_containers(include_metadata=True)}
    assert names == {"data": None, "made": {"more": "x"}}
    assert [item.name for item in service.list_containers(name_starts_with="ma")] == ["made"]
    pages = [[item.name for item in page] for page in service.list_containers(results_per_page=1).by_page()]
    assert pages == [["data"], ["made"]]
    with pytest.raises(ResourceExistsError) as taken:
        service.create_container("made")
    assert code(taken) == (409, "ContainerAlreadyExists")
    made.delete_container()
    with pytest.raises(ResourceNotFoundError) as gone:
        made.get_container_properties()
    assert gone.value.status_code == 404
    assert not made.exists()


def test_a_deleted_container_takes_all_that_was_known_along(service: BlobServiceClient) -> None:
    container = service.get_container_client("data")
    blob = container.upload_blob("a/b.txt", b"one", metadata={"k": "v"})
    blob.stage_block("AAAA", b"waits")
    container.delete_container()
    service.create_container("data")
    blob.upload_blob(b"one")
    assert blob.get_blob_properties().metadata == {}
    assert blob.get_block_list("all") == ([], [])


def test_a_blob_is_a_file_and_a_file_is_a_blob(container: ContainerClient, folder: Path) -> None:
    blob = container.upload_blob(
        "models/epoch 1/ü.dnn",
        b"weights",
        metadata={"Epoch": "1"},
        content_settings=ContentSettings(content_type="text/x-w", cache_control="no-store"),
    )
    file = folder / "models" / "epoch 1" / "ü.dnn"
    assert file.read_bytes() == b"weights"
    assert file.stat().st_mode & 0o777 == 0o777
    told = blob.get_blob_properties()
    assert (told.size, told.metadata, told.blob_type) == (7, {"Epoch": "1"}, "BlockBlob")
    assert told.content_settings.content_type == "text/x-w"
    assert told.content_settings.cache_control == "no-store"
    assert told.content_settings.content_md5
    file.write_bytes(b"somebody else's")
    again = blob.get_blob_properties()
    assert (again.size, again.metadata, again.content_settings.content_md5) == (15, {}, None)
    assert again.etag != told.etag
    (folder / "log.txt").write_bytes(b"line\n")
    assert container.download_blob("log.txt").readall() == b"line\n"


def test_big_blobs_go_in_blocks_and_come_in_ranges(container: ContainerClient, folder: Path) -> None:
    blob = container.upload_blob("big", BIG, max_concurrency=4)
    assert (folder / "big").read_bytes() == BIG
    assert blob.download_blob(max_concurrency=3).readall() == BIG
    assert blob.download_blob(offset=5, length=10).readall() == BIG[5:15]
    committed, waiting = blob.get_block_list("all")
    assert [block.size for block in committed] == [1 << 20, 1 << 20, 1 << 20, 17]
    assert waiting == []
    with pytest.raises(HttpResponseError) as behind:
        blob.download_blob(offset=len(BIG)).readall()
    assert code(behind) == (416, "InvalidRange")


def test_blocks_are_put_together_as_listed(container: ContainerClient) -> None:
    blob = container.get_blob_client("x/listed")
    for name, text in (("AAAA", b"one "), ("BBBB", b"two ")):
        blob.stage_block(name, text)
    assert [block.id for block in blob.get_block_list("uncommitted")[1]] == ["AAAA", "BBBB"]
    with pytest.raises(ResourceNotFoundError) as missing:
        blob.get_blob_properties()
    assert missing.value.status_code == 404
    blob.commit_block_list([BlobBlock("BBBB"), BlobBlock("AAAA")], metadata={"n": "2"})
    assert blob.download_blob().readall() == b"two one "
    assert blob.get_blob_properties().metadata == {"n": "2"}
    blob.stage_block("AAAA", b"ONE ")
    blob.stage_block("CCCC", b"3")
    listed = "<Committed>QUFBQQ==</Committed><Latest>QUFBQQ==</Latest><Uncommitted>Q0NDQw==</Uncommitted>"
    sent = requests.put(
        f"{blob.url}?comp=blocklist&{_container_sas('w')}", f"<BlockList>{listed}</BlockList>", timeout=10
    )
    assert sent.status_code == 201
    assert blob.download_blob().readall() == b"one ONE 3"
    assert blob.get_block_list("all")[1] == []
    with pytest.raises(HttpResponseError) as unknown:
        blob.commit_block_list([BlobBlock("ZZZZ")])
    assert code(unknown) == (400, "InvalidBlockList")
    assert blob.download_blob().readall() == b"one ONE 3"
    blob.stage_block("AAAA", b"x")
    with pytest.raises(HttpResponseError) as longer:
        blob.stage_block("AAAAAAAA", b"x")
    assert code(longer) == (400, "InvalidBlobOrBlock")


def test_nothing_is_replaced_against_a_condition(container: ContainerClient) -> None:
    blob = container.upload_blob("a", b"one")
    with pytest.raises(ResourceExistsError) as there:
        container.upload_blob("a", b"two")
    assert code(there) == (409, "BlobAlreadyExists")
    first = blob.get_blob_properties().etag
    container.upload_blob("a", b"two", overwrite=True)
    with pytest.raises(ResourceModifiedError) as changed:
        blob.upload_blob(b"three", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified)
    assert code(changed) == (412, "ConditionNotMet")
    assert blob.download_blob().readall() == b"two"


def test_properties_and_metadata_are_replaced_whole(container: ContainerClient) -> None:
    blob = container.upload_blob("a", b"one", content_settings=ContentSettings(content_language="de"))
    blob.set_http_headers(ContentSettings(content_type="text/plain"))
    blob.set_blob_metadata({"Mixed_Case": "v"})
    told = blob.get_blob_properties()
    assert (told.content_settings.content_type, told.content_settings.content_language) == (
        "text/plain",
        None,
    )
    assert told.metadata == {"Mixed_Case": "v"}
    blob.delete_blob()
    with pytest.raises(ResourceNotFoundError) as gone:
        blob.download_blob()
    assert code(gone) == (404, "BlobNotFound")


def test_listing(container: ContainerClient, folder: Path) -> None:
    for name in ("a/1", "a/2", "a-x", "b/c/3", "d"):
        container.upload_blob(name, b"x", metadata={"of": name})
    listed = list(container.list_blobs(include=["metadata"]))
    assert [item.name for item in listed] == ["a-x", "a/1", "a/2", "b/c/3", "d"]
    assert listed[1].metadata == {"of": "a/1"}
    assert (listed[1].size, listed[1].blob_type) == (1, "BlockBlob")
    assert listed[1].etag == container.get_blob_client("a/1").get_blob_properties().etag.strip('"')
    assert sorted(item.name for item in container.walk_blobs()) == ["a-x", "a/", "b/", "d"]
    assert [item.name for item in container.walk_blobs("b/")] == ["b/c/"]
    assert [item.name for item in container.walk_blobs("a/")] == ["a/1", "a/2"]
    assert sorted(item.name for item in container.walk_blobs(delimiter="-")) == [
        "a-",
        "a/1",
        "a/2",
        "b/c/3",
        "d",
    ]
    assert [item.name for item in container.list_blobs("a")] == ["a-x", "a/1", "a/2"]
    assert list(container.list_blobs("../")) == []
    pages = [[item.name for item in page] for page in container.list_blobs(results_per_page=2).by_page()]
    assert pages == [["a-x", "a/1"], ["a/2", "b/c/3"], ["d"]]
    container.delete_blob("b/c/3")
    assert not (folder / "b").exists()


def test_deep_folders_are_listed(container: ContainerClient, folder: Path) -> None:
    name = "/".join(["d"] * 500) + "/f"
    container.upload_blob(name, b"x")
    assert [item.name for item in container.list_blobs()] == [name]
    container.delete_blob(name)
    assert list(folder.iterdir()) == []


def test_folders_on_disk_are_markers_as_blobfuse_makes_them(container: ContainerClient, folder: Path) -> None:
    (folder / "made").mkdir()
    (folder / "made" / "in").write_bytes(b"x")
    listed = {item.name: item.metadata for item in container.list_blobs(include=["metadata"])}
    assert listed == {"made": {"hdi_isfolder": "true"}, "made/in": {}}
    assert sorted(item.name for item in container.walk_blobs()) == ["made", "made/"]
    told = container.get_blob_client("made").get_blob_properties()
    assert (told.size, told.metadata) == (0, {"hdi_isfolder": "true"})
    container.delete_blob("made")
    assert [item.name for item in container.list_blobs()] == ["made/in"]
    container.delete_blob("made/in")
    assert list(folder.iterdir()) == []
    container.upload_blob("empty", b"", metadata={"hdi_isfolder": "true"})
    assert (folder / "empty").is_dir()
    with pytest.raises(HttpResponseError) as mixed:
        container.upload_blob("empty", b"content", overwrite=True)
    assert code(mixed) == (409, "ResourceTypeMismatch")


def test_a_file_appears_when_its_writer_closes_it(container: ContainerClient, folder: Path) -> None:
    blob = container.get_blob_client("out.txt")
    with (folder / "out.txt").open("wb") as writer:
        writer.write(b"half")
        writer.flush()
        assert list(container.list_blobs()) == []
        with pytest.raises(ResourceNotFoundError):
            blob.download_blob()
    assert blob.download_blob().readall() == b"half"
    assert [item.name for item in container.list_blobs()] == ["out.txt"]


def test_links_do_not_exist(container: ContainerClient, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "file").symlink_to(tmp_path / "secret")
    (folder / "dir").symlink_to(tmp_path)
    os.mkfifo(folder / "fifo")
    assert list(container.list_blobs()) == []
    for name in ("file", "dir/secret", "fifo"):
        with pytest.raises(ResourceNotFoundError):
            container.download_blob(name)
    with pytest.raises(HttpResponseError) as through:
        container.upload_blob("dir/new", b"x")
    assert code(through) == (409, "ResourceTypeMismatch")
    container.upload_blob("file", b"new", overwrite=True)
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


def _blob_sas(permission: str = "r", blob: str = "a/b", key: str = KEY, expiry: datetime = LATER) -> str:
    allowed = BlobSasPermissions.from_string(permission)
    return generate_blob_sas(ACCOUNT, "data", blob, account_key=key, permission=allowed, expiry=expiry)


def _container_sas(permission: str = "rl") -> str:
    allowed = ContainerSasPermissions.from_string(permission)
    return generate_container_sas(ACCOUNT, "data", account_key=KEY, permission=allowed, expiry=LATER)


def _account_sas(kinds: str = "co", permission: str = "rl") -> str:
    allowed = AccountSasPermissions.from_string(permission)  # type: ignore[no-untyped-call]
    types = ResourceTypes.from_string(kinds)  # type: ignore[no-untyped-call]
    return generate_account_sas(ACCOUNT, KEY, types, allowed, LATER)


@pytest.mark.parametrize(
    ("make", "path", "status", "error"),
    [
        (_blob_sas, "a/b", 200, None),
        (_blob_sas, "other", 403, "AuthenticationFailed"),
        (lambda: _blob_sas("w"), "a/b", 403, "AuthorizationPermissionMismatch"),
        (lambda: _blob_sas(key="AAAA"), "a/b", 403, "AuthenticationFailed"),
        (lambda: _blob_sas(expiry=LATER - timedelta(days=1)), "a/b", 403, "AuthenticationFailed"),
        (_container_sas, "a/b", 200, None),
        (_container_sas, "?restype=container&comp=list", 200, None),
        (_container_sas, "?restype=container", 403, "AuthorizationResourceTypeMismatch"),
        (lambda: _container_sas("r"), "?restype=container&comp=list", 403, "AuthorizationPermissionMismatch"),
        (_account_sas, "a/b", 200, None),
        (lambda: _account_sas("o"), "?restype=container&comp=list", 403, "AuthorizationResourceTypeMismatch"),
        (str, "a/b", 401, "NoAuthenticationInformation"),
    ],
)
def test_signatures_open_what_they_name(  # noqa: PLR0917 - the table's columns
    served: Served,
    container: ContainerClient,
    make: Callable[[], str],
    path: str,
    status: int,
    error: str | None,
) -> None:
    container.upload_blob("a/b", b"x")
    url = f"{served.url}/blob/{ACCOUNT}/data/{path}".replace("/?", "?")
    sas = make()
    answer = requests.get(f"{url}{'&' if '?' in url else '?'}{sas}" if sas else url, timeout=10)
    assert (answer.status_code, answer.headers.get("x-ms-error-code")) == (status, error), answer.text


def test_a_signature_that_may_create_may_not_replace(served: Served, container: ContainerClient) -> None:
    url = f"{served.url}/blob/{ACCOUNT}/data/a/b?{_blob_sas('c')}"
    kind = {"x-ms-blob-type": "BlockBlob"}
    assert requests.put(url, b"one", headers=kind, timeout=10).status_code == 201
    assert requests.put(url, b"two", headers=kind, timeout=10).status_code == 403
    assert container.download_blob("a/b").readall() == b"one"


def _refused(action: Callable[[], object], word: str) -> None:
    with pytest.raises(HttpResponseError) as refused:
        action()
    assert code(refused) == (501, "NotImplemented")
    assert word in refused.value.message


def test_what_is_not_built_is_refused_by_name(service: BlobServiceClient, container: ContainerClient) -> None:
    blob = container.upload_blob("a", b"x")
    _refused(lambda: container.get_blob_client("new").create_append_blob(), "append blobs")
    _refused(lambda: container.get_blob_client("new").create_page_blob(512), "page blobs")
    _refused(lambda: blob.set_standard_blob_tier("Cool"), "tiers")
    _refused(blob.create_snapshot, "snapshots")
    _refused(blob.acquire_lease, "leases")
    _refused(container.acquire_lease, "leases")
    _refused(lambda: list(container.list_blobs(include=["versions"])), "versions")
    _refused(lambda: service.create_container("$root"), "$root")
    with pytest.raises(HttpResponseError) as public:
        service.create_container("open", public_access="blob")
    assert code(public) == (409, "PublicAccessNotPermitted")
    assert [item.name for item in service.list_containers()] == ["data"]


def test_an_md5_that_is_set_of_a_blob_is_told_as_it_is(container: ContainerClient) -> None:
    blob = container.get_blob_client("out/log.txt")
    blob.upload_blob(b"content")
    blob.set_http_headers(ContentSettings(content_md5=bytearray(b"no MD5 at all")))
    assert blob.get_blob_properties().content_settings.content_md5 == bytearray(b"no MD5 at all")
