"""The first minutes: a scenario to start from, completion, and names that are nearly right."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.base import OutputFile
from batchai_scenario.scenarios.cli import main
from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.run.sifting import Sieve

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def said(capsys: pytest.CaptureFixture[str], home: Path, *arguments: str, code: int = 0) -> str:
    """Run a command; gives all that it said."""
    capsys.readouterr()
    found = main(["--home", str(home), *arguments])
    text = "".join(capsys.readouterr())
    assert found == code, text
    return text


def test_a_new_scenario_runs_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], exercise_process: None
) -> None:
    folder = tmp_path / "mine"
    text = said(capsys, tmp_path / "home", "new", str(folder))
    assert f"scenario run {folder}/" in text
    assert "is there already" in said(capsys, tmp_path / "home", "new", str(folder), code=2)
    said(capsys, tmp_path / "home", "plan", str(folder))
    text = said(capsys, tmp_path / "home", "run", str(folder), "--engine", "process")
    assert "metric loss: 0.166667" in text
    for name in ("../x y", "", ".hidden", "a\nb"):
        said(capsys, tmp_path / "home", "new", name, code=2)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_completion(tmp_path: Path, shell: str) -> None:
    call = [sys.executable, "-m", "batchai_scenario.scenarios", "--home", str(tmp_path), "completion", shell]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert "_SCENARIO_COMPLETE" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("scenario run he", "hello"),
        ("scenario logs las", "last"),
        ("scenario outputs hello-2", "hello-20260101-000000-abcd"),
        ("scenario run hello --backend loc", "local"),
        ("scenario comp", "completion"),
        ("scenario logs --gr", "--grep"),
    ],
)
def test_names_are_completed(tmp_path: Path, line: str, wanted: str) -> None:
    run = tmp_path / "runs" / "hello-20260101-000000-abcd"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    words = line.split()
    environment = {
        **os.environ,
        "SCENARIO_HOME": str(tmp_path),
        "_SCENARIO_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    program = os.path.join(os.path.dirname(sys.executable), "scenario")  # noqa: PTH118, PTH120 - as it stands
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    assert wanted in [entry.partition(",")[2] for entry in done.stdout.splitlines()], done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--backend", "lokal"], "did you mean 'local'?"),
        (["--option", "engin=process"], "did you mean 'engine'?"),
        (["--fault", "500", "--backend", "lokal"], "did you mean 'local'?"),
    ],
)
def test_names_that_are_nearly_right_leave_no_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert words in said(capsys, tmp_path / "home", "run", "hello", *arguments, code=2)
    assert not list((tmp_path / "home" / "runs").glob("*"))


def test_an_image_that_is_nearly_right_gets_a_suggestion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "did you mean 'cntk'?" in said(capsys, tmp_path / "home", "images", "build", "cnkt", code=2)


def passed(sieve_options: Mapping[str, object], *lines: tuple[str, str]) -> list[str]:
    """Give the texts that a sieve lets pass, of (file, text)."""
    heard: list[e.Event] = []
    sieve = Sieve(heard.append, **sieve_options)  # type: ignore[arg-type]
    for file, text in lines:
        if sieve.wants(OutputFile(file, 1)):
            sieve(e.LogLine("job", file, text))
    sieve.let_go()
    return [event.text for event in heard if isinstance(event, e.LogLine)]


def test_logs_are_sifted() -> None:
    workers = [("stdout-wk-0.txt", "a 1"), ("stdout-wk-1.txt", "a 2")]
    lines = [*workers, ("stdout-ps-0.txt", "b"), ("stdout.txt", "c")]
    assert passed({"role": "wk"}, *lines) == ["a 1", "a 2"]
    assert passed({"role": "wk-1"}, *lines) == ["a 2"]
    assert passed({"grep": re.compile("^a")}, *lines) == ["a 1", "a 2"]
    of_node = [("execution-tvm-1.log", "x"), ("stdout-job_prep-tvm-1.txt", "y")]
    assert passed({"node": "tvm-1"}, *of_node, *lines) == ["x", "y"]
    assert passed({"tail": 1}, ("stdout.txt", "1"), ("stderr.txt", "e"), ("stdout.txt", "2")) == ["2", "e"]
    assert passed({"tail": 0}, ("stdout.txt", "1")) == []
    now = datetime.now(timezone.utc)
    old, new = (now - timedelta(hours=2)).isoformat(), (now - timedelta(minutes=1)).isoformat()
    since = {"since": timedelta(minutes=10)}
    assert passed(since, ("stdout.txt", f"{old} x"), ("stdout.txt", f"{new} y"), ("stdout.txt", "z")) == [
        f"{new} y",
        "z",
    ]
    sieve = Sieve(lambda _: None, since=timedelta(minutes=10))
    assert not sieve.wants(OutputFile("stdout.txt", 1, now - timedelta(hours=1)))
    assert sieve.wants(OutputFile("stdout.txt", 1, now))


def test_what_comes_after_the_last_lines_passes_at_once() -> None:
    heard: list[e.Event] = []
    sieve = Sieve(heard.append, tail=1)
    for text in ("1", "2"):
        sieve(e.LogLine("job", "stdout.txt", text))
    assert heard == []
    sieve.let_go()
    sieve(e.LogLine("job", "stdout.txt", "3"))
    sieve(e.LogLine("job", "stdout.txt", "4"))
    assert [event.text for event in heard if isinstance(event, e.LogLine)] == ["2", "3", "4"]


def test_logs_take_the_flags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], exercise_process: None
) -> None:
    home = tmp_path / "home"
    said(capsys, home, "run", "hello", "--engine", "process")
    text = said(capsys, home, "logs", "--file", "stdout.txt", "--grep", "^AZ_BATCHAI_JOB", "--tail", "1")
    assert len(text.splitlines()) == 1
    assert text.startswith("AZ_BATCHAI_JOB")
    assert "did you mean 'stdout.txt'" in said(capsys, home, "logs", "--file", "stdot.txt", code=2)
    assert "there are" in said(capsys, home, "logs", "--role", "wk", code=2)
    assert "no regular expression" in said(capsys, home, "logs", "--grep", "(", code=2)
