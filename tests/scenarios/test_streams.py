"""The command line where its surroundings are not as they should be: streams, arguments, home folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO, cast

import pytest

from batchai_scenario.scenarios.cli.console import Console
from batchai_scenario.scenarios.cli.streams import OutputError, Stream
from batchai_scenario.scenarios.report.events import LogLine
from tests.scenarios.worlds import SMALL

CLI = [sys.executable, "-m", "batchai_scenario.scenarios"]


def shell(home: Path, line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which ``scenario`` is the command line with this home."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SCENARIO_", "AZURE_"))}
    line = line.replace("scenario", f"{sys.executable} -m batchai_scenario.scenarios --home {home}", 1)
    return subprocess.run(
        ["bash", "-c", line],
        env={**environment, **more},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=home.parent,
    )


@pytest.mark.parametrize(
    "line", ["list", "list --json", "plan hello --json", "runs", "--version", "run --help"]
)
def test_an_output_that_cannot_be_written_is_told(tmp_path: Path, line: str) -> None:
    done = shell(tmp_path / "home", f"scenario {line} > /dev/full")
    assert done.returncode == 3
    assert done.stderr == "error: standard output could not be written: No space left on device\n"


def test_a_run_whose_output_cannot_be_written_goes_on_and_is_no_success(
    tmp_path: Path, exercise_process: None
) -> None:
    home = tmp_path / "home"
    done = shell(home, "scenario run hello --engine process --json > /dev/full")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "succeeded" in shell(home, "scenario runs").stdout
    done = shell(home, "scenario logs > /dev/full")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert shell(home, "scenario run hello --engine process >&-").returncode == 0
    assert shell(home, "scenario run hello --engine process >&- 2>&- <&-").returncode == 0
    assert shell(home, "scenario runs").stdout.count("succeeded") == 3


@pytest.mark.parametrize("line", ["list", "list --json", "plan hello", "run --help"])
def test_a_reader_that_left_has_what_it_wanted(tmp_path: Path, line: str) -> None:
    done = shell(tmp_path / "home", f"set -o pipefail; scenario {line} | true")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_log_is_read_no_further_when_its_reader_has_left(*, as_json: bool) -> None:
    reading, writing = os.pipe()
    line = LogLine("job", "stdout.txt", "text", important=False)
    with os.fdopen(writing, "w") as pipe:
        console = Console(as_json=as_json, stream=cast("TextIO", Stream(pipe)))
        handle = console.heard(console.reporter())
        handle(line)
        os.close(reading)
        with pytest.raises(OutputError):
            handle(line)


def test_errors_are_told_by_their_code_where_nobody_hears(tmp_path: Path) -> None:
    assert shell(tmp_path / "home", "scenario run absent 2>/dev/full").returncode == 2
    assert shell(tmp_path / "home", "scenario run absent --json >/dev/full").returncode == 2


@pytest.mark.parametrize(
    "line",
    [
        r"scenario run hello --set greeting=$'caf\xe9'",
        r"scenario run $'caf\xe9'",
        r"scenario show hello --json $'--caf\xe9'",
        r"scenario --home $'caf\xe9' run hello",
        r"SCENARIO_SET=$'greeting=caf\xe9' scenario run hello",
        r"scenario run hello --download $'caf\xe9'",
        r"scenario run hello --option $'a=\xe9'",
    ],
)
def test_arguments_that_are_not_utf8_are_refused(tmp_path: Path, line: str) -> None:
    done = shell(tmp_path / "home", line)
    assert done.returncode == 2, done.stderr
    assert "UTF-8" in done.stderr + done.stdout
    assert "xe9" in done.stderr + done.stdout
    assert not (tmp_path / "home").exists()


def test_a_folder_that_is_not_utf8_holds_no_scenario(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102 - bytes
    Path(os.fsdecode(folder), "scenario.yaml").write_text(SMALL)
    done = shell(tmp_path / "home", r"cd caf*; scenario run .")
    assert done.returncode == 2, done.stderr
    assert "UTF-8" in done.stderr


SAID_OF_HOMES = {
    "long": "its path is 2 bytes longer than the database allows",
    "very long": "File name too long",
    "file": "Not a directory",
    "name": "File name too long",
}


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("long", "run hello --engine process"),  # for the database only: nothing else minds
        *(
            (form, line)
            for form in ("very long", "file", "name")
            for line in ("run hello", "emulator status", "runs")
        ),
    ],
)
def test_a_home_that_cannot_be_one_is_told(tmp_path: Path, form: str, line: str) -> None:
    home = tmp_path
    if form == "file":
        (tmp_path / "file").write_text("")
        home /= "file/home"
    else:
        wanted = {"long": 483, "very long": 4200, "name": 0}[form]
        while len(str(home)) < wanted:
            home /= "d" * max(1, min(100, wanted - 1 - len(str(home))))
        home = home / ("n" * 300) if form == "name" else home
    done = subprocess.run(
        [*CLI, "--home", str(home), *line.split()], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 3, done.stderr + done.stdout
    assert "bug" not in done.stderr + done.stdout
    said = " ".join((done.stderr + done.stdout).split())
    assert "home" in said.lower()
    assert SAID_OF_HOMES[form] in said


def test_the_longest_home_runs(tmp_path: Path, exercise_process: None) -> None:
    longest = 504 - len("/emulator/state.sqlite3")
    home = tmp_path
    while len(str(home)) < longest - 150:
        home /= "d" * 100
    home /= "e" * (longest - len(str(home)) - 1)
    done = shell(tmp_path / "home", f"scenario --home {home} run hello --engine process")
    assert done.returncode == 0, done.stdout + done.stderr
