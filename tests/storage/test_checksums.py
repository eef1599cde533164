"""CRC64s, structured bodies, and files that come with their content."""

from __future__ import annotations

import base64
import gc
import hashlib
import os
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from azure.storage.fileshare import ContentSettings, ShareServiceClient

from batchai_scenario.emulator.storage import structured
from tests.storage.serving import ACCOUNT, KEY, SMB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.storage.serving import Served

MIB = 1024 * 1024
NEW = {"x-ms-version": "2026-02-06", "x-ms-type": "file"}
FORM = {"x-ms-structured-body": structured.FORM}


@pytest.fixture
def share(served: Served) -> Iterator[Any]:
    text = (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
        f"FileEndpoint={served.url}/{ACCOUNT}"
    )
    limits: dict[str, Any] = {"retry_total": 0, "max_single_get_size": 8 * MIB, "max_chunk_get_size": 8 * MIB}
    with ShareServiceClient.from_connection_string(text, **limits) as client:
        yield client.get_share_client("data")
    with warnings.catch_warnings():
        # The library leaves a connection open when it has read a structured message to its end.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


leaves_open = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""The library's connection may be collected while the test still runs."""


def _message(data: bytes) -> bytes:
    return b"".join(structured.encode(iter([data]), len(data)))


def _crc(data: bytes) -> str:
    return structured.encode_crc64(structured.crc(data))


def test_the_checksum_is_the_published_one() -> None:
    assert structured.crc(b"123456789") == 0xAE8B14860A799888


def test_a_file_comes_with_its_content(served: Served) -> None:
    served.make("/data/f", b"what stood there before")
    sent = {**NEW, "x-ms-content-length": "7"}
    answer = served.ask("PUT", "/data/f", headers=sent, body=b"content")
    assert answer.status == 201
    assert answer.headers["content-md5"] == base64.b64encode(hashlib.md5(b"content").digest()).decode()
    assert served.ask("GET", "/data/f").body == b"content"


def test_content_shorter_than_its_file_is_followed_by_zeros(served: Served) -> None:
    assert (
        served.ask("PUT", "/data/f", headers={**NEW, "x-ms-content-length": "5"}, body=b"abc").status == 201
    )
    assert served.ask("GET", "/data/f").body == b"abc\0\0"


@pytest.mark.parametrize(
    ("headers", "size", "code"),
    [
        ({"x-ms-content-length": "2"}, 3, "InvalidHeaderValue"),
        ({"x-ms-content-length": "3", "content-md5": base64.b64encode(bytes(16)).decode()}, 3, "Md5Mismatch"),
        ({"x-ms-content-length": "3", "x-ms-content-crc64": _crc(b"other")}, 3, "Crc64Mismatch"),
        ({"x-ms-content-length": "3", "x-ms-content-crc64": "x"}, 3, "InvalidHeaderValue"),
        ({"x-ms-content-length": str(5 * MIB)}, 4 * MIB + 1, "RequestBodyTooLarge"),
        ({"x-ms-content-length": "3", "x-ms-version": "2025-11-05"}, 3, "InvalidHeaderValue"),
        ({"x-ms-content-length": "3", "x-ms-structured-content-length": "3", **FORM}, 3, "InvalidInput"),
        ({"x-ms-content-length": "3", **FORM}, 3, "MissingRequiredHeader"),
    ],
)
def test_wrong_content_leaves_the_file_as_it_was(
    served: Served, headers: dict[str, str], size: int, code: str
) -> None:
    served.make("/data/f", b"as it was")
    assert served.ask("PUT", "/data/f", headers={**NEW, **headers}, body=bytes(size)).code == code
    assert served.ask("GET", "/data/f").body == b"as it was"


def test_content_that_does_not_say_how_long_it_is(served: Served) -> None:
    sent = {**NEW, "x-ms-content-length": "7", "transfer-encoding": "chunked", "content-length": ""}
    answer = served.ask("PUT", "/data/f", headers=sent)
    assert answer.status in (400, 411)
    assert not (served.folder("data") / "f").exists()


@leaves_open
@pytest.mark.parametrize("size", [0, 1, 65536, 4 * MIB])
def test_the_library_writes_and_reads_with_crc64(share: Any, size: int) -> None:
    data = os.urandom(size)
    file = share.get_file_client("f")
    file.create_file(size, data=data, validate_content="crc64")
    assert file.download_file(validate_content="crc64").readall() == data
    if size:
        file.upload_range(data, 0, size, validate_content="crc64")
    assert file.download_file().readall() == data


@leaves_open
def test_the_library_reads_several_segments(share: Any) -> None:
    data = os.urandom(6 * MIB + 7)
    file = share.get_file_client("f")
    file.upload_file(data, validate_content="crc64")
    assert file.download_file(validate_content="crc64").readall() == data
    assert file.download_file(5, 5 * MIB, validate_content="crc64").readall() == data[5 : 5 + 5 * MIB]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda message: message[:-1] + bytes([message[-1] ^ 1]),  # the last checksum
        lambda message: message[:25] + b"X" + message[26:],  # the content
        lambda message: message[:13] + b"\2" + message[14:],  # the number of the segment
        lambda message: b"\2" + message[1:],  # the version
    ],
)
def test_a_spoilt_message_changes_nothing(served: Served, spoil: Any) -> None:
    served.make("/data/f", b"as it was")
    message = spoil(_message(b"different"))
    sent = {**FORM, "x-ms-structured-content-length": "9", "content-length": str(len(message))}
    query, span = {"comp": "range"}, {"x-ms-write": "update", "x-ms-range": "bytes=0-8"}
    answer = served.ask("PUT", "/data/f", query, {**sent, **span}, message)
    assert answer.code in ("Crc64Mismatch", "InvalidInput")
    assert served.ask("GET", "/data/f").body == b"as it was"


def test_a_range_from_a_url_has_the_checksum_that_is_told(served: Served) -> None:
    served.make("/data/f", b"0123456789")
    sent = {
        "x-ms-copy-source": served.linked("data/f"),
        "x-ms-range": "bytes=0-1",
        "x-ms-source-range": "bytes=8-9",
    }
    for name, text, code in (
        ("x-ms-source-content-crc64", _crc(b"67"), "Crc64Mismatch"),
        ("x-ms-source-if-match-crc64", _crc(b"67"), "ConditionNotMet"),
        ("x-ms-source-if-none-match-crc64", _crc(b"89"), "ConditionNotMet"),
    ):
        assert served.ask("PUT", "/data/f", {"comp": "range"}, {**sent, name: text}).code == code
    assert served.ask("GET", "/data/f").body == b"0123456789"
    fitting = {"x-ms-source-content-crc64": _crc(b"89"), "x-ms-source-if-match-crc64": _crc(b"89")}
    assert served.ask("PUT", "/data/f", {"comp": "range"}, {**sent, **fitting}).status == 201
    assert served.ask("GET", "/data/f").body == b"8923456789"


def test_an_md5_that_is_none_is_kept(share: Any) -> None:
    file = share.get_file_client("f")
    file.create_file(3, content_settings=ContentSettings(content_md5=bytearray(b"short")))
    assert bytes(file.get_file_properties().content_settings.content_md5) == b"short"


def test_semantics_of_properties(served: Served) -> None:
    for semantics, attributes in (("New", "Hidden | Archive"), ("Restore", "Hidden")):
        sent = {**SMB, "x-ms-type": "file", "x-ms-content-length": "0", "x-ms-file-attributes": "Hidden"}
        answer = served.ask(
            "PUT", f"/data/{semantics}", headers={**sent, "x-ms-file-property-semantics": semantics}
        )
        assert answer.headers["x-ms-file-attributes"] == attributes
