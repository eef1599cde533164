"""What the tests of parity share: a command line with an environment of its own."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.scenarios.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that lets tests spend money; it is known where this folder is named."""
    parser.addoption("--live", action="store_true", help="run tests that cost money on Azure")


class Command:
    """Runs commands with a home of their own."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run a command; its exit code is ``code``; gives standard output."""
        self._capsys.readouterr()
        found = main(["--home", str(self.home), *arguments])
        out, err = self._capsys.readouterr()
        assert found == code, out + err
        return out + err

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with --json; gives its last line's value."""
        return json.loads(self(*arguments, "--json", code=code).splitlines()[-1])


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command line whose environment has no settings in it."""
    for name in list(os.environ):
        if name.startswith(("SCENARIO_", "AZURE_")):
            monkeypatch.delenv(name)
    return Command(tmp_path / "home", capsys)
