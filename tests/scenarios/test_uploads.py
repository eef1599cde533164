"""Folders to upload: every file is told of before anything is made, whatever it is."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.base import Upload
from batchai_scenario.backends.errors import InvalidScenario, UserError
from batchai_scenario.backends.sharepaths import check_uploads
from batchai_scenario.scenarios.definition.folders import walk_folder
from batchai_scenario.scenarios.definition.scenario import Scenario
from tests.scenarios.worlds import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[..., Path]


@pytest.fixture
def data(write: Write) -> Path:
    """A folder that the scenario uploads; one ordinary file is in it."""
    folder = write(SMALL + "uploads: [{share: small, from: [data/]}]\n").parent / "data"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    return folder


def resolve(data: Path) -> list[str]:
    return [item.path for item in Scenario(data.parent / "scenario.yaml").resolve().uploads]


def test_links_are_followed_and_none_leads_back(data: Path) -> None:
    (data / "deep").mkdir()
    (data / "deep/b.txt").write_text("b")
    (data / "loop").symlink_to(data)
    (data / "deep/loop").symlink_to("..")
    (data / "other").symlink_to("deep")
    (data / "file").symlink_to("a.txt")
    assert resolve(data) == ["a.txt", "deep/b.txt", "file", "other/b.txt"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dangling", "leads nowhere"),
        ("circle", "cannot be read"),
        ("fifo", "neither a file nor a folder"),
        ("line\nbreak", "does not allow"),
        ("loss:0.1.png", "does not allow"),
        ("back\\slash", "does not allow"),
        (os.fsdecode(b"caf\xe9"), "not UTF-8"),
    ],
)
def test_what_cannot_be_uploaded_is_told_before_anything_is_made(data: Path, name: str, words: str) -> None:
    file = data / name
    if name == "dangling":
        file.symlink_to("nowhere")
    elif name == "circle":
        file.symlink_to("circle")
    elif name == "fifo":
        os.mkfifo(file)
    else:
        file.write_text("x")
    with pytest.raises(InvalidScenario, match=words) as caught:
        resolve(data)
    assert "uploads[0].from[0]" in str(caught.value)
    str(caught.value).encode()
    with pytest.raises(UserError):
        check_uploads([Upload(file, "small", file.name)])


def test_a_fifo_that_is_named_itself_is_told(data: Path) -> None:
    (data / "a.txt").unlink()
    data.rmdir()
    os.mkfifo(data)
    with pytest.raises(InvalidScenario, match="neither a file nor a folder"):
        resolve(data)


def test_folders_of_any_depth_are_walked(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(1500):
        deep /= "d"
        deep.mkdir()  # with parents=True it would call itself as often
    (deep / "x").write_text("")
    try:
        assert list(walk_folder(tmp_path)) == [deep / "x"]
    finally:  # deeper than what pytest can remove
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)
