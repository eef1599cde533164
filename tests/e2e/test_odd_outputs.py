"""Jobs that leave and print what few jobs do: all that can be shown and saved is, on both engines."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.schema.kernel import LONGEST, LONGEST_COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.e2e.conftest import Command

    Odd = Callable[..., list[Mapping[str, Any]]]

ODD = """
summary: Does what it is told.
cluster:
  vmSize: STANDARD_D1
  scaleSettings: {manual: {targetNodeCount: 1}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: odd, relativeMountPath: files}]}}
jobs:
  odd:
    nodeCount: 1
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files
    outputDirectories: [{id: OUT, pathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files}]
    containerSettings: {imageSourceRegistry: {image: "IMAGE"}}
    environmentVariables: [{name: LONG, value: "VARIABLE"}]
    customToolkitSettings:
      commandLine: >-
        COMMAND
expect:
  odd: EXPECT
"""


@pytest.fixture
def odd(scenario: Command, engine: str, request: pytest.FixtureRequest) -> Odd:
    """Run a command as a job; gives the events of the run."""
    image = str(request.getfixturevalue("docker_image")) if engine == "docker" else "ubuntu:16.04"

    def run(command: str, *arguments: str, expect: str = "{}", variable: str = "") -> list[Mapping[str, Any]]:
        folder = scenario.home.parent / "odd"
        folder.mkdir(exist_ok=True)
        text = ODD.replace("IMAGE", image).replace("COMMAND", command).replace("EXPECT", expect)
        text = text.replace("VARIABLE", variable)
        (folder / "scenario.yaml").write_text(text)
        return scenario.events("run", str(folder), "--engine", engine, *arguments)

    return run


def _outputs(events: list[Mapping[str, Any]]) -> list[str]:
    return [output["path"] for output in events[-1]["outputs"] if output["directory"] == "OUT"]


def test_links_to_folders_above_are_not_entered(odd: Odd, scenario: Command, tmp_path: Path) -> None:
    command = (
        "cd $AZ_BATCHAI_OUTPUT_OUT && ln -s . a && ln -s . b && mkdir one two && ln -s ../two one/on"
        " && ln -s ../one two/on && echo x > one/x && echo y > y"
    )
    events = odd(command, "--download", str(tmp_path / "got"), expect='{outputs: {OUT: ["one/x", "y"]}}')
    assert events[-1]["exitCode"] == 0
    assert sorted(_outputs(events)) == ["one/x", "two/on/x", "y"]
    assert (tmp_path / "got/OUT/one/x").read_text() == "x\n"
    listed = json.loads(scenario("outputs", events[-1]["run"], "--json").stdout)
    assert sorted(item["path"] for item in listed if item["directory"] == "OUT") == ["one/x", "two/on/x", "y"]


def test_every_ordinary_name_is_saved(odd: Odd, tmp_path: Path) -> None:
    long = "n" * 250
    command = (
        rf"cd $AZ_BATCHAI_OUTPUT_OUT && echo 1 > 'Models\net.dnn' && echo 2 > model.dnn && echo 3 > {long}"
        r" && mkdir 'a\b' && echo 4 > 'a\b/c d'"
    )
    events = odd(command, "--download", str(tmp_path / "got"))
    assert (events[-1]["state"], events[-1]["exitCode"]) == ("succeeded", 0)
    found = {path.name: path.read_text() for path in (tmp_path / "got/OUT").rglob("*") if path.is_file()}
    assert found == {"Models\\net.dnn": "1\n", "model.dnn": "2\n", long: "3\n", "c d": "4\n"}
    assert (tmp_path / "got/OUT/a\\b/c d").exists()


def test_outputs_whose_names_cannot_be_told_are_counted(odd: Odd, scenario: Command) -> None:
    command = (
        r"cd $AZ_BATCHAI_OUTPUT_OUT; echo 1 > $(printf 'caf\351'); mkdir $(printf '\377'); "
        r"echo 2 > $(printf '\377')/inside; x=$(printf 'line\nbreak'); echo 3 > "
        '"$x"; echo 4 > ordinary'
    )
    events = odd(command)
    assert _outputs(events) == ["ordinary"]
    text = "3 outputs have names that no listing can tell: not UTF-8, or with a control character"
    assert text in [event["text"] for event in events if event["event"] == "notice"]
    assert text in scenario("runs", events[-1]["run"]).stdout


def test_what_cannot_be_saved_is_named_and_nothing_else_is_lost(
    odd: Odd, scenario: Command, tmp_path: Path
) -> None:
    (tmp_path / "got/OUT/a").mkdir(parents=True)  # a folder stands where a file is to go
    events = odd("cd $AZ_BATCHAI_OUTPUT_OUT && echo 1 > a && echo 2 > b", "--download", str(tmp_path / "got"))
    assert (events[-1]["state"], events[-1]["exitCode"]) == ("succeeded", 0)
    assert (tmp_path / "got/OUT/b").read_text() == "2\n"
    assert [event["text"] for event in events if event["event"] == "note" and "OUT/a" in event["text"]]
    (tmp_path / "got/OUT/b").unlink()
    again = scenario("outputs", events[-1]["run"], "--download", str(tmp_path / "got"), code=4)
    assert "OUT/a could not be saved" in again.stderr
    assert (tmp_path / "got/OUT/b").read_text() == "2\n"


def test_a_progress_bar_is_shown_while_it_moves(odd: Odd) -> None:
    begin = time.time()
    events = odd("for i in 1 2 3 4 5 6; do printf \"\\r$i/6\"; sleep 1; done; printf '\\n'; echo end")
    texts = [event["text"] for event in events if event["event"] == "logLine"]
    assert time.time() - begin > 6
    assert len(texts) > 2, texts
    assert set(texts) <= {f"{n}/6" for n in range(1, 7)} | {"end"}
    assert texts == sorted(texts), "never back"


def test_a_job_that_empties_its_own_log_is_shown_on(odd: Odd) -> None:
    log = "$AZ_BATCHAI_STDOUTERR_DIR/stdout.txt"
    command = f"echo before it is emptied; sleep 3; : > {log}; sleep 3; echo after >> {log}"
    texts = [
        event["text"].strip("\N{REPLACEMENT CHARACTER}")
        for event in odd(command)
        if event["event"] == "logLine"
    ]
    assert texts == ["before it is emptied", "after"]


def test_a_metric_behind_a_very_long_line_is_found(odd: Odd) -> None:
    command = "dd if=/dev/zero bs=1000000 count=12 2>/dev/null | tr '\\000' x; echo ' loss 1.5e-05'"
    events = odd(command, expect="{metrics: {loss: {pattern: 'loss {number}', below: 1}}}")
    assert events[-1]["metrics"] == {"loss": 1.5e-05}


def test_the_longest_command_and_variable_run(odd: Odd) -> None:
    """What the bodies' check lets pass, the kernel takes."""
    command = "echo $(expr length $LONG) # "
    command += "x" * (LONGEST_COMMAND - len(command))
    events = odd(command, variable="y" * (LONGEST - len("LONG=")))
    assert events[-1]["exitCode"] == 0
    assert [event["text"] for event in events if event["event"] == "logLine"] == ["131066"]
