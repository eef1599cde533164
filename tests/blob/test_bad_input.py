"""Names, bodies and clients that are wrong: each has its error, and the container is as it was."""

from __future__ import annotations

import base64
import hashlib
import http.client
import socket
import threading
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from tests.blob.serving import account_sas, blob_client
from tests.storage.serving import ACCOUNT, KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.serving import Served

KIND = {"x-ms-blob-type": "BlockBlob"}


def _url(raw_path: str, query: str = "") -> str:
    allowed = ContainerSasPermissions.from_string("rwdl")
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    sas = generate_container_sas(ACCOUNT, "data", account_key=KEY, permission=allowed, expiry=later)
    return f"/blob/{ACCOUNT}/data/{raw_path}?{query}{'&' if query else ''}{sas}"


def _ask(
    served: Served,
    method: str,
    url: str,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> tuple[int, str]:
    """Send a request as it is written; give status and error code."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    try:
        connection.request(method, url, body, {"x-ms-version": "2019-02-02", **(headers or {})})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("x-ms-error-code", "")
    finally:
        connection.close()


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../other",
        "%2e%2e/other",
        "a/../b",
        "a/%2e%2e%2fb",
        "a%2f..%2f..%2fb",
        "./a",
        "a//b",
        "a/",
        "%00",
        "a%00b",
        "a%0Ab",
        "%ff",
        "x" * 256,
        "ü" * 128,
    ],
)
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_a_name_that_no_file_can_have_is_refused(served: Served, method: str, path: str) -> None:
    before = served.state()
    raw = path.replace("ü", "%C3%BC")
    body = b"x" if method == "PUT" else b""
    assert _ask(served, method, _url(raw), KIND, body) == (400, "InvalidResourceName")
    assert served.state() == before


@pytest.mark.parametrize("name", ["x" * 255, "ü" * 127, "a b", "loss:0.1.png", "a\\b", "CON", "+%25?#&", "…"])
def test_a_name_that_a_file_can_have_is_kept(served: Served, folder: Path, name: str) -> None:
    assert _ask(served, "PUT", _url(quote(name)), KIND, b"x") == (201, "")
    assert [path.name for path in folder.iterdir()] == [name]
    assert _ask(served, "GET", _url(quote(name))) == (200, "")


def test_case_is_minded(served: Served, folder: Path) -> None:
    for name in ("Name", "name"):
        assert _ask(served, "PUT", _url(name), KIND, name.encode()) == (201, "")
    assert sorted(path.name for path in folder.iterdir()) == ["Name", "name"]
    assert _ask(served, "GET", _url("NAME")) == (404, "BlobNotFound")


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ("", {}, 400, "MissingRequiredHeader"),
        ("", {"x-ms-blob-type": "Cube"}, 400, "InvalidHeaderValue"),
        ("", {**KIND, "content-md5": _md5(b"other")}, 400, "Md5Mismatch"),
        ("", {**KIND, "content-md5": "abc"}, 400, "InvalidMd5"),
        ("", {**KIND, "if-match": '"0x0"'}, 412, "ConditionNotMet"),
        ("", {**KIND, "x-ms-meta-a-b": "c"}, 400, "InvalidMetadata"),
        ("", {**KIND, "x-ms-blob-content-md5": "abc"}, 400, "InvalidMd5"),
        ("", {**KIND, "x-ms-blob-content-md5": _md5(b"other")}, 400, "Md5Mismatch"),
        ("", {**KIND, "x-ms-lease-id": "l"}, 501, "NotImplemented"),
        ("comp=block", {}, 400, "MissingRequiredQueryParameter"),
        ("comp=block&blockid=!", {}, 400, "InvalidQueryParameterValue"),
        (f"comp=block&blockid={'A' * 88}", {}, 400, "InvalidQueryParameterValue"),
        ("comp=block&blockid=QUFBQQ==", {"content-md5": _md5(b"other")}, 400, "Md5Mismatch"),
        ("comp=block&blockid=QUFBQQ==", {"if-match": '"0x0"'}, 400, "ConditionHeadersNotSupported"),
        ("comp=blocklist", {}, 400, "InvalidXmlDocument"),
        ("comp=nothing", {}, 400, "InvalidQueryParameterValue"),
        ("restype=container", {}, 400, "InvalidQueryParameterValue"),
    ],
)
def test_a_wrong_write_changes_nothing(
    served: Served, query: str, headers: dict[str, str], status: int, code: str
) -> None:
    assert _ask(served, "PUT", _url("f"), KIND, b"as it was") == (201, "")
    before = served.state()
    assert _ask(served, "PUT", _url("f", query), headers, b"new") == (status, code)
    assert served.state() == before


@pytest.mark.parametrize("query", ["", "comp=block&blockid=QUFBQQ=="])
@pytest.mark.parametrize("sent", [0, 10, 2 * 1024 * 1024])
def test_a_client_that_hangs_up_changes_nothing(served: Served, query: str, sent: int) -> None:
    assert _ask(served, "PUT", _url("f"), KIND, b"as it was") == (201, "")
    before = served.state()
    head = (
        f"PUT {_url('f', query)} HTTP/1.1\r\nHost: x\r\nx-ms-version: 2019-02-02\r\n"
        f"x-ms-blob-type: BlockBlob\r\nContent-Length: {sent + 1}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(head.encode() + bytes(sent))
        connection.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while connection.recv(65536):
                pass
    staging = served.home.storage / ".staging"
    for _ in range(1000):
        if not list(staging.iterdir()):
            break
        assert _ask(served, "GET", _url("f")) == (200, "")
    assert served.state() == before


def test_two_writers_do_not_mix(served: Served, folder: Path) -> None:
    bodies = [bytes([number]) * (1 << 20) for number in (1, 2, 3, 4)]
    threads = [threading.Thread(target=_ask, args=(served, "PUT", _url("f"), KIND, body)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (folder / "f").read_bytes() in bodies


def test_a_body_without_length_is_refused(served: Served) -> None:
    before = served.state()
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        head = (
            f"PUT {_url('f')} HTTP/1.1\r\nHost: x\r\nx-ms-version: 2019-02-02\r\nConnection: close\r\n"
            "x-ms-blob-type: BlockBlob\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 411 ")
    assert served.state() == before


@pytest.mark.parametrize(
    ("name", "code"),
    [("UP", "OutOfRangeInput"), ("Upper", "InvalidResourceName"), ("a--b", "InvalidResourceName")],
)
def test_a_container_name_that_is_none_is_refused(served: Served, name: str, code: str) -> None:
    with blob_client(served) as client, pytest.raises(HttpResponseError) as refused:
        client.get_container_client(name).get_container_properties()
    assert refused.value.status_code == 400
    assert f"ErrorCode:{code}" in refused.value.message


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("data", "restype=container&comp=list&include=colours", "InvalidQueryParameterValue"),
        ("data", "restype=container&comp=list&include=metadata,tags", "NotImplemented"),
        ("data", "restype=container&comp=list&showonly=files", "NotImplemented"),
        ("data", "restype=container&comp=list&timeout=soon", "InvalidQueryParameterValue"),
        ("", "comp=list&include=colours", "InvalidQueryParameterValue"),
        ("", "comp=list&include=deleted", "NotImplemented"),
    ],
)
def test_a_list_of_what_nobody_knows_is_refused(served: Served, path: str, query: str, code: str) -> None:
    url = f"/blob/{ACCOUNT}/{path}?{query}&{account_sas(served)}"
    assert _ask(served, "GET", url)[1] == code
