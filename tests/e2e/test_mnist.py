"""The main job on real input: CNTK trains the quickstart's network on the real digits, on both engines."""

from __future__ import annotations

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


def _run(home: Path, engine: str) -> tuple[Mapping[str, Any], str]:
    """Run mnist once an engine and session; gives the finished event and the job's own log."""
    if engine not in _results:
        environment = {} if engine == "docker" else {"DOCKER_HOST": NO_ENGINE}
        command = Command(home, environment)
        asked = ("run", "mnist", "--backend", "local", "--set", f"epochs={EPOCHS[engine]}")
        finished = command.events(*asked, timeout=1400)[-1]
        log = command("logs", finished["run"]).stdout
        _results[engine] = finished, log
    return _results[engine]


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
