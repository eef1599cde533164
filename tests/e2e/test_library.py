"""The library's scenarios for real: each trains with its own framework, on both engines, and has learnt.

Each scenario's own expectations say what an untrained model fails; a run that does not meet them ends with 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import NO_ENGINE, Command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.endurance, pytest.mark.timeout(3000)]

RUNS: tuple[tuple[str, dict[str, object]], ...] = (
    ("batch-scoring", {}),
    ("caffe2-mnist", {}),
    ("caffe2-mnist", {"nodes": 1}),
    ("chainer-mnist", {}),
    ("cifar-distributed", {}),
    ("horovod-mnist", {}),
    ("keras-mnist", {}),
    ("keras-mnist", {"backend": "tensorflow"}),
    ("pytorch-gloo", {}),
    ("pytorch-gloo", {"backend": "tcp"}),
    ("pytorch-mnist", {}),
    ("pytorch-mnist", {"nodes": 2}),
    ("pytorch-mnist", {"nodes": 2, "backend": "tcp"}),
    ("pytorch-mnist", {"pytorch": "current"}),
)
"""Scenarios and their parameters."""


@pytest.mark.parametrize(("name", "values"), RUNS, ids=str)
def test_a_scenario_meets_its_expectations(
    cntk_home: Path, engine: str, name: str, values: dict[str, object]
) -> None:
    command = Command(cntk_home, {} if engine == "docker" else {"DOCKER_HOST": NO_ENGINE})
    settings = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    finished = command.events("run", name, "--engine", engine, *settings, timeout=2900)[-1]
    assert (finished["state"], finished["exitCode"]) == ("succeeded", 0)


def test_two_ranks_learn_what_one_process_learns(cntk_home: Path, exercise_process: None) -> None:
    command = Command(cntk_home, {"DOCKER_HOST": NO_ENGINE})
    found = []
    for nodes in (1, 2):
        settings = ("--set", f"nodes={nodes}", "--set", "epochs=1", "--set", "samples=6000")
        finished = command.events("run", "pytorch-mnist", "--engine", "process", *settings, timeout=1400)[-1]
        found.append(finished["metrics"]["test_error"])
    # They add up the same gradients in another order: the same weights but for rounding.
    assert found[0] == pytest.approx(found[1], abs=0.5)
