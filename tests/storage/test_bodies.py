"""Bodies and ranges: what arrives whole is stored, what does not leaves the file as it was."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.storage.records import ShareRecord
from batchai_scenario.emulator.storage.shares import Shares
from tests.storage.serving import ACCOUNT, SMB, Serving, assemble

if TYPE_CHECKING:
    from batchai_scenario.emulator.storage.slots import Slot
    from tests.storage.serving import Served

MIB = 1024 * 1024


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def test_a_range_is_written_and_its_md5_told(served: Served) -> None:
    served.make("/data/f", b"0123456789")
    answer = served.put("/data/f", 3, b"abc", {"content-md5": _md5(b"abc")})
    assert (answer.status, answer.headers["content-md5"]) == (201, _md5(b"abc"))
    assert answer.headers["x-ms-request-server-encrypted"] == "true"
    assert served.ask("GET", "/data/f").body == b"012abc6789"


@pytest.mark.parametrize("size", [1, 65535, 65536, MIB - 1, MIB, MIB + 1, 3 * MIB + 7, 4 * MIB])
def test_a_range_of_any_size_is_written_whole(served: Served, size: int) -> None:
    data = os.urandom(size)
    served.make("/data/f", bytes(size + 2))
    answer = served.put("/data/f", 1, data)
    assert (answer.status, answer.headers["content-md5"]) == (201, _md5(data))
    assert (served.folder("data") / "f").read_bytes() == b"\0" + data + b"\0"


def test_a_long_range_whose_md5_differs_leaves_the_file_as_it_was(served: Served) -> None:
    before = os.urandom(4 * MIB)
    served.make("/data/f", before)
    answer = served.put("/data/f", 0, bytes(4 * MIB), {"content-md5": _md5(b"other")})
    assert (answer.status, answer.headers["x-ms-error-code"]) == (400, "Md5Mismatch")
    assert (served.folder("data") / "f").read_bytes() == before


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"x-ms-range": "bytes=8-10"}, b"abc", 416, "InvalidRange"),
        ({"x-ms-range": "bytes=10-10"}, b"a", 416, "InvalidRange"),
        ({"x-ms-range": "bytes=0-3"}, b"abc", 400, "InvalidHeaderValue"),
        ({"x-ms-range": "bytes=0-1"}, b"abc", 400, "InvalidHeaderValue"),
        ({"x-ms-range": "bytes=2-0"}, b"abc", 400, "InvalidHeaderValue"),
        ({"x-ms-range": "bytes=-3"}, b"abc", 400, "InvalidHeaderValue"),
        ({"x-ms-range": "0-2"}, b"abc", 400, "InvalidHeaderValue"),
        ({"x-ms-range": "bytes=0-"}, b"abc", 400, "MissingRequiredHeader"),
        ({}, b"abc", 400, "MissingRequiredHeader"),
        ({"x-ms-range": "bytes=0-2", "x-ms-write": "append"}, b"abc", 400, "InvalidHeaderValue"),
        ({"x-ms-range": "bytes=0-2", "x-ms-write": "clear"}, b"abc", 400, "InvalidHeaderValue"),
        ({"x-ms-range": "bytes=0-2", "content-md5": _md5(b"abd")}, b"abc", 400, "Md5Mismatch"),
        ({"x-ms-range": "bytes=0-2", "content-md5": "abc"}, b"abc", 400, "InvalidMd5"),
        ({"x-ms-range": "bytes=0-2", "if-match": '"0x0"'}, b"abc", 412, "ConditionNotMet"),
        ({"x-ms-range": "bytes=0-2", "x-ms-lease-id": "l"}, b"abc", 412, "LeaseNotPresentWithFileOperation"),
        ({"x-ms-range": "bytes=0-2", "x-ms-copy-source": "http://x"}, b"", 400, "MissingRequiredHeader"),
    ],
)
def test_a_wrong_range_changes_nothing(
    served: Served, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    served.make("/data/f", b"0123456789")
    before = served.ask("HEAD", "/data/f").headers["etag"]
    answer = served.ask("PUT", "/data/f", {"comp": "range"}, {"x-ms-write": "update", **headers}, body)
    assert (answer.status, answer.code) == (status, code)
    assert served.ask("GET", "/data/f").body == b"0123456789"
    assert served.ask("HEAD", "/data/f").headers["etag"] == before


def test_a_range_over_four_mebibytes_is_refused(served: Served) -> None:
    size = 4 * MIB + 1
    sent = {"x-ms-type": "file", "x-ms-content-length": str(size), **SMB}
    assert served.ask("PUT", "/data/f", headers=sent).status == 201
    answer = served.put("/data/f", 0, bytes(size))
    assert (answer.status, answer.code, answer.text("MaxLimit")) == (413, "RequestBodyTooLarge", str(4 * MIB))


def _begin(served: Served, path: str, length: int, body: bytes) -> socket.socket:
    """Send a put of a range, its head whole and its body only so far."""
    head = {"x-ms-write": "update", "x-ms-range": f"bytes=0-{length - 1}", "content-length": str(length)}
    lines = [f"PUT /{ACCOUNT}{path}?comp=range HTTP/1.1", "host: x"]
    lines += [f"{name}: {value}" for name, value in served.sign("PUT", path, {"comp": "range"}, head).items()]
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=10)
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return connection


@pytest.mark.parametrize("sent", [0, 1, 70_000, 2 * MIB, 4 * MIB - 1])
def test_a_client_that_hangs_up_leaves_the_file_as_it_was(served: Served, sent: int) -> None:
    old, new = os.urandom(4 * MIB), os.urandom(4 * MIB)
    served.make("/data/f", old)
    etag = served.ask("HEAD", "/data/f").headers["etag"]
    connection = _begin(served, "/data/f", 4 * MIB, new[:sent])
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        pass
    connection.close()
    assert (served.folder("data") / "f").read_bytes() == old
    assert served.ask("HEAD", "/data/f").headers["etag"] == etag
    # The draft of the broken upload is used again: nothing of it may show.
    assert served.put("/data/f", 10, b"abc").status == 201
    assert (served.folder("data") / "f").read_bytes() == old[:10] + b"abc" + old[13:]
    kept = sorted(path.name.partition("-")[0] for path in (served.home.storage / ".staging").iterdir())
    assert kept == ["draft"] * (len(kept) // 2) + ["note"] * (len(kept) // 2)
    assert len(kept) <= 8


def test_a_file_deleted_while_its_range_arrives_stays_deleted(served: Served) -> None:
    served.make("/data/f", bytes(MIB))
    connection = _begin(served, "/data/f", MIB, bytes(MIB // 2))
    (served.folder("data") / "f").unlink()
    connection.sendall(bytes(MIB - MIB // 2))
    assert b" 404 " in connection.recv(4096).splitlines()[0]
    connection.close()
    assert list(served.folder("data").iterdir()) == []


def test_a_body_without_length_is_refused(served: Served) -> None:
    served.make("/data/f", b"0123456789")
    head = {"x-ms-write": "update", "x-ms-range": "bytes=0-2", "transfer-encoding": "chunked"}
    lines = [f"PUT /{ACCOUNT}/data/f?comp=range HTTP/1.1", "host: x"]
    lines += [
        f"{name}: {value}" for name, value in served.sign("PUT", "/data/f", {"comp": "range"}, head).items()
    ]
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", "3", "abc", "0", "", ""]).encode())
        assert b" 411 " in connection.recv(4096).splitlines()[0]
    assert served.ask("GET", "/data/f").body == b"0123456789"


def test_two_writers_of_a_range_do_not_mix(served: Served) -> None:
    served.make("/data/f", bytes(2 * MIB))
    seen: set[int] = set()

    def write(letter: bytes) -> None:
        for _ in range(4):
            assert served.put("/data/f", 0, letter * (2 * MIB)).status == 201

    writers = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        body = served.ask("GET", "/data/f", headers={"x-ms-range": f"bytes=0-{64 * 1024 - 1}"}).body
        seen.add(len(set(body)))
    for writer in writers:
        writer.join()
    assert seen == {1}
    assert len(set((served.folder("data") / "f").read_bytes())) == 1


@pytest.mark.parametrize(
    ("asked", "status", "body", "shown"),
    [
        ("bytes=0-9", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=2-3", 206, b"23", "bytes 2-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=7-33554431", 206, b"789", "bytes 7-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=11-12", 416, b"", "bytes */10"),
    ],
)
@pytest.mark.parametrize("header", ["x-ms-range", "range"])
def test_a_range_is_read(  # noqa: PLR0917 - one for each column
    served: Served, header: str, asked: str, status: int, body: bytes, shown: str
) -> None:
    served.make("/data/f", b"0123456789", {"x-ms-content-md5": _md5(b"0123456789")})
    answer = served.ask("GET", "/data/f", headers={header: asked})
    assert (answer.status, answer.headers["content-range"]) == (status, shown)
    if status == 206:
        assert answer.body == body
        assert answer.headers["x-ms-content-md5"] == _md5(b"0123456789")
        assert "content-md5" not in answer.headers


def test_the_service_s_range_header_wins_and_gives_its_md5(served: Served) -> None:
    served.make("/data/f", b"0123456789")
    sent = {"x-ms-range": "bytes=0-3", "range": "bytes=5-6", "x-ms-range-get-content-md5": "true"}
    answer = served.ask("GET", "/data/f", headers=sent)
    assert (answer.body, answer.headers["content-md5"]) == (b"0123", _md5(b"0123"))
    whole = served.ask("GET", "/data/f", headers={"x-ms-range-get-content-md5": "true"})
    assert (whole.status, whole.code) == (400, "InvalidHeaderValue")


def test_reading_a_range_of_an_empty_file_tells_its_size(served: Served) -> None:
    served.make("/data/f", b"")
    answer = served.ask("GET", "/data/f", headers={"x-ms-range": "bytes=0-33554431"})
    assert (answer.status, answer.code, answer.headers["content-range"]) == (416, "InvalidRange", "bytes */0")
    whole = served.ask("GET", "/data/f")
    assert (whole.status, whole.body) == (200, b"")


def test_conditions_of_a_read(served: Served) -> None:
    served.make("/data/f", b"x")
    tag = served.ask("HEAD", "/data/f").headers["etag"]
    assert served.ask("GET", "/data/f", headers={"if-match": tag}).status == 200
    assert served.ask("GET", "/data/f", headers={"if-match": '"0x1"'}).status == 412
    assert served.ask("GET", "/data/f", headers={"if-none-match": tag}).status == 304
    assert served.ask("GET", "/data/f", headers={"if-none-match": '"0x1"'}).status == 200
    past, future = "Thu, 01 Jan 2004 00:00:00 GMT", "Thu, 01 Jan 2099 00:00:00 GMT"
    assert served.ask("GET", "/data/f", headers={"if-modified-since": past}).status == 200
    assert served.ask("GET", "/data/f", headers={"if-modified-since": future}).status == 304
    assert served.ask("GET", "/data/f", headers={"if-unmodified-since": past}).status == 412
    assert served.ask("DELETE", "/data/f", headers={"if-match": '"0x1"'}).status == 412
    assert served.ask("DELETE", "/data/f", headers={"if-match": tag}).status == 202


def test_who_goes_on_with_a_download_gets_all_of_another_file(served: Served) -> None:
    served.make("/data/f", b"0123456789")
    seen = served.ask("HEAD", "/data/f").headers
    for known in (seen["etag"], seen["last-modified"]):
        rest = served.ask("GET", "/data/f", headers={"range": "bytes=8-", "if-range": known})
        assert (rest.status, rest.body) == (206, b"89")
    other = served.ask("GET", "/data/f", headers={"range": "bytes=8-", "if-range": '"0x1"'})
    assert (other.status, other.body) == (200, b"0123456789")
    assert "content-range" not in other.headers


@pytest.mark.parametrize(("timeout", "status"), [("30", 200), ("", 200), ("soon", 400), ("-1", 400)])
def test_how_long_a_client_waits_is_a_number_of_seconds(served: Served, timeout: str, status: int) -> None:
    served.make("/data/f", b"x")
    assert served.ask("GET", "/data/f", {"timeout": timeout}).status == status


def test_a_client_that_leaves_a_download_holds_nobody_up(served: Served) -> None:
    with (served.folder("data") / "f").open("wb") as file:
        file.truncate(512 * 1024 * MIB)
    lines = [f"GET /{ACCOUNT}/data/f HTTP/1.1", "host: x"]
    lines += [f"{name}: {value}" for name, value in served.sign("GET", "/data/f", {}, {}).items()]
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        assert b" 200 " in connection.recv(4096).splitlines()[0]
    assert served.ask("HEAD", "/data/f").status == 200
    share = str(served.folder("data"))
    for _ in range(500):
        if not any(path.startswith(share) for path in _open_files()):
            return
        served.ask("HEAD", "/data/f")
    pytest.fail("the file stays open")


def _open_files() -> list[str]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found.append(str(entry.readlink()))
    return found


def test_a_full_disk_is_told_and_changes_nothing(tmp_path: Path) -> None:
    class Full(Shares):
        def draft(self) -> Slot:
            return super().draft()._replace(draft=os.open("/dev/full", os.O_RDWR))

    with Serving(assemble(tmp_path / "home", shares=Full)) as served:
        served.shares.create(ACCOUNT, "data", ShareRecord())
        (served.folder("data") / "f").write_bytes(b"0123456789")
        answer = served.put("/data/f", 0, b"abc")
        assert (answer.status, answer.code) == (409, "ShareSizeLimitReached")
        assert served.ask("GET", "/data/f").body == b"0123456789"


def test_a_file_that_shrinks_while_it_is_read_breaks_the_transfer(served: Served) -> None:
    size = 64 * MIB
    with (served.folder("data") / "f").open("wb") as file:
        file.truncate(size)
    lines = [f"GET /{ACCOUNT}/data/f HTTP/1.1", "host: x"]
    lines += [f"{name}: {value}" for name, value in served.sign("GET", "/data/f", {}, {}).items()]
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        received = len(connection.recv(4096))
        os.truncate(served.folder("data") / "f", 10)
        while data := connection.recv(MIB):
            received += len(data)
    assert received < size


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-ms-content-length": "-1"}, "InvalidHeaderValue"),
        ({"x-ms-content-length": "1e3"}, "InvalidHeaderValue"),
        ({"x-ms-content-length": str(2**63)}, "InvalidHeaderValue"),
        ({"x-ms-content-length": ""}, "InvalidHeaderValue"),
        ({"x-ms-type": "blob"}, "InvalidHeaderValue"),
        ({"x-ms-content-md5": "x"}, "InvalidMd5"),
        ({"x-ms-meta-": "x"}, "EmptyMetadataKey"),
        ({"x-ms-meta-a-b": "x"}, "InvalidMetadata"),
        ({"x-ms-meta-a": "x" * 9000}, "MetadataTooLarge"),
        ({"x-ms-file-attributes": "Round"}, "InvalidHeaderValue"),
        ({"x-ms-file-creation-time": "yesterday"}, "InvalidHeaderValue"),
        ({"x-ms-file-permission-key": "1*2"}, "InvalidHeaderValue"),
        ({"x-ms-file-permission-key": "1*2", "x-ms-file-permission": ""}, "FilePermissionNotFound"),
        ({"x-ms-file-permission": "everybody"}, "FileInvalidPermission"),
        ({"x-ms-mode": "0777"}, "NotImplemented"),
        ({"x-ms-structured-body": "XSM/2.0"}, "InvalidHeaderValue"),
        ({"x-ms-file-property-semantics": "Old"}, "InvalidHeaderValue"),
    ],
)
def test_a_wrong_create_makes_nothing(served: Served, headers: dict[str, str], code: str) -> None:
    sent = {"x-ms-type": "file", "x-ms-content-length": "1", **SMB, **headers}
    assert served.ask("PUT", "/data/f", headers=sent).code == code
    assert list(served.folder("data").iterdir()) == []


@pytest.mark.parametrize("name", [*SMB, "x-ms-type", "x-ms-content-length"])
def test_what_the_version_demands_must_be_there(served: Served, name: str) -> None:
    sent = {"x-ms-type": "file", "x-ms-content-length": "1", **SMB}
    del sent[name]
    answer = served.ask("PUT", "/data/f", headers=sent)
    assert (answer.status, answer.code, answer.text("HeaderName")) == (400, "MissingRequiredHeader", name)
    if name in SMB:
        for version in ("2017-04-17", "2021-06-08"):
            assert served.ask("PUT", "/data/f", headers={**sent, "x-ms-version": version}).status == 201
