"""Large folders are read once for all pages of their lists, and what changes in them is seen at once."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.storage import tree
from batchai_scenario.emulator.storage.remembered import LARGE, FolderNames
from tests.blob.serving import BlobServing, blob_client
from tests.storage.serving import ACCOUNT, SMB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from batchai_scenario.emulator.storage.remembered import NamedEntry
    from tests.storage.serving import Served

COUNT = LARGE + 500


class Reader:
    """Reads a folder, and counts how often."""

    def __init__(self, folder: Path, *, lasting: bool = True) -> None:
        self.folder, self.lasting, self.reads = folder, lasting, 0

    def __call__(self) -> tuple[Sequence[NamedEntry], bool]:
        self.reads += 1
        return [(name, False) for name in sorted(path.name for path in self.folder.iterdir())], self.lasting


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has not changed for a while."""
    folder = tmp_path_factory.mktemp("large")
    for number in range(COUNT):
        (folder / f"file{number:05}").touch()
    return folder


def _let_time_pass(folder: Path) -> None:
    """Change a folder's own time until the kernel's clock has ticked."""
    before = folder.stat().st_ctime_ns
    while folder.stat().st_ctime_ns == before:
        folder.chmod(0o755)


def _names(names: FolderNames, folder: Path, reader: Reader) -> list[str]:
    fd = os.open(folder, os.O_RDONLY)
    try:
        return [name for name, _ in names.of(fd, reader)]
    finally:
        os.close(fd)


class SettledNames(FolderNames):
    """As if the last change of every folder lay a while back."""

    settled_after = -(10**18)


def test_a_large_folder_is_read_once_and_again_when_it_changes(large: Path) -> None:
    names, reader = SettledNames(), Reader(large)
    for _ in range(3):
        assert len(_names(names, large, reader)) == COUNT
    assert reader.reads == 1
    (large / "new").touch()
    assert "new" in _names(names, large, reader)
    _let_time_pass(large)
    (large / "new").rename(large / "newer")
    assert "newer" in _names(names, large, reader)
    _let_time_pass(large)
    (large / "newer").unlink()
    assert _names(names, large, reader)[-1] == f"file{COUNT - 1:05}"
    reads = reader.reads
    _let_time_pass(large)
    os.utime(large, (0, 0))
    assert len(_names(names, large, reader)) == COUNT
    assert reader.reads == reads + 1


def test_what_changed_a_moment_ago_or_may_change_unseen_is_read_again(tmp_path: Path, large: Path) -> None:
    young = tmp_path / "young"
    young.mkdir()
    for number in range(LARGE):
        (young / str(number)).touch()
    for names, folder, lasting in ((FolderNames(), young, True), (SettledNames(), large, False)):
        reader = Reader(folder, lasting=lasting)
        for _ in range(2):
            _names(names, folder, reader)
        assert reader.reads == 2


def test_small_folders_are_not_kept_and_large_ones_only_so_many(tmp_path: Path, large: Path) -> None:
    names = SettledNames()
    names.most = COUNT + LARGE - 1
    (tmp_path / "one").touch()
    small = Reader(tmp_path)
    for _ in range(2):
        _names(names, tmp_path, small)
    assert small.reads == 2
    other = tmp_path / "other"
    other.mkdir()
    for number in range(LARGE):
        (other / str(number)).touch()
    reader = Reader(large)
    for folder, read in ((large, reader), (other, Reader(other)), (large, reader)):
        _names(names, folder, read)
    assert reader.reads == 2


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, large: Path) -> Iterator[Served]:
    with BlobServing(tmp_path_factory.mktemp("served") / "home") as found:
        account = found.home.storage / ACCOUNT
        for folder in (account / "data" / "deep", account / "_blob" / "data" / "deep"):
            folder.mkdir(parents=True)
            for path in large.iterdir():
                (folder / path.name).hardlink_to(path)
        yield found


def _listed(served: Served, **query: str) -> list[str]:
    found: list[str] = []
    asked = {"restype": "directory", "comp": "list", "maxresults": "900", **query}
    marker = ""
    while True:
        answer = served.ask("GET", "/data/deep", {**asked, **({"marker": marker} if marker else {})})
        found += [row.split("<", 1)[0] for row in answer.body.decode().split("<Name>")[1:]]
        marker = answer.text("NextMarker")
        if not marker:
            return found


def test_pages_of_a_directory_tell_each_name_once(served: Served) -> None:
    whole = [f"file{number:05}" for number in range(COUNT)]
    assert _listed(served) == whole
    assert _listed(served, prefix="FILE01") == whole[1000:2000]
    assert _listed(served, prefix="nothing") == []
    assert _listed(served, prefix=f"file{COUNT - 1:05}") == whole[-1:]


@pytest.mark.parametrize("delimiter", ["", "/", "0"])
def test_pages_of_a_container_tell_each_name_once(served: Served, delimiter: str) -> None:
    with blob_client(served) as client:
        container = client.get_container_client("data")
        whole = [f"deep/file{number:05}" for number in range(COUNT)]
        pages = (
            container.walk_blobs("deep/", delimiter=delimiter, results_per_page=900)
            if delimiter
            else container.list_blobs("deep/", results_per_page=900)
        )
        found = [item.name for item in pages]
    assert found == (["deep/file0"] if delimiter == "0" else whole)


def test_a_new_file_has_its_folder_read_once(served: Served) -> None:
    reads: list[str] = []
    counted = [True]

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if counted and event in ("os.listdir", "os.scandir") and isinstance(arguments[0], int):
            reads.append(event)

    sys.addaudithook(note)  # for good, so it is told when to leave off
    made = {"x-ms-type": "file", "x-ms-content-length": "1", **SMB}
    served.make("/data/f", b"x")
    source = {"x-ms-copy-source": f"{served.url}/{ACCOUNT}/data/f"}
    try:
        for path, headers, times in (("/data/new", made, 1), ("/data/copied", source, 2)):
            reads.clear()
            assert served.ask("PUT", path, headers=headers).status in (201, 202)
            assert len(reads) == times
    finally:
        counted.clear()
    assert served.ask("PUT", "/data/NEW", headers=made).status == 201
    names = {path.name for path in served.folder("data").iterdir()}
    assert names & {"copied", "f", "new", "NEW"} == {"copied", "f", "new"}


def test_a_file_that_a_job_made_meanwhile_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"a job's")
    fd, path, made = tree.make_file(str(tmp_path), ("f",), is_new=True)
    try:
        assert (os.pread(fd, 99, 0), path, made) == (b"a job's", "f", False)
    finally:
        os.close(fd)
