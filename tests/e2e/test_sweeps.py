"""A sweep on the emulator: many jobs on four nodes, kill -9 at random moments, and other sweeps beside it."""

from __future__ import annotations

import json
import random
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NODES = 4
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
  train: {metrics: {loss: {pattern: 'loss {number}', below: 1000}}}
"""


@pytest.fixture
def counts(scenario: Command, engine: str, request: pytest.FixtureRequest) -> Path:
    """Write the scenario; gives its folder."""
    image = str(request.getfixturevalue("docker_image")) if engine == "docker" else "ubuntu:16.04"
    folder = scenario.home.parent / "counts"
    folder.mkdir()
    (folder / "scenario.yaml").write_text(COUNTS.replace("IMAGE", image))
    return folder


def over(points: int) -> str:
    """Give the flag's value for so many points, the best last."""
    return f"rate={','.join(map(str, range(points, 0, -1)))}"


def killed_after(scenario: Command, events: int, *arguments: str) -> bool:
    """Start the command and kill it when it has told so much that is new; False if it ended before."""
    process = scenario.start("sweep", *arguments, "--json")
    assert process.stdout is not None
    told = 0
    for line in process.stdout:
        event = json.loads(line)["event"]
        told += event not in ("pointPlanned", "pointEnded")  # which one that goes on tells again
        if told >= events and event != "finished":
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
            return True
    process.communicate(timeout=60)
    return False


def ran(scenario: Command) -> dict[str, str]:
    """Give what the jobs wrote on the share, by point."""
    found = scenario.home.glob("storage/*/counts/ran-*")
    return {file.name.removeprefix("ran-"): file.read_text() for file in found}


def survives(scenario: Command, begun: Sequence[str], *, points: int, kills: int, most: int) -> int:
    """Kill a sweep again and again after up to ``most`` events, resume it, and hold it to what is right.

    Gives how often it was killed.
    """
    seed = random.SystemRandom().randrange(1_000_000)
    dice = random.Random(seed)
    after = [dice.randint(1, most) for _ in range(kills)]
    print(f"to be killed after {after} events (seed {seed})")  # noqa: T201 - says what to repeat
    done = 0
    while done < kills and killed_after(
        scenario, after[done], *(("--resume", "last") if done else (*begun, "--over", over(points)))
    ):
        done += 1
    (run,) = json.loads(scenario("runs", "--json").stdout)
    if run["state"] == "detached":
        told = scenario.events("sweep", "--resume", "last", timeout=600)
        (ranked,) = (event for event in told if event["event"] == "ranked")
        assert [point["value"] for point in ranked["points"]] == list(range(1, points + 1))
        assert (told[-1]["state"], told[-1]["metrics"]) == ("succeeded", {"loss": 1})
    ended_right(scenario, points)
    return done


def ended_right(scenario: Command, points: int) -> int:
    """Check that every point ran once, and what the record says; gives how many ran at once at most."""
    (run,) = json.loads(scenario("runs", "--json").stdout)
    assert run["state"] == "succeeded"
    jobs = list(run["jobs"].values())
    assert [job["metrics"]["loss"] for job in jobs] == list(range(points, 0, -1))
    assert ran(scenario) == {str(point): "ran\n" for point in range(1, points + 1)}
    last = f"train-{points:04}"
    outputs = json.loads(scenario("outputs", "last", "--job", last, "--json").stdout)
    (file,) = (entry for entry in outputs if entry["path"] == "stdout.txt")
    assert (file["job"], file["size"]) == (last, len("loss 1\n"))
    spans = [(job["startedAt"], job["endedAt"]) for job in jobs]
    at_once: int = max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans)
    assert at_once <= NODES, sorted(spans)
    return at_once


@contextmanager
def others_sweep(folder: Path, engine: str) -> Iterator[None]:
    """Let another home run sweeps and remove leftovers all the while; each must end well."""
    other = Command(folder / "other")
    other.home.mkdir()
    ended = threading.Event()
    said: list[str] = []

    def go() -> None:
        arguments = ["sweep", str(folder / "counts"), "--over", over(NODES), "--engine", engine]
        while not ended.is_set():
            for words in (arguments, ["emulator", "gc"]):
                done = other(*words, code=None, timeout=600)
                if done.returncode:
                    said.append(done.stdout + done.stderr)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        other("emulator", "gc", code=None)
    assert said == []


def test_a_sweep_survives_kill_9(scenario: Command, exercise_process: None, tmp_path: Path) -> None:
    file = tmp_path / "counts" / "scenario.yaml"
    file.parent.mkdir()
    file.write_text(COUNTS.replace("IMAGE", "ubuntu:16.04"))
    survives(scenario, [str(file.parent), "--engine", "process"], points=12, kills=2, most=20)


@pytest.mark.endurance
@pytest.mark.timeout(3600)
def test_two_hundred_points_survive_kill_9_at_ten_random_moments_while_others_sweep(
    scenario: Command, counts: Path, engine: str
) -> None:
    with others_sweep(counts.parent, engine):
        begun = [str(counts), "--engine", engine]
        assert survives(scenario, begun, points=200, kills=10, most=70) == 10


@pytest.mark.endurance
def test_sixteen_jobs_on_four_nodes_run_at_once_and_end_right(
    scenario: Command, counts: Path, engine: str
) -> None:
    events = scenario.events("sweep", str(counts), "--over", over(16), "--engine", engine)
    assert events[-1]["state"] == "succeeded"
    assert ended_right(scenario, 16) >= 2
    assert "loss 1" in scenario("logs", "last", "--job", "train-0016").stdout
