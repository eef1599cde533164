"""A sweep on the emulator: sixteen jobs on four nodes, and kill -9 at random moments."""

from __future__ import annotations

import json
import random
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.e2e.conftest import Command

NODES = 4
POINTS = range(1, 17)
OVER = f"rate={','.join(map(str, reversed(POINTS)))}"
COUNTS = """
summary: Counts how often it ran at each point.
parameters:
  rate: {type: integer, default: 1}
  image: {type: string, default: "IMAGE"}
cluster:
  vmSize: STANDARD_D1
  scaleSettings: {manual: {targetNodeCount: 4}}
  nodeSetup: {mountVolumes: {azureFileShares: [{share: counts, relativeMountPath: files}]}}
jobs:
  train:
    nodeCount: 1
    stdOutErrPathPrefix: $AZ_BATCHAI_MOUNT_ROOT/files
    containerSettings: {imageSourceRegistry: {image: "{{ image }}"}}
    customToolkitSettings:
      commandLine: >-
        echo ran >> $AZ_BATCHAI_MOUNT_ROOT/files/ran-$PARAM_RATE; sleep 0.3; echo loss {{ rate }}
expect:
  train: {metrics: {loss: {pattern: 'loss {number}', below: 100}}}
"""


@pytest.fixture
def counts(scenario: Command, engine: str, request: pytest.FixtureRequest) -> Path:
    """Write the scenario; gives its folder."""
    image = str(request.getfixturevalue("docker_image")) if engine == "docker" else "ubuntu:16.04"
    folder = scenario.home.parent / "counts"
    folder.mkdir()
    (folder / "scenario.yaml").write_text(COUNTS.replace("IMAGE", image))
    return folder


def killed_after(scenario: Command, events: int, *arguments: str) -> bool:
    """Start the command and kill it when it has told so many events; False if it ended before."""
    process = scenario.start("sweep", *arguments, "--json")
    assert process.stdout is not None
    for number, line in enumerate(process.stdout, 1):
        if number >= events and json.loads(line)["event"] != "finished":
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
            return True
    process.communicate(timeout=60)
    return False


def ran(scenario: Command) -> dict[str, str]:
    """Give what the jobs wrote on the share, by point."""
    found = scenario.home.glob("storage/*/counts/ran-*")
    return {file.name.removeprefix("ran-"): file.read_text() for file in found}


def survives(scenario: Command, begun: Sequence[str], kills: int, seed: int) -> None:
    """Kill a sweep of sixteen points again and again, and resume it; each point must have run once."""
    dice = random.Random(seed)
    first = dice.randint(26, 60)
    later = [dice.randint(26, 60) for _ in range(kills - 1)]
    print(f"killed after {first} and {later} events (seed {seed})")  # noqa: T201 - says what to repeat
    assert killed_after(scenario, first, *begun, "--over", OVER)
    for events in later:
        if not killed_after(scenario, events, "--resume", "last"):
            break
    (run,) = json.loads(scenario("runs", "--json").stdout)
    if run["state"] == "detached":
        told = scenario.events("sweep", "--resume", "last")
        (ranked,) = (event for event in told if event["event"] == "ranked")
        assert [point["value"] for point in ranked["points"]] == list(POINTS)
        assert (told[-1]["state"], told[-1]["metrics"]) == ("succeeded", {"loss": 1})
    ended_right(scenario)


def ended_right(scenario: Command) -> None:
    """Check that every point ran once, four at a time, and what the record says of them."""
    (run,) = json.loads(scenario("runs", "--json").stdout)
    assert run["state"] == "succeeded"
    jobs = list(run["jobs"].values())
    assert [job["metrics"]["loss"] for job in jobs] == list(reversed(POINTS))
    assert ran(scenario) == {str(point): "ran\n" for point in POINTS}
    spans = [(job["startedAt"], job["endedAt"]) for job in jobs]
    at_once = [sum(begin <= moment < end for begin, end in spans) for moment, _ in spans]
    assert 2 <= max(at_once) <= NODES
    outputs = json.loads(scenario("outputs", "last", "--job", "train-0016", "--json").stdout)
    (file,) = (entry for entry in outputs if entry["path"] == "stdout.txt")
    assert (file["job"], file["size"]) == ("train-0016", len("loss 1\n"))


def test_a_sweep_of_sixteen_jobs_on_four_nodes_survives_kill_9(
    scenario: Command, exercise_process: None, tmp_path: Path
) -> None:
    file = tmp_path / "counts" / "scenario.yaml"
    file.parent.mkdir()
    file.write_text(COUNTS.replace("IMAGE", "ubuntu:16.04"))
    seed = random.SystemRandom().randrange(1000)
    survives(scenario, [str(file.parent), "--engine", "process"], kills=2, seed=seed)


@pytest.mark.endurance
@pytest.mark.parametrize("seed", range(3))
def test_a_sweep_survives_kill_9_at_ten_random_moments(
    scenario: Command, counts: Path, engine: str, seed: int
) -> None:
    survives(scenario, [str(counts), "--engine", engine], kills=10, seed=seed)


@pytest.mark.endurance
def test_sixteen_jobs_on_four_nodes_run_at_once_and_end_right(
    scenario: Command, counts: Path, engine: str
) -> None:
    events = scenario.events("sweep", str(counts), "--over", OVER, "--engine", engine)
    assert events[-1]["state"] == "succeeded"
    ended_right(scenario)
    assert "loss 1" in scenario("logs", "last", "--job", "train-0016").stdout
