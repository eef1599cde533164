"""The command line as tests call it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batchai_scenario.scenarios.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class Command:
    """Runs commands with a home of their own."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Run a command; its exit code is ``code``; gives standard output and standard error."""
        self._capsys.readouterr()
        found = main(["--home", str(self.home), *arguments])
        out, err = self._capsys.readouterr()
        assert found == code, out + err
        return out, err

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with --json; gives its last line's value."""
        out, _ = self(*arguments, "--json", code=code)
        return json.loads(out.splitlines()[-1])
