"""A share is a folder that jobs write: whatever they swap between two calls leads nobody outside."""

from __future__ import annotations

import base64
import os
import stat
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store
from batchai_scenario.emulator.storage import listing, tree
from batchai_scenario.emulator.storage.blob import openness
from batchai_scenario.emulator.storage.blob import tree as blobs
from batchai_scenario.emulator.storage.errors import StorageError
from batchai_scenario.emulator.storage.records import Records
from batchai_scenario.emulator.storage.remembered import FolderNames
from batchai_scenario.emulator.storage.snapshots import copy_tree
from batchai_scenario.emulator.storage.times import http_date, moment, smb_time
from tests.state.swapping import Swapping, moves, snapshot
from tests.storage.serving import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.storage.serving import Served

SEEDS = range(120)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    (folder / "b").mkdir(parents=True)
    for path in (folder / "precious", folder / "b" / "precious"):
        path.write_text("mine")
    folder.chmod(0o700)
    return folder


def grow(top: Path) -> list[Path]:
    (top / "a" / "b").mkdir(parents=True)
    for folder in (top, top / "a", top / "a" / "b"):
        (folder / "precious").write_text("theirs")
    return [top / "a", top / "a" / "b", top / "a" / "precious", top / "a" / "new"]


def read_all(top: Path) -> None:
    for parts in ((), ("a",), ("a", "b"), ("A", "B")):
        with suppress(StorageError), tree.find_directory(str(top), parts) as found:
            for entry in listing.describe(found, listing.entries(found, FolderNames())):
                assert entry.is_directory or entry.size == len("theirs")
                with suppress(StorageError, OSError):
                    read(top, *parts, entry.name)


def read(top: Path, *parts: str) -> None:
    with tree.find_file(str(top), parts) as found:
        fd = found.open(os.O_RDONLY)
        assert os.read(fd, 100) == b"theirs"
        os.close(fd)


def make(top: Path) -> None:
    tree.make_directory(str(top), ("a", "new"))
    fd, _, _ = tree.make_file(str(top), ("a", "b", "file"))
    os.close(fd)


def rename(top: Path) -> None:
    tree.rename(str(top), ("a", "precious"), ("a", "b", "moved"), directory=False)
    tree.remove(str(top), ("a", "b", "precious"), directory=False)


def replace(top: Path) -> None:
    draft = top.parent / "draft"
    draft.write_text("new")
    tree.put(str(top), ("a", "precious"), str(draft))


def copy(top: Path) -> None:
    target = top.parent / "copy"
    copy_tree(str(top), str(target))
    for path in target.rglob("*"):
        if path.is_file() and not path.is_symlink() and not path.parent.is_symlink():
            assert path.read_text() == "theirs"


def blob_read(top: Path) -> None:
    for name, is_directory in blobs.walk(str(top), "", FolderNames(), deep=True):
        status = openness.settled(str(top), name)
        assert (
            is_directory or status is None or stat.S_ISDIR(status.st_mode) or status.st_size == len("theirs")
        )
        with suppress(StorageError), blobs.find(str(top), name.split("/")) as found:
            if not found.is_directory:
                fd = found.open(os.O_RDONLY)
                assert os.read(fd, 100) == b"theirs"
                os.close(fd)


def blob_make(top: Path) -> None:
    with closing(Store(top.parent / "state", Seal(base64.urlsafe_b64encode(bytes(32))))) as store:
        records = Records(store)
        blobs.make_directory(records, "key", str(top), ("a", "new"))
        draft = top.parent / "draft"
        draft.write_text("new")
        blobs.place(records, "key", str(top), ("a", "b", "c", "file"), str(draft))
        with blobs.find(str(top), ("a", "precious")) as found:
            blobs.remove(records, "key", str(top), found)


WORK = [read_all, make, rename, replace, copy, blob_read, blob_make]


@pytest.mark.parametrize("work", WORK)
def test_nothing_outside_is_touched_or_seen(
    work: Callable[[Path], None], tmp_path: Path, outside: Path
) -> None:
    before = snapshot(outside)
    for seed in SEEDS:
        place = tmp_path / str(seed)
        swapping = Swapping(grow(place / "tree"), outside, place / "aside")
        with suppress(OSError, StorageError), moves().watch(swapping.seeded(seed)):
            work(place / "tree")
        assert snapshot(outside) == before, f"seed {seed}"


@pytest.mark.parametrize("work", WORK)
def test_one_swap_before_each_call_touches_nothing_outside(
    work: Callable[[Path], None], tmp_path: Path, outside: Path
) -> None:
    before = snapshot(outside)
    grow(tmp_path / "quiet" / "tree")
    with moves().watch(lambda _: None):
        work(tmp_path / "quiet" / "tree")
    for call in range(moves().count + 2):
        for which in range(4):
            place = tmp_path / f"{call}-{which}"
            swapping = Swapping(grow(place / "tree"), outside, place / "aside")
            with suppress(OSError, StorageError), moves().watch(swapping.at(call, which)):
                work(place / "tree")
            assert snapshot(outside) == before, f"call {call}"


def test_links_to_a_directory_on_the_way_are_listed_nowhere(served: Served) -> None:
    root = served.home.storage / ACCOUNT / "data"
    (root / "x" / "deep").mkdir(parents=True)
    (root / "y").mkdir()
    (root / "x" / "model").write_text("m")
    for link, target in (("x/a", "."), ("x/b", ".."), ("x/deep/up", "../../x"), ("y/over", "../x")):
        (root / link).symlink_to(target)
    (root / "x" / "side").symlink_to("../y")
    seen: list[str] = []

    def enter(path: str) -> None:
        assert len(seen) < 100
        answer = served.ask("GET", f"/data/{path}", {"restype": "directory", "comp": "list"})
        assert answer.status == 200
        for name in answer.body.decode("utf-8-sig").split("<Directory><Name>")[1:]:
            below = f"{path}/{name.partition('<')[0]}".lstrip("/")
            seen.append(below)
            enter(below)

    enter("")
    assert sorted(seen) == ["x", "x/deep", "x/side", "y", "y/over", "y/over/deep"]
    assert served.ask("GET", "/data/y/over/model").status == 200


def test_a_snapshot_and_the_usage_of_a_share_with_links_in_a_circle(served: Served) -> None:
    root = served.home.storage / ACCOUNT / "data"
    (root / "model").write_bytes(b"12345")
    (root / "again").symlink_to(".")
    assert served.shares.usage(ACCOUNT, "data") == 5 + len(".")
    made = served.ask("PUT", "/data", {"restype": "share", "comp": "snapshot"})
    assert made.status == 201
    folder = served.shares.snapshot_folder(ACCOUNT, "data", made.headers["x-ms-snapshot"])
    assert sorted(path.name for path in Path(folder).iterdir()) == ["again", "model"]


@pytest.mark.parametrize("seconds", [2**62 // 10**9, -(2**62) // 10**9, 300_000_000_000, -1, 0])
def test_any_time_that_a_file_can_have_is_told(seconds: int) -> None:
    assert 1601 <= moment(seconds * 10**9).year <= 9999
    assert http_date(seconds).endswith("GMT")
    assert smb_time(seconds * 10**9).endswith("Z")
