"""execution.log: in a folder where the job may have put anything."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from batchai_scenario.emulator.cluster.executionlog import ExecutionLog, place_for
from batchai_scenario.emulator.cluster.records import LogPlace
from batchai_scenario.emulator.launch.plan import Mount
from batchai_scenario.emulator.state.clock import ManualClock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "share").mkdir()
    return tmp_path / "share"


def log(folder: Path, below: str = "a/b") -> ExecutionLog:
    return ExecutionLog(LogPlace(str(folder), below), ManualClock())


def test_lines_are_appended_with_time_and_level(folder: Path) -> None:
    log(folder).info("one")
    log(folder).notice("two\nthree\n")
    log(folder).error("four")
    assert (folder / "a/b/execution.log").read_text() == (
        "2018-06-06T12:00:00Z INFO one\n"
        "2018-06-06T12:00:00Z NOTICE two\n"
        "2018-06-06T12:00:00Z NOTICE three\n"
        "2018-06-06T12:00:00Z ERROR four\n"
    )


def test_a_log_that_is_on_no_mount_is_not_written() -> None:
    assert place_for(PurePosixPath("/elsewhere"), []) == LogPlace()
    ExecutionLog(LogPlace(), ManualClock()).info("nowhere")


def test_the_deepest_mount_wins() -> None:
    mounts = [
        Mount(Path("/disk"), PurePosixPath("/r")),
        Mount(Path("/share"), PurePosixPath("/r/mounts/afs")),
    ]
    assert place_for(PurePosixPath("/r/mounts/afs/x"), mounts) == LogPlace("/share", "x")


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (folder / "a/b").mkdir(parents=True)
    (folder / "a/b/execution.log").symlink_to(victim)
    log(folder).info("text")
    assert victim.read_text() == "mine"


def test_linked_folders_are_not_entered(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "a").symlink_to(elsewhere)
    log(folder).info("text")
    assert list(elsewhere.iterdir()) == []


def test_a_pipe_does_not_stop_us(folder: Path) -> None:
    (folder / "a/b").mkdir(parents=True)
    os.mkfifo(folder / "a/b/execution.log")
    log(folder).info("text")


def test_a_share_that_is_gone_is_not_made_again(folder: Path) -> None:
    folder.rmdir()
    log(folder).info("text")
    assert not folder.exists()
