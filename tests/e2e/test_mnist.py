"""The main job on real input: CNTK trains the quickstart's network on the real digits, on both engines."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

from tests.e2e.conftest import NO_ENGINE, Command

pytestmark = [pytest.mark.cntk, pytest.mark.network, pytest.mark.timeout(1500)]

_results: dict[str, tuple[Mapping[str, Any], str]] = {}


EPOCHS = {"docker": 2, "process": 1}
"""README's own command trains for two epochs as a process, on every fresh machine of CI."""


def _run(home: Path, engine: str, **more: int) -> tuple[Mapping[str, Any], str]:
    """Run mnist once an engine and session; gives the finished event and the job's own log."""
    key = f"{engine} {more}"
    if key not in _results:
        environment = {} if engine == "docker" else {"DOCKER_HOST": NO_ENGINE}
        command = Command(home, environment)
        chosen = {"epochs": EPOCHS[engine], **more}
        options = [word for name, value in chosen.items() for word in ("--set", f"{name}={value}")]
        finished = command.events("run", "mnist", "--backend", "local", *options, timeout=1400)[-1]
        log = command("logs", finished["run"]).stdout
        _results[key] = finished, log
    return _results[key]


def test_mnist_trains_for_real(cntk_home: Path, engine: str) -> None:
    finished, log = _run(cntk_home, engine)
    assert finished["event"] == "finished"
    assert finished["state"] == "succeeded"
    assert finished["exitCode"] == 0
    assert 0 < finished["metrics"]["test_error_percent"] < {1: 4, 2: 2.5}[EPOCHS[engine]]
    assert f"{finished['metrics']['test_error_percent']:.2f}" in log, (
        "the metric is read from the job's own log"
    )
    models = [output["path"] for output in finished["outputs"] if output["directory"] == "MODEL"]
    assert models == [f"ConvNet_MNIST_{epoch}.dnn" for epoch in range(1, EPOCHS[engine] + 1)]


@pytest.mark.docker
def test_both_engines_give_the_same_losses(cntk_home: Path) -> None:
    losses = {}
    for engine in ("docker", "process"):
        _, log = _run(cntk_home, engine)
        losses[engine] = re.findall(r"Epoch 1 of \d: loss (\d+\.\d{4})", log)
    assert len(losses["docker"]) == 1
    assert losses["docker"] == losses["process"]


def test_two_nodes_learn_from_some_digits_as_one_does(cntk_home: Path, engine: str) -> None:
    """The first digits of the run above once more, half of each minibatch on each of two nodes."""
    _, alone = _run(cntk_home, engine)
    seen = re.search(r"epoch 1: +(\d+) of 60000, loss (\S+), error (\S+) %", alone)
    assert seen is not None
    finished, together = _run(cntk_home, engine, epochs=1, nodes=2, digits=int(seen[1]))
    assert (finished["state"], finished["exitCode"]) == ("succeeded", 0)
    assert "2 process(es)" in together
    found = re.search(r"Epoch 1 of 1: loss (\S+), error (\S+) %, (\d+) samples", together)
    assert found is not None
    assert found[3] == seen[1]
    assert abs(float(found[1]) / float(seen[2]) - 1) < 0.01, (found[0], seen[0])
    assert abs(float(found[2]) - float(seen[3])) < 1.0, (found[0], seen[0])


@pytest.mark.endurance
def test_two_nodes_reach_the_accuracy_of_one_with_less_work_each(cntk_home: Path, engine: str) -> None:
    one, _ = _run(cntk_home, engine, epochs=2)
    two, _ = _run(cntk_home, engine, epochs=2, nodes=2)
    errors = [run["metrics"]["test_error_percent"] for run in (one, two)]
    assert abs(errors[0] - errors[1]) <= 0.3, errors
    cores = os.cpu_count() or 1
    work = (one["metrics"]["epoch_seconds"] * cores, two["metrics"]["epoch_seconds"] * max(cores // 2, 1))
    assert work[1] < work[0], f"seconds of compute of one node alone, and of each of two: {work}"


@pytest.mark.docker
def test_two_nodes_of_a_plain_user_learn_in_containers(plain_scenario: Command) -> None:
    options = ("--engine", "docker", "--set", "nodes=2", "--set", "digits=10048", "--set", "epochs=1")
    finished = plain_scenario.events("run", "mnist", *options, timeout=1400)[-1]
    assert (finished["state"], finished["exitCode"]) == ("succeeded", 0)
    assert 0 < finished["metrics"]["test_error_percent"] < 15
