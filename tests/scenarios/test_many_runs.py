"""What commands open of the records of other runs, counted: of ten times as many they open no more."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.scenarios.worlds import SMALL, World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FEW, MANY = 20, 200
COUNTING = """
import contextlib, io, json, os, sys
from batchai_scenario.scenarios.cli.app import main

runs, commands = sys.argv[1] + os.sep, json.loads(sys.argv[2])
opened = []

def hear(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, bytes)):
        path = os.fsdecode(arguments[0])
        if (path + os.sep).startswith(runs):
            opened.append((event, path))

sys.addaudithook(hear)
counts = {}
for command in commands:
    opened.clear()
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = 0
        try:
            code = main(command)
        except SystemExit as end:
            code = end.code
    counts[" ".join(command)] = [len(opened), len([1 for event, path in opened if path.endswith("run.json")])]
print(json.dumps(counts))
"""


def counted(home: Path, commands: list[list[str]]) -> Mapping[str, tuple[int, int]]:
    """Run commands; gives how often each opened something of runs, and how often a record."""
    arguments = [str(home / "runs"), json.dumps([["--home", str(home), *command] for command in commands])]
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, *arguments], check=True, capture_output=True, text=True, cwd=home
    )
    found = json.loads(done.stdout)
    prefix = f"--home {home} "
    return {command.removeprefix(prefix): (all_, records) for command, (all_, records) in found.items()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    file = tmp_path / "small" / "scenario.yaml"
    file.parent.mkdir()
    file.write_text(SMALL)
    return World(tmp_path / "home", file)


def older(world: World, run: str, numbers: range) -> None:
    """Copy a run's record as those of runs of years ago."""
    runs = world.home / "runs"
    for number in numbers:
        name = f"small-2020{number // 28 % 12 + 1:02}{number % 28 + 1:02}-{number:06}-abcd"
        shutil.copytree(runs / run, runs / name)
        record = json.loads((runs / name / "run.json").read_text())
        made = f"2020-01-01T00:{number // 60:02}:{number % 60:02}Z"
        (runs / name / "run.json").write_text(json.dumps({**record, "id": name, "createdAt": made}))


def test_what_names_a_run_opens_no_other(world: World) -> None:
    one, other = world.run().run, world.run().run
    commands = [
        ["runs", "--newest", "2"],
        ["runs", "last"],
        ["runs", one],
        ["outputs", "last"],
        ["logs", "last"],
        ["diff", one, other],
        ["report", "last", "-o", str(world.home / "report.html")],
        ["watch", "--once"],
    ]
    older(world, one, range(FEW))
    few = counted(world.home, [*commands, ["runs"]])
    older(world, one, range(FEW, MANY))
    many = counted(world.home, [*commands, ["runs"]])
    for command in commands:
        words = " ".join(command)
        assert many[words] == few[words], words
        assert few[words][1] <= 4, f"{words} reads a record again and again"
    assert many["runs"][1] - few["runs"][1] == MANY - FEW, "the list of all reads each once"
