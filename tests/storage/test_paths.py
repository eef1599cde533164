"""Names and paths: nothing outside a share is ever seen or touched, and names are the service's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.storage.serving import ACCOUNT, SMB

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.serving import Answer, Served

CREATE = {"x-ms-type": "file", "x-ms-content-length": "1", **SMB}
LIST = {"restype": "directory", "comp": "list"}


def _every_way(served: Served, path: str) -> list[Answer]:
    """Try to read, list, make, write and delete at a path."""
    return [
        served.ask("GET", path),
        served.ask("HEAD", path),
        served.ask("GET", path, LIST),
        served.ask("PUT", path, headers=CREATE),
        served.ask("PUT", path, {"restype": "directory"}, SMB),
        served.put(path, 0, b"x"),
        served.ask("DELETE", path),
        served.ask("DELETE", path, {"restype": "directory"}),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/data/../secret",
        "/data/..",
        "/data/%2e%2e/secret",
        "/data/..%2fsecret",
        "/data/..%2F..%2F..%2F..%2Fetc%2Fpasswd",
        "/data/a/../../secret",
        "/data/./secret",
        "/data/secret%00",
        "/data/%00",
        "/data/line%0Abreak",
        "/data/%ff",
        "/..%2f..",
        "/../data",
        "/data/" + "n" * 256,
        "/data/" + "%C3%A4" * 128,
    ],
)
def test_a_path_that_is_none_is_refused(served: Served, path: str) -> None:
    (served.home.storage / ACCOUNT / "secret").write_text("secret")
    before = served.state()
    for answer in _every_way(served, path):
        assert answer.status == 400
        assert answer.code in ("InvalidResourceName", "") or answer.headers["x-ms-error-code"]
        assert b"secret" not in answer.body or b"<Message>" in answer.body
    assert served.state() == before


@pytest.mark.parametrize(
    "path",
    [
        "/data//a",
        "/data//",
        "/data/a/",
        "/data/a%2F",
        "/data/%2Fa",
        "/data/a//b",
        "/data/a/b/",
        "//data/a",
        "//",
    ],
)
def test_an_empty_component_is_refused(served: Served, path: str) -> None:
    (served.folder("data") / "a").mkdir()
    served.make("/data/a/b", b"x")
    before = served.state()
    for answer in _every_way(served, path):
        assert (answer.status, answer.headers["x-ms-error-code"]) == (400, "InvalidResourceName")
    assert served.state() == before


def test_a_slash_after_the_share_alone_names_its_root(served: Served) -> None:
    served.make("/data/a", b"x")
    assert b"<Name>a</Name>" in served.ask("GET", "/data/", LIST).body


def test_an_encoded_slash_separates(served: Served) -> None:
    (served.folder("data") / "a").mkdir()
    served.make("/data/a%2Fb", b"x")
    assert (served.folder("data") / "a" / "b").read_bytes() == b"x"
    assert served.ask("GET", "/data/a/b").body == b"x"


@pytest.mark.parametrize(
    "name", ["n" * 255, "ä" * 127, "Ünï çødé 文件 🙂.txt", "a&b<c>"[:3], "%41", ".hidden", "a+b c"]
)
def test_a_legal_name_is_kept(served: Served, name: str) -> None:
    from urllib.parse import quote

    path = f"/data/{quote(name)}"
    served.make(path, b"x")
    assert [entry.name for entry in served.folder("data").iterdir()] == [name]
    assert served.ask("GET", path).body == b"x"
    assert served.ask("GET", "/data", LIST).text("Entries/File/Name") == name
    assert served.ask("DELETE", path).status == 202


@pytest.mark.parametrize(
    "name", ["a%3Ab", "a%2Ab", "a%3Fb", "a%22b", "a%7Cb", "a%3Cb", "a%5Cb", "...", "NUL", "com1.txt"]
)
def test_a_reserved_name_cannot_be_made(served: Served, name: str) -> None:
    answer = served.ask("PUT", f"/data/{name}", headers=CREATE)
    assert (answer.status, answer.code) == (400, "InvalidResourceName")
    answer = served.ask("PUT", f"/data/{name}", {"restype": "directory"}, SMB)
    assert (answer.status, answer.code) == (400, "InvalidResourceName")
    assert list(served.folder("data").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ab", "OutOfRangeInput"),
        ("n" * 64, "OutOfRangeInput"),
        ("Upper", "InvalidResourceName"),
        ("two--dashes", "InvalidResourceName"),
        ("-first", "InvalidResourceName"),
        ("last-", "InvalidResourceName"),
        ("under_score", "InvalidResourceName"),
        (".staging", "InvalidResourceName"),
    ],
)
def test_a_share_name_that_is_none_is_refused(served: Served, name: str, code: str) -> None:
    answer = served.ask("PUT", f"/{name}", {"restype": "share"})
    assert (answer.status, answer.code) == (400, code)


def test_links_that_climb_out_are_not_there(served: Served, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    share = served.folder("data")
    (share / "file").symlink_to(outside / "secret")
    (share / "folder").symlink_to(outside)
    (share / "relative").symlink_to("../../..")
    (share / "circle").symlink_to("circle")
    (share / "dangling").symlink_to("nothing")
    os.mkfifo(share / "fifo")
    before = sorted(path.name for path in share.iterdir())
    for path in (
        "file",
        "folder/secret",
        "folder/new",
        "FOLDER/secret",
        "relative/emulator/seal.key",
        "circle",
        "fifo",
    ):
        for answer in _every_way(served, f"/data/{path}"):
            assert answer.status in (404, 409), (path, answer)
            assert b"secret" not in answer.body.replace(b"secret<", b"")
    assert served.ask("GET", "/data/folder", LIST).status == 404
    assert served.ask("GET", "/data", LIST).text("Entries") == ""
    assert served.ask("PUT", "/data/dangling", headers=CREATE).status == 409
    assert sorted(path.name for path in share.iterdir()) == before
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"


def test_links_within_a_share_are_followed_and_deleted_as_links(served: Served) -> None:
    share = served.folder("data")
    (share / "real").mkdir()
    (share / "real" / "f").write_text("x")
    (share / "latest").symlink_to("real")
    (share / "g").symlink_to("real/f")
    assert served.ask("GET", "/data/latest/f").body == b"x"
    assert served.put("/data/g", 0, b"y").status == 201
    assert (share / "real" / "f").read_text() == "y"
    assert served.ask("DELETE", "/data/g").status == 202
    assert (share / "real" / "f").read_text() == "y"


def test_case_is_kept_and_ignored(served: Served) -> None:
    assert served.ask("PUT", "/data/Models", {"restype": "directory"}, SMB).status == 201
    served.make("/data/MODELS/Net.dnn", b"1")
    share = served.folder("data")
    assert sorted(str(path.relative_to(share)) for path in share.rglob("*")) == ["Models", "Models/Net.dnn"]
    assert served.ask("GET", "/data/models/NET.DNN").body == b"1"
    again = served.ask("PUT", "/data/mODELS", {"restype": "directory"}, SMB)
    assert (again.status, again.code) == (409, "ResourceAlreadyExists")
    served.make("/data/Models/NET.dnn", b"22", {"x-ms-meta-n": "2"})
    assert [path.name for path in (share / "Models").iterdir()] == ["Net.dnn"]
    assert served.ask("HEAD", "/data/Models/net.dnn").headers["x-ms-meta-n"] == "2"
    assert served.ask("DELETE", "/data/models/net.DNN").status == 202
    assert list((share / "Models").iterdir()) == []


def test_an_exact_name_wins_over_another_case(served: Served) -> None:
    for name in ("a", "A"):
        (served.folder("data") / name).write_text(name)
    assert served.ask("GET", "/data/a").body == b"a"
    assert served.ask("GET", "/data/A").body == b"A"


def test_a_file_is_no_directory_and_the_reverse(served: Served) -> None:
    served.make("/data/file", b"x")
    (served.folder("data") / "folder").mkdir()
    for answer, code in (
        (served.ask("PUT", "/data/folder", headers=CREATE), "ResourceTypeMismatch"),
        (served.ask("PUT", "/data/file", {"restype": "directory"}, SMB), "ResourceTypeMismatch"),
        (served.ask("DELETE", "/data/file", {"restype": "directory"}), "ResourceTypeMismatch"),
        (served.ask("GET", "/data/folder"), "ResourceNotFound"),
        (served.ask("GET", "/data/file", LIST), "ResourceNotFound"),
        (served.ask("GET", "/data/file/below"), "ParentNotFound"),
        (served.ask("PUT", "/data/file/below", headers=CREATE), "ParentNotFound"),
        (served.ask("DELETE", "/data", {"restype": "directory"}), "CannotDeleteFileOrDirectory"),
        (served.ask("PUT", "/data", {"restype": "directory"}, SMB), "ResourceAlreadyExists"),
        (served.ask("GET", "/data"), "InvalidUri"),
        (served.ask("POST", "/data/file"), "UnsupportedHttpVerb"),
        (served.ask("GET", "/data/file", {"comp": "nothing"}), "InvalidQueryParameterValue"),
        (served.ask("GET", "/data/file", {"restype": "share"}), "InvalidQueryParameterValue"),
    ):
        assert answer.code == code


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"maxresults": "0"}, "OutOfRangeQueryParameterValue"),
        ({"maxresults": "many"}, "InvalidQueryParameterValue"),
        ({"marker": "not ours"}, "InvalidQueryParameterValue"),
    ],
)
def test_a_wrong_page_is_refused(served: Served, query: dict[str, str], code: str) -> None:
    assert served.ask("GET", "/data", {**LIST, **query}).code == code
    assert served.ask("GET", "/", {"comp": "list", **query}).code == code


def test_what_a_listing_cannot_include_is_refused(served: Served) -> None:
    assert served.ask("GET", "/data", {**LIST, "include": "Weather"}).code == "InvalidQueryParameterValue"
    assert served.ask("GET", "/", {"comp": "list", "include": "weather"}).code == "InvalidQueryParameterValue"
