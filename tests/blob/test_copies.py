"""Copies of blobs: azure-storage-blob's, as adlfs ``cp`` and ``mv`` use them."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import ContentSettings, generate_blob_sas
from azure.storage.extensions.checksums import crc64

from batchai_scenario.emulator.storage.blob.block_operations import MAX_BLOCK
from tests.blob.serving import account_sas
from tests.storage.serving import ACCOUNT, KEY

if TYPE_CHECKING:
    from pathlib import Path

    from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient

    from tests.storage.serving import Served

LATER = datetime.now(timezone.utc) + timedelta(hours=1)


def test_a_blob_is_copied_with_what_it_has(container: ContainerClient, folder: Path) -> None:
    source = container.get_blob_client("a/source")
    settings = ContentSettings(content_type="text/plain", content_language="sv")
    source.upload_blob(b"content", metadata={"depth": "2"}, content_settings=settings)
    target = container.get_blob_client("b/target")
    copied = target.start_copy_from_url(source.url)
    assert copied["copy_status"] == "success"
    found = target.get_blob_properties()
    assert found.copy.id == copied["copy_id"]
    assert found.copy.progress == "7/7"
    assert found.copy.source == source.url
    assert found.metadata == {"depth": "2"}
    assert found.content_settings.content_type == "text/plain"
    assert found.content_settings.content_md5 is not None
    assert (folder / "b" / "target").read_bytes() == b"content"
    listed = {blob.name: blob for blob in container.list_blobs(include=["copy"])}
    assert listed["b/target"].copy.status == "success"
    target.start_copy_from_url(source.url, metadata={"own": "1"})
    assert target.get_blob_properties().metadata == {"own": "1"}
    target.upload_blob(b"new", overwrite=True)
    assert target.get_blob_properties().copy.id is None
    with pytest.raises(HttpResponseError) as done:
        target.abort_copy(str(copied["copy_id"]))
    assert done.value.error_code == "NoPendingCopyOperation"  # type: ignore[attr-defined]


def test_a_synchronous_copy_a_blob_and_a_block_from_a_url(container: ContainerClient) -> None:
    source = container.get_blob_client("source")
    source.upload_blob(b"0123456789")
    target = container.get_blob_client("target")
    url = _signed(source)
    assert target.start_copy_from_url(url, requires_sync=True)["copy_status"] == "success"
    put = target.upload_blob_from_url(url, overwrite=True, content_settings=ContentSettings("text/x"))
    assert (bytes(put["content_md5"]), bytes(put["content_crc64"])) == _sums(b"0123456789")
    assert target.get_blob_properties().content_settings.content_type == "text/x"
    assert target.download_blob().readall() == b"0123456789"
    staged = target.stage_block_from_url("one", url, source_offset=7, source_length=3)
    assert (bytes(staged["content_md5"]), bytes(staged["content_crc64"])) == _sums(b"789")
    staged = target.stage_block("two", b"xyz")
    assert (bytes(staged["content_md5"]), bytes(staged["content_crc64"])) == _sums(b"xyz")
    target.commit_block_list(["one", "two"])  # type: ignore[list-item]
    assert target.download_blob().readall() == b"789xyz"


def test_conditions_of_the_source(container: ContainerClient) -> None:
    source = container.get_blob_client("source")
    source.upload_blob(b"content")
    tag = source.get_blob_properties().etag
    target = container.get_blob_client("target")
    target.start_copy_from_url(source.url, source_etag=tag, source_match_condition=_match())
    source.upload_blob(b"other", overwrite=True)
    with pytest.raises(HttpResponseError) as refused:
        target.start_copy_from_url(source.url, source_etag=tag, source_match_condition=_match())
    assert refused.value.error_code == "SourceConditionNotMet"  # type: ignore[attr-defined]
    assert target.download_blob().readall() == b"content"
    early = datetime.now(timezone.utc) - timedelta(hours=1)
    unmet_ones: list[dict[str, Any]] = [
        {"source_if_modified_since": LATER},
        {"source_if_unmodified_since": early},
    ]
    for condition in unmet_ones:
        with pytest.raises(ResourceNotFoundError) as unmet:
            target.upload_blob_from_url(_signed(source), overwrite=True, **condition)
        assert unmet.value.error_code == "CannotVerifyCopySource"  # type: ignore[attr-defined]
    assert target.download_blob().readall() == b"content"


def test_what_the_service_fetches_needs_a_signature_also_of_the_same_account(
    container: ContainerClient,
) -> None:
    source, target = container.get_blob_client("source"), container.get_blob_client("target")
    source.upload_blob(b"content")
    for ask in (
        lambda: target.start_copy_from_url(source.url, requires_sync=True),
        lambda: target.upload_blob_from_url(source.url),
        lambda: target.stage_block_from_url("one", source.url),
    ):
        with pytest.raises(HttpResponseError) as refused:
            ask()
        answer: Any = refused.value.response
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "CannotVerifyCopySource")
        assert answer.headers["x-ms-copy-source-status-code"] == "401"
        assert answer.headers["x-ms-copy-source-error-code"] == "NoAuthenticationInformation"
    assert not target.exists()
    with pytest.raises(ResourceNotFoundError):
        target.get_block_list("all")


def test_a_source_that_may_not_be_read(service: BlobServiceClient, container: ContainerClient) -> None:
    source = container.get_blob_client("source")
    source.upload_blob(b"content")
    target = container.get_blob_client("target")
    for url, error in (
        (f"{container.url}/missing", ResourceNotFoundError),
        (f"{service.url}nowhere/x".replace("//nowhere", "/nowhere"), ResourceNotFoundError),
        (source.url.replace(ACCOUNT, "stranger"), ResourceNotFoundError),
        ("http://example.org/devaccount/data/source", ResourceNotFoundError),
        (f"{container.url}/a/../../secret", HttpResponseError),
        (f"https://{ACCOUNT}.file.core.windows.net/share/f", HttpResponseError),
        (f"{source.url}?snapshot=2019-05-17T23:41:28.0000000Z", HttpResponseError),
    ):
        with pytest.raises(error):
            target.start_copy_from_url(url)
    assert not target.exists()
    for permission, allowed in (("r", True), ("d", False)):
        token = generate_blob_sas(
            ACCOUNT, "data", "source", account_key=KEY, permission=permission, expiry=LATER
        )
        if allowed:
            target.start_copy_from_url(f"{source.url}?{token}")
            assert "sig=" not in (target.get_blob_properties().copy.source or "")
        else:
            with pytest.raises(HttpResponseError):
                target.start_copy_from_url(f"{source.url}?{token}")


def test_a_source_of_another_account_needs_a_signature_of_its_own(
    served: Served, container: ContainerClient, folder: Path
) -> None:
    served.accounts.create("another", "s/g", {})
    try:
        theirs = served.home.storage / "another" / "_blob" / "data"
        theirs.mkdir(parents=True)
        (theirs / "source").write_text("another's")
        (folder / "source").write_text("own")
        target = container.get_blob_client("target")
        with pytest.raises(ResourceNotFoundError) as refused:
            target.start_copy_from_url(f"{served.url}/blob/another/data/source")
        assert refused.value.error_code == "CannotVerifyCopySource"  # type: ignore[attr-defined]
        assert not target.exists()
        target.start_copy_from_url(f"{served.url}/blob/{ACCOUNT}/data/source")
        assert target.download_blob().readall() == b"own"
    finally:
        served.accounts.delete("another")
        served.shares.delete_all("another")


@pytest.mark.parametrize(
    ("identifier", "size", "code"),
    [
        ("not base64", 7, "InvalidQueryParameterValue"),
        ("", 7, "MissingRequiredQueryParameter"),
        ("MDAx", MAX_BLOCK + 1, "RequestBodyTooLarge"),
    ],
)
def test_a_block_from_a_url_that_cannot_be_is_refused(
    served: Served, container: ContainerClient, identifier: str, size: int, code: str
) -> None:
    with (served.home.storage / ACCOUNT / "_blob" / "data" / "source").open("wb") as source:
        source.truncate(size)
    url = f"{served.url}/blob/{ACCOUNT}/data/target?{account_sas(served)}"
    headers = {"x-ms-copy-source": f"{served.url}/blob/{ACCOUNT}/data/source?{account_sas(served)}"}
    asked = {"comp": "block", "blockid": identifier}
    answer = requests.put(url, params=asked, headers=headers, timeout=10)
    assert answer.headers["x-ms-error-code"] == code
    with pytest.raises(ResourceNotFoundError):
        container.get_blob_client("target").get_block_list("all")


def test_a_source_whose_token_is_wrong_tells_what_it_answered(container: ContainerClient) -> None:
    source = container.get_blob_client("source")
    source.upload_blob(b"content")
    target = container.get_blob_client("target")
    with pytest.raises(HttpResponseError) as refused:
        target.start_copy_from_url(source.url, requires_sync=True, source_authorization="Bearer untold")
    answer: Any = refused.value.response
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "CannotVerifyCopySource")
    assert answer.headers["x-ms-copy-source-status-code"] == "401"
    assert answer.headers["x-ms-copy-source-error-code"] == "InvalidAuthenticationInfo"
    assert "untold" not in answer.text()
    assert not target.exists()


def test_what_every_container_is_like_is_told(service: BlobServiceClient, container: ContainerClient) -> None:
    listed = next(iter(service.list_containers()))
    assert (listed.has_immutability_policy, listed.has_legal_hold) == (False, False)
    found = container.get_container_properties()
    assert found.immutable_storage_with_versioning_enabled is False


def _signed(blob: BlobClient) -> str:
    token = generate_blob_sas(ACCOUNT, "data", blob.blob_name, account_key=KEY, permission="r", expiry=LATER)
    return f"{blob.url}?{token}"


def _sums(data: bytes) -> tuple[bytes, bytes]:
    return hashlib.md5(data).digest(), crc64.compute(data, 0).to_bytes(8, "little")


def _match() -> MatchConditions:
    return MatchConditions.IfNotModified
