"""Uploads that are broken off: by a kill at any moment, by a full disk."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.fileshare import ShareClient

from batchai_scenario.emulator.storage import journal, punching
from batchai_scenario.emulator.storage.records import ShareRecord
from tests.storage.serving import ACCOUNT, KEY, Serving, assemble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.storage.fileshare import ShareFileClient


ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
STEP = 4 * MIB


class Killable:
    """An emulator of storage in a process of its own, which can be killed and started again."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "batchai_scenario.scenarios", "emulator", "serve"]
        variables = {**os.environ, "SCENARIO_HOME": str(self._home), "PYTHONPATH": str(ROOT / "src")}
        self._process = subprocess.Popen(
            [*command, "--only", "files", "--json"], env=variables, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.text = json.loads(self._process.stdout.readline())["connectionString"]
        self._process.stdout.close()

    def share(self) -> ShareClient:
        return ShareClient.from_connection_string(self.text, "data", retry_total=0)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[Killable]:
    found = Killable(tmp_path / "home")
    yield found
    found.kill()


def _upload(file: ShareFileClient, size: int, mark: int, acknowledged: list[int]) -> None:
    """Write a file in steps, each full of one byte, and note which of them were acknowledged."""
    with suppress(Exception):  # the server dies under it: that is what this is about
        for number in range(size // STEP):
            file.upload_range(bytes([mark]) * STEP, number * STEP, STEP)
            acknowledged.append(number)


def _kill_during_upload(killable: Killable, size: int, mark: int, after: float) -> None:
    """Kill the emulator during an upload over an older one, and see what is there when it is back."""
    with killable.share() as share:
        file = share.get_file_client("large")
        file.set_file_metadata({"mark": str(mark)})
        acknowledged: list[int] = []
        upload = threading.Thread(target=_upload, args=(file, size, mark, acknowledged))
        upload.start()
        time.sleep(after)
        killable.kill()
        upload.join()
    killable.start()
    with killable.share() as share:
        file = share.get_file_client("large")
        found = file.get_file_properties()
        assert (found.size, found.metadata) == (size, {"mark": str(mark)})
        for number in range(size // STEP):
            data = file.download_file(number * STEP, STEP).readall()
            assert len(set(data)) == 1, f"step {number} is half written"
            if number in acknowledged:
                assert data[0] == mark, f"step {number} was acknowledged and is not there"


def test_a_kill_leaves_every_range_whole(killable: Killable, tmp_path: Path) -> None:
    with killable.share() as share:
        share.create_share()
        share.get_file_client("large").create_file(64 * MIB)
    for mark in (1, 2, 3):
        _kill_during_upload(killable, 64 * MIB, mark, random.uniform(0.01, 0.4))
    _nothing_is_left(killable, tmp_path)


@pytest.mark.endurance
@pytest.mark.timeout(1800)
def test_twenty_kills_during_uploads_of_a_gigabyte(killable: Killable, tmp_path: Path) -> None:
    with killable.share() as share:
        share.create_share()
        share.get_file_client("large").create_file(1024 * MIB)
    for mark in range(1, 21):
        _kill_during_upload(killable, 1024 * MIB, mark, random.uniform(0.05, 6.0))
    _nothing_is_left(killable, tmp_path)


def _nothing_is_left(killable: Killable, tmp_path: Path) -> None:
    """After ``gc`` no temporary file is left of a killed emulator."""
    killable.kill()
    command = [sys.executable, "-m", "batchai_scenario.scenarios", "emulator", "gc"]
    variables = {**os.environ, "SCENARIO_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT / "src")}
    subprocess.run(command, env=variables, check=True, capture_output=True, timeout=120)
    storage = tmp_path / "home" / "storage"
    left = sorted(path.name for path in (storage / ".staging").iterdir())
    assert left == []


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("what", ["range", "clear", "create", "create anew"])
def test_a_noted_write_is_done_again_if_it_had_begun(tmp_path: Path, what: str, begun: bool) -> None:
    """The process dies at the worst moment: after the note, in the middle of the write."""
    home = tmp_path / "home"
    with Serving(assemble(home)) as served:
        served.shares.create(ACCOUNT, "data", ShareRecord())
        if what != "create anew":
            served.make("/data/f", b"0" * 8192, {"x-ms-meta-kept": "yes"})
        context = served.service._context
        path = served.folder("data") / "f"
        before = path.stat() if path.exists() else None
        slot = served.shares.draft()
        os.pwrite(slot.draft, b"1" * 4096, 0)
        note: dict[str, Any] = {"share": [ACCOUNT, "data"], "path": "f", "at": time.time_ns()}
        note["boot"] = journal.this_boot()
        note["seal"] = None if before is None else [before.st_ino, before.st_size, before.st_mtime_ns]
        if what in ("range", "clear"):
            note[what] = [2048, 4096]
        else:
            record = journal.as_note(
                context.shares.records.entry("x", "y", path.parent.stat(), directory=True)
            )
            record |= {"metadata": {"new": "yes"}, "attributes": "Archive"}
            note |= {"create": [6000, 4096], "record": record, "written": None}
        os.pwrite(slot.note, b"1" + json.dumps(note).encode() + b"\n", 0)
        if begun:
            with path.open("r+b" if path.exists() else "wb") as file:
                file.write(b"x")
    with Serving(assemble(home)) as served:
        found = path.read_bytes() if path.exists() else None
        if not begun:
            assert found == (None if what == "create anew" else b"0" * 8192)
        elif what.startswith("create"):
            assert found == b"1" * 4096 + bytes(6000 - 4096)
            assert served.ask("HEAD", "/data/f").headers["x-ms-meta-new"] == "yes"
        else:
            middle = b"1" * 4096 if what == "range" else bytes(4096)
            assert found is not None
            assert found[1:] == b"0" * 2047 + middle + b"0" * 2048
            assert served.ask("HEAD", "/data/f").headers["x-ms-meta-kept"] == "yes"
        assert list((home / "storage" / ".staging").iterdir()) == []


def test_room_for_a_range_is_made_only_when_its_write_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Making room changes the file's time: a kill after it must find the note, or the metadata is lost."""
    noted: list[bytes] = []
    reserve = punching.reserve

    def seen(fd: int, offset: int, length: int) -> None:
        notes = (tmp_path / "home" / "storage" / ".staging").glob("note-*")
        noted.extend(note.read_bytes()[:1] for note in notes)
        reserve(fd, offset, length)

    with Serving(assemble(tmp_path / "home")) as served:
        served.shares.create(ACCOUNT, "data", ShareRecord())
        served.make("/data/f", b"0" * 8192, {"x-ms-meta-kept": "yes"})
        monkeypatch.setattr(punching, "reserve", seen)
        assert served.put("/data/f", 2048, b"1" * 4096).status == 201
    assert b"1" in noted


def test_a_write_that_was_all_done_but_for_its_note_is_left_as_it_is(tmp_path: Path) -> None:
    """Done again it would have another time, and what is kept of the file would not be believed."""
    home = tmp_path / "home"
    with Serving(assemble(home)) as served:
        served.shares.create(ACCOUNT, "data", ShareRecord())
        served.make("/data/f", b"0" * 8192, {"x-ms-meta-kept": "yes"})
        before = (served.folder("data") / "f").stat()
        slot = served.shares.draft()
        os.pwrite(slot.draft, b"1" * 4096, 0)
        note: dict[str, Any] = {"share": [ACCOUNT, "data"], "path": "f", "at": time.time_ns()}
        note |= {"boot": journal.this_boot(), "range": [2048, 4096]}
        note["seal"] = [before.st_ino, before.st_size, before.st_mtime_ns - 1]
        assert served.put("/data/f", 2048, b"1" * 4096).status == 201
        told = served.ask("HEAD", "/data/f").headers
        os.pwrite(slot.note, b"1" + json.dumps(note).encode() + b"\n", 0)
    with Serving(assemble(home)) as served:
        found = served.ask("HEAD", "/data/f").headers
        for name in ("x-ms-meta-kept", "etag", "x-ms-file-last-write-time"):
            assert found[name] == told[name]
        assert served.ask("GET", "/data/f").body == b"0" * 2048 + b"1" * 4096 + b"0" * 2048


def test_what_somebody_else_wrote_since_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Serving(assemble(home)) as served:
        served.shares.create(ACCOUNT, "data", ShareRecord())
        served.make("/data/f", b"0" * 100)
        path = served.folder("data") / "f"
        before = path.stat()
        slot = served.shares.draft()
        note = {"share": [ACCOUNT, "data"], "path": "f", "at": time.time_ns(), "range": [0, 10]}
        note["seal"] = [before.st_ino, before.st_size, before.st_mtime_ns]
        note["boot"] = journal.this_boot()
        os.pwrite(slot.note, b"1" + json.dumps(note).encode() + b"\n", 0)
        path.write_bytes(b"a job's own content")
        later = time.time() + 60
        os.utime(path, (later, later))
    for spoilt in (b"1nonsense\n", b"1[]\n", b"", b"1" + b"{" * 5000):
        staging = home / "storage" / ".staging"
        staging.mkdir(exist_ok=True)
        (staging / "note-x").write_bytes(spoilt)
        (staging / "draft-x").write_bytes(b"y" * 100)
        with Serving(assemble(home)):
            assert path.read_bytes() == b"a job's own content"


def test_what_was_noted_before_the_machine_was_started_is_left_as_it_is(tmp_path: Path) -> None:
    """A draft is written over and over: after a power cut it may hold what an earlier request sent."""
    home = tmp_path / "home"
    with Serving(assemble(home)) as served:
        served.shares.create(ACCOUNT, "data", ShareRecord())
        served.make("/data/f", b"0" * 100)
        path = served.folder("data") / "f"
        slot = served.shares.draft()
        os.pwrite(slot.draft, b"what another client sent", 0)
        note = {"share": [ACCOUNT, "data"], "path": "f", "at": time.time_ns(), "range": [0, 10]}
        note |= {"seal": [path.stat().st_ino, 0, 0], "boot": "before"}
        os.pwrite(slot.note, b"1" + json.dumps(note).encode() + b"\n", 0)
    with Serving(assemble(home)):
        assert path.read_bytes() == b"0" * 100
        assert list((home / "storage" / ".staging").iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "scenario-test", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_loses_nothing_and_the_next_upload_works(small_disk: Path) -> None:
    with Serving(assemble(small_disk / "home")) as served:
        served.shares.create(ACCOUNT, "data", ShareRecord())
        url = f"{served.url}/{ACCOUNT}/data"
        with ShareClient.from_share_url(url, credential=KEY, retry_total=0) as share:
            kept = share.get_file_client("kept")
            kept.upload_file(b"k" * MIB, metadata={"kept": "yes"})
            large = share.get_file_client("large")
            large.create_file(64 * MIB, metadata={"kept": "too"})
            written = _fill(large)
            assert 2 <= written < 16
            with pytest.raises(HttpResponseError) as full:
                share.get_file_client("more").create_file(STEP, data=b"m" * STEP)
            assert full.value.error_code == "ShareSizeLimitReached"  # type: ignore[attr-defined]
            with pytest.raises(HttpResponseError) as replaced:
                kept.create_file(STEP, data=b"m" * STEP)
            assert replaced.value.error_code == "ShareSizeLimitReached"  # type: ignore[attr-defined]
            assert kept.download_file().readall() == b"k" * MIB
            assert kept.get_file_properties().metadata == {"kept": "yes"}
            assert large.download_file(0, written * STEP).readall() == b"l" * STEP * written
            assert len(set(large.download_file(written * STEP, STEP).readall())) == 1
            assert large.get_file_properties().metadata == {"kept": "too"}
            large.delete_file()
            again = share.get_file_client("again")
            again.upload_file(b"a" * STEP)
            assert again.download_file().readall() == b"a" * STEP


def _fill(file: ShareFileClient) -> int:
    """Write until the disk is full; gives how many steps went well."""
    done: list[int] = []

    def fill() -> None:
        for number in range(16):
            file.upload_range(b"l" * STEP, number * STEP, STEP)
            done.append(number)

    with pytest.raises(HttpResponseError) as full:
        fill()
    assert full.value.error_code == "ShareSizeLimitReached"  # type: ignore[attr-defined]
    return len(done)
