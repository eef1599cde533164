"""A world in memory, and a small scenario to run in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.scenarios.commanding import Command
from tests.scenarios.sweeping import LEARNS, Sweeps
from tests.scenarios.worlds import SMALL, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a scenario's file; gives its path."""

    def write(text: str, name: str = "small") -> Path:
        folder = tmp_path / "scenarios" / name
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "scenario.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture
def world(tmp_path: Path, write: Callable[[str], Path]) -> World:
    """A world in memory with the small scenario."""
    return World(tmp_path / "home", write(SMALL))


@pytest.fixture
def sweeps(tmp_path: Path, write: Callable[..., Path]) -> Sweeps:
    """A scenario to sweep over in memory."""
    return Sweeps(tmp_path / "home", write(LEARNS, "learns"))


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command line whose environment has no settings in it."""
    for name in list(os.environ):
        if name.startswith(("SCENARIO_", "AZURE_")):
            monkeypatch.delenv(name)
    return Command(tmp_path / "home", capsys)
