"""Whatever a job swaps between two of our calls, nothing outside is touched, and nothing outside is seen."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.state import beneath
from tests.state.swapping import Swapping, moves, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    (folder / "a" / "b").mkdir(parents=True)
    for path in (folder / "precious", folder / "a" / "precious", folder / "a" / "b" / "precious"):
        path.write_text("mine")
    return folder


def grow(top: Path) -> list[Path]:
    """Make a small tree that looks like what is outside; give its folders."""
    (top / "a" / "b").mkdir(parents=True)
    for folder in (top, top / "a", top / "a" / "b"):
        (folder / "precious").write_text("theirs")
    return [top / "a", top / "a" / "b"]


def remove_it(top: Path) -> None:
    with beneath.opened(top.parent) as fd:
        beneath.remove(top.name, fd)


def make_in_it(top: Path) -> None:
    with beneath.opened(top) as fd:
        os.close(beneath.put_folders(os.dup(fd), ("a", "b", "c", "d")))


def walk_it(top: Path) -> None:
    with beneath.opened(top) as fd:
        for folder in beneath.walk(fd):
            for name in folder.names:
                with suppress(FileNotFoundError):
                    file = beneath.open_file(name, folder.fd, os.O_RDONLY)
                    assert os.read(file, 100) == b"theirs"
                    os.close(file)


WORK = [remove_it, make_in_it, walk_it]


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("which", [0, 1])
def test_a_swap_before_any_one_call_reaches_nothing_outside(
    work: Callable[[Path], None], which: int, tmp_path: Path, outside: Path
) -> None:
    before = snapshot(outside)
    grow(tmp_path / "quiet")
    with moves().watch(lambda _: None):
        work(tmp_path / "quiet")
    for call in range(moves().count + 5):
        place = tmp_path / str(call)
        swapping = Swapping(grow(place / "tree"), outside, place / "aside")
        with suppress(OSError), moves().watch(swapping.at(call, which)):
            work(place / "tree")
        assert snapshot(outside) == before


@pytest.mark.parametrize("work", WORK)
def test_swaps_at_random_moments_reach_nothing_outside(
    work: Callable[[Path], None], tmp_path: Path, outside: Path
) -> None:
    before = snapshot(outside)
    for seed in range(150):
        place = tmp_path / str(seed)
        swapping = Swapping(grow(place / "tree"), outside, place / "aside")
        with suppress(OSError), moves().watch(swapping.seeded(seed)):
            work(place / "tree")
        assert snapshot(outside) == before, f"seed {seed}"


def test_the_scheduler_finds_the_hole_in_a_walk_by_path(tmp_path: Path, outside: Path) -> None:
    """The same moves against the old way: this is what the others must withstand."""

    def by_path(folder: Path) -> None:
        for entry in list(folder.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                by_path(entry)
            else:
                entry.unlink()

    before, reached = snapshot(outside), 0
    for call in range(12):
        place = tmp_path / str(call)
        swapping = Swapping(grow(place / "tree"), outside, place / "aside")
        with suppress(OSError), moves().watch(swapping.at(call, 0)):
            by_path(place / "tree")
        reached += snapshot(outside) != before
        if reached:
            break
    assert reached


def test_a_tree_deeper_than_descriptors_paths_and_the_stack_is_removed(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    for level in range(3000):
        os.mkdir("deep" if level == 0 else "d", dir_fd=fd)
        below = os.open("deep" if level == 0 else "d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=fd))
    os.close(fd)
    beneath.remove_path(tmp_path / "deep")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o000, 0o500, 0o555])
def test_folders_whose_mode_forbids_it_are_removed(mode: int, tmp_path: Path) -> None:
    for path in ("locked/inner/leaf", "locked/other"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "file").touch()
    for path in ("locked/inner/leaf", "locked/inner", "locked/other", "locked"):
        (tmp_path / path).chmod(mode)
    beneath.remove_path(tmp_path / "locked")
    assert list(tmp_path.iterdir()) == []


def test_what_stands_in_the_way_of_a_folder_gives_way(tmp_path: Path, outside: Path) -> None:
    before = snapshot(outside)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").symlink_to(outside)
    (tmp_path / "tree" / "file").touch()
    with beneath.opened(tmp_path / "tree") as fd:
        os.close(beneath.put_folders(os.dup(fd), ("a", "b")))
        with pytest.raises(NotADirectoryError):
            beneath.put_folders(os.dup(fd), ("file", "b"), replace=False)
    assert (tmp_path / "tree" / "a" / "b").is_dir()
    assert not (tmp_path / "tree" / "a").is_symlink()
    assert snapshot(outside) == before


def test_only_regular_files_are_opened(tmp_path: Path, outside: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(outside / "precious")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "link", "folder", "nothing"):
        with pytest.raises(FileNotFoundError):
            beneath.read_file(tmp_path, name, 100)
    (tmp_path / "file").write_text("0123456789")
    assert beneath.read_file(tmp_path, "file", 4) == b"6789"


def test_a_walk_enters_no_link_and_ends(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "again").symlink_to(".")
    (tmp_path / "a" / "b" / "up").symlink_to("..")
    with beneath.opened(tmp_path) as fd:
        assert [(folder.parts, folder.names) for folder in beneath.walk(fd)] == [
            ((), ["a"]),
            (("a",), ["again", "b"]),
            (("a", "b"), ["up"]),
        ]
