"""Files that a job or a person puts into a share or changes there: they show at once, nothing stale does."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.storage.shares import Shares
from tests.storage.serving import SMB

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.storage.serving import Served

LIST = {"restype": "directory", "comp": "list"}
SETTINGS = {
    "x-ms-content-type": "text/x",
    "x-ms-content-md5": base64.b64encode(hashlib.md5(b"old").digest()).decode(),
    "x-ms-meta-k": "v",
}


def test_a_new_file_shows_at_once(served: Served) -> None:
    folder = served.folder("data") / "stdouterr"
    folder.mkdir()
    (folder / "stdout.txt").write_text("line 1\n")
    first = served.ask("HEAD", "/data/stdouterr/stdout.txt").headers
    assert (first["content-length"], first["content-type"]) == ("7", "application/octet-stream")
    with (folder / "stdout.txt").open("a") as file:
        file.write("line 2\n")
    second = served.ask("GET", "/data/stdouterr/stdout.txt", headers={"range": "bytes=7-"})
    assert (second.body, second.headers["content-range"]) == (b"line 2\n", "bytes 7-13/14")
    assert second.headers["etag"] != first["etag"]
    assert served.ask("GET", "/data/stdouterr", LIST).text("Content-Length") == "14"
    assert served.ask("HEAD", "/data/stdouterr/stdout.txt").headers["etag"] == second.headers["etag"]


def test_a_folder_beside_the_shares_is_one(served: Served) -> None:
    served.folder("by-hand").mkdir()
    served.folder("Not a share").mkdir()
    names = served.ask("GET", "/", {"comp": "list"})
    assert b"by-hand" in names.body
    assert b"Not a share" not in names.body
    assert served.ask("GET", "/by-hand", {"restype": "share"}).headers["x-ms-share-quota"] == "5120"
    shutil.rmtree(served.folder("Not a share"))


def _rewrite(path: Path) -> None:
    path.write_bytes(b"new")


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"+")


def _replace(path: Path) -> None:
    times = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"old")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)


def _remake(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"old")


@pytest.mark.parametrize("change", [_rewrite, _append, _replace, _remake])
def test_what_was_kept_about_a_file_ends_with_a_write_from_outside(
    served: Served, change: Callable[[Path], None]
) -> None:
    served.make("/data/f", b"old", SETTINGS)
    before = served.ask("HEAD", "/data/f").headers
    assert (before["content-type"], before["x-ms-meta-k"]) == ("text/x", "v")
    assert before["content-md5"] == SETTINGS["x-ms-content-md5"]
    change(served.folder("data") / "f")
    after = served.ask("HEAD", "/data/f").headers
    assert after["etag"] != before["etag"]
    assert after["content-type"] == "application/octet-stream"
    assert "content-md5" not in after
    assert "x-ms-meta-k" not in after


def test_what_was_kept_stays_through_our_own_writes(served: Served) -> None:
    served.make("/data/f", b"old", SETTINGS)
    tags = {served.ask("HEAD", "/data/f").headers["etag"]}
    for number in range(5):
        tags.add(served.put("/data/f", 0, bytes([number])).headers["etag"])
    after = served.ask("HEAD", "/data/f").headers
    assert (after["content-type"], after["x-ms-meta-k"]) == ("text/x", "v")
    assert len(tags) == 6
    assert after["etag"] in tags
    # Reading it and giving it another owner or mode is no write.
    (served.folder("data") / "f").chmod(0o600)
    assert served.ask("HEAD", "/data/f").headers["etag"] == after["etag"]


def test_what_was_kept_goes_with_the_file(served: Served) -> None:
    served.make("/data/f", b"old", SETTINGS)
    assert served.ask("DELETE", "/data/f").status == 202
    served.make("/data/f", b"old")
    assert "x-ms-meta-k" not in served.ask("HEAD", "/data/f").headers


def test_what_was_kept_goes_with_the_share(served: Served) -> None:
    assert served.ask("PUT", "/data/d", {"restype": "directory"}, {**SMB, "x-ms-meta-k": "v"}).status == 201
    served.make("/data/d/f", b"old", SETTINGS)
    assert served.store.list("storage-entry", "devaccount/data") != []
    assert served.ask("DELETE", "/data", {"restype": "share"}).status == 202
    assert served.store.list("storage-entry", "devaccount/data") == []
    assert served.ask("GET", "/data/d/f").code == "ShareNotFound"
    assert served.ask("PUT", "/data", {"restype": "share"}).status == 201
    assert served.ask("GET", "/data", LIST).text("Entries") == ""


def test_metadata_of_a_directory_outlive_what_is_put_into_it(served: Served) -> None:
    served.ask("PUT", "/data/d", {"restype": "directory"}, {**SMB, "x-ms-meta-k": "v"})
    (served.folder("data") / "d" / "f").write_text("x")
    assert served.ask("GET", "/data/d", {"restype": "directory"}).headers["x-ms-meta-k"] == "v"


def test_names_that_xml_cannot_hold_are_left_out(served: Served) -> None:
    for name in (b"bad\x01name", b"bad\xffname", b"good"):
        with open(os.fsencode(served.folder("data")) + b"/" + name, "wb"):  # noqa: PTH123 - a name of bytes
            pass
    answer = served.ask("GET", "/data", LIST)
    assert answer.text("Name") == "good"
    assert answer.body.count(b"<File>") == 1


def test_new_files_are_open_to_every_user_of_a_job(served: Served) -> None:
    served.ask("PUT", "/data/d", {"restype": "directory"}, SMB)
    served.make("/data/d/run.sh", b"x")
    share = served.folder("data")
    assert [path.stat().st_mode & 0o777 for path in (share, share / "d", share / "d" / "run.sh")] == [
        0o777
    ] * 3
    assert served.home.storage.stat().st_mode & 0o077 == 0


def test_times_that_the_client_sets_are_the_file_s(served: Served) -> None:
    times = {
        "x-ms-file-creation-time": "2017-10-01T10:00:00.1234567Z",
        "x-ms-file-last-write-time": "2017-10-02T10:00:280Z",
        "x-ms-file-attributes": "hidden|Archive",
    }
    served.make("/data/f", b"", times)
    found = served.ask("HEAD", "/data/f").headers
    assert found["x-ms-file-creation-time"] == "2017-10-01T10:00:00.1234567Z"
    assert found["x-ms-file-last-write-time"] == "2017-10-02T10:00:28.0000000Z"
    assert found["x-ms-file-attributes"] == "Hidden | Archive"
    assert (served.folder("data") / "f").stat().st_mtime == 1506938428


def test_what_a_crash_left_in_staging_is_removed_at_the_start(served: Served) -> None:
    (served.home.storage / ".staging" / "half").mkdir()
    (served.home.storage / ".staging" / "half" / "f").write_text("x")
    Shares(served.home, served.store)
    assert list((served.home.storage / ".staging").iterdir()) == []
