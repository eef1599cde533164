"""Kill anything at any time: no result is lost, nothing is left."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping

    from tests.e2e.conftest import Command

SLOW = """
summary: A job that says when it began, takes its time, and says when it ended.
parameters:
  seconds: {type: number, default: 3}
  code: {type: integer, default: 0}
  image: {type: string, default: "IMAGE"}
cluster:
  vmSize: STANDARD_D1
  scaleSettings: {manual: {targetNodeCount: 1}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: slow, relativeMountPath: files}]}}
jobs:
  slow:
    nodeCount: 1
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files
    outputDirectories: [{id: RESULT, pathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files}]
    containerSettings: {imageSourceRegistry: {image: "{{ image }}"}}
    customToolkitSettings:
      commandLine: >-
        echo job began; sleep {{ seconds }}; echo kept > $AZ_BATCHAI_OUTPUT_RESULT/result.txt;
        printf 'the last word'; exit {{ code }}
expect:
  slow: {executionState: succeeded, outputs: {RESULT: [result.txt]}}
"""


@pytest.fixture
def slow(scenario: Command, docker_image_or_none: str) -> str:
    """Write the scenario; gives its folder."""
    folder = scenario.home.parent / "slow"
    folder.mkdir()
    (folder / "scenario.yaml").write_text(SLOW.replace("IMAGE", docker_image_or_none))
    return str(folder)


@pytest.fixture
def docker_image_or_none(engine: str, request: pytest.FixtureRequest) -> str:
    """Give an image that the engine has; the process engine needs none."""
    return str(request.getfixturevalue("docker_image")) if engine == "docker" else "ubuntu:16.04"


def _events(process: subprocess.Popen[str]) -> Iterator[Mapping[str, Any]]:
    assert process.stdout is not None
    assert process.stderr is not None
    for line in process.stdout:
        yield json.loads(line)
    pytest.fail(f"the run ended before: {process.stderr.read()}")


def _until(
    events: Iterator[Mapping[str, Any]], found: Callable[[Mapping[str, Any]], bool]
) -> Mapping[str, Any]:
    return next(event for event in events if found(event))


def _began(event: Mapping[str, Any]) -> bool:
    return bool(event["event"] == "logLine" and event["text"] == "job began")


def _kill(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    process.send_signal(number)
    process.communicate(timeout=60)


def _runs(scenario: Command) -> Mapping[str, Any]:
    (run,) = json.loads(scenario("runs", "--json").stdout)
    return dict(run)


def _wait(found: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_a_killed_command_loses_nothing(scenario: Command, slow: str, engine: str) -> None:
    process = scenario.start("run", slow, "--backend", "local", "--engine", engine, "--json")
    events = _events(process)
    run = _until(events, lambda event: event["event"] == "runStarted")["run"]
    _until(events, _began)
    _kill(process)
    text = scenario("logs", run, "--follow").stdout
    assert text.splitlines()[-1].endswith("the last word")
    assert _runs(scenario)["state"] == "succeeded"
    outputs = scenario("outputs", run, "--json").stdout
    assert "result.txt" in outputs
    scenario("outputs", run, "--download", str(scenario.home / "saved"))
    (saved,) = (scenario.home / "saved").rglob("result.txt")
    assert saved.read_text() == "kept\n"


def test_the_true_end_is_recorded_also_when_nobody_watched(scenario: Command, slow: str, engine: str) -> None:
    process = scenario.start(
        "run",
        slow,
        "--backend",
        "local",
        "--engine",
        engine,
        "--set",
        "code=3",
        "--set",
        "seconds=1",
        "--json",
    )
    _until(_events(process), _began)
    _kill(process)
    _wait(lambda: _runs(scenario)["state"] not in ("detached", "running"))
    assert _runs(scenario)["state"] == "failed"
    assert "exit code 3" in scenario("runs", "--json").stdout or _exit_code(scenario) == 3


def _exit_code(scenario: Command) -> int:
    (record,) = (scenario.home / "runs").glob("*/run.json")
    (job,) = json.loads(record.read_text())["jobs"]
    return int(job["exitCode"])


def test_a_run_outlives_the_emulator_that_it_uses(scenario: Command, slow: str, engine: str) -> None:
    server = scenario.start("emulator", "serve", "--json")
    assert server.stdout is not None
    server.stdout.readline()
    process = scenario.start("run", slow, "--backend", "local", "--engine", engine, "--json")
    _until(_events(process), _began)
    _kill(server)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["state"] == "succeeded"


@pytest.mark.parametrize("moment", [0.3, 0.6, 0.9, 1.2, 1.6])
def test_killed_at_any_moment_nothing_is_left(
    scenario: Command, slow: str, engine: str, moment: float
) -> None:
    process = scenario.start(
        "run", slow, "--backend", "local", "--engine", engine, "--set", "seconds=1", "--json"
    )
    time.sleep(moment)  # any moment will do: that is the point
    _kill(process)
    if list((scenario.home / "runs").glob("*/run.json")):
        _wait(lambda: _runs(scenario)["state"] not in ("detached", "running"))
    scenario("emulator", "gc")
    assert not list((scenario.home / "nodes").glob("*/*")), "nodes' disks are gone"


def test_interrupted_once_it_cleans_up(scenario: Command, slow: str, engine: str) -> None:
    process = scenario.start(
        "run", slow, "--backend", "local", "--engine", engine, "--set", "seconds=60", "--json"
    )
    events = _events(process)
    _until(events, _began)
    process.send_signal(signal.SIGINT)
    finished = _until(events, lambda event: event["event"] == "finished")
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert finished["state"] == "interrupted"
    assert _runs(scenario)["state"] == "interrupted"
    assert not list((scenario.home / "nodes").glob("*/*")), "nodes' disks are gone"


def test_interrupted_twice_it_leaves_at_once_and_says_how_to_return(
    scenario: Command, slow: str, engine: str
) -> None:
    process = scenario.start(
        "run", slow, "--backend", "local", "--engine", engine, "--set", "seconds=3", "--json"
    )
    events = _events(process)
    run = _until(events, lambda event: event["event"] == "runStarted")["run"]
    _until(events, _began)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert run in out + err
    _wait(lambda: _runs(scenario)["state"] not in ("detached", "running"))
