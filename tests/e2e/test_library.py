"""The library's scenarios for real: each trains with its own framework, on both engines, and has learnt.

Each scenario's own expectations say what an untrained model fails; a run that does not meet them ends with 1.
Each run adds a line to the table ``library.md``, in the folder that SCENARIO_TEST_CACHE names or beside the
session's cache.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.scenarios.definition.discovery import LIBRARY, find
from tests.e2e.conftest import NO_ENGINE, Command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.endurance, pytest.mark.timeout(3000)]

RUNS: tuple[tuple[str, dict[str, object]], ...] = (
    ("batch-scoring", {}),
    ("caffe2-mnist", {}),
    ("caffe2-mnist", {"nodes": 1}),
    ("chainer-mnist", {}),
    ("cifar-distributed", {}),
    ("hello", {}),
    ("horovod-mnist", {}),
    ("keras-mnist", {}),
    ("keras-mnist", {"backend": "tensorflow"}),
    ("mnist", {}),
    ("mnist", {"nodes": 2, "digits": 10048}),
    ("mpi-pi", {}),
    ("pytorch-gloo", {}),
    ("pytorch-gloo", {"backend": "tcp"}),
    ("pytorch-mnist", {}),
    ("pytorch-mnist", {"nodes": 2}),
    ("pytorch-mnist", {"nodes": 2, "backend": "tcp"}),
    ("tensorflow-mnist", {}),
    ("tensorflow-mnist", {"nodes": 2}),
)
"""Scenarios and their parameters."""

LACKING = {"mnist-brainscript"}
"""Scenarios that run only where the machine has a program that cannot be fetched."""

HEAD = "| scenario | engine | nodes | seconds | metrics |\n| --- | --- | --- | --- | --- |\n"


def _command(home: Path, engine: str) -> Command:
    return Command(home, {} if engine == "docker" else {"DOCKER_HOST": NO_ENGINE})


def _words(values: Mapping[str, object]) -> list[str]:
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


def _note(home: Path, *cells: object) -> None:
    """Add a line to the table, beside the cache that the whole run has in common."""
    table = (home / "cache").resolve().parent / "library.md"
    line = f"| {' | '.join(map(str, cells))} |\n"
    with table.open("a") as file:  # a short line in one write: other workers add theirs
        file.write(line if file.tell() else HEAD + line)


def test_every_scenario_of_the_library_is_run() -> None:
    assert {name for name, _ in RUNS} | LACKING == {folder.name for folder in LIBRARY.iterdir()}


def _run(home: Path, engine: str, name: str, values: Mapping[str, object]) -> Mapping[str, float]:
    """Run a scenario, which must succeed, and note it; gives its metrics."""
    command = _command(home, engine)
    finished = command.events("run", name, "--engine", engine, *_words(values), timeout=2900)[-1]
    assert (finished["state"], finished["exitCode"]) == ("succeeded", 0)
    nodes = find(name).resolve({key: str(value) for key, value in values.items()}).nodes
    found: Mapping[str, float] = finished["metrics"]
    metrics = ", ".join(f"{metric} {value:g}" for metric, value in found.items())
    called = " ".join([name, *(f"{key}={value}" for key, value in values.items())])
    _note(home, called, engine, nodes, f"{finished['timings']['total']:.0f}", metrics)
    return found


@pytest.mark.parametrize(("name", "values"), RUNS, ids=str)
def test_a_scenario_meets_its_expectations(
    cntk_home: Path, engine: str, name: str, values: dict[str, object]
) -> None:
    _run(cntk_home, engine, name, values)


@pytest.mark.docker
def test_a_pytorch_of_today_trains_in_its_image(cntk_home: Path) -> None:
    assert _run(cntk_home, "docker", "pytorch-mnist", {"pytorch": "current"})["version"] >= 2


@pytest.mark.skipif(shutil.which("cntk") is not None, reason="this machine has the program cntk")
def test_brainscript_ends_before_anything_is_made_without_its_program(cntk_home: Path, engine: str) -> None:
    events = _command(cntk_home, engine).events("run", "mnist-brainscript", "--engine", engine, code=3)
    assert any("calls the program cntk" in reason for reason in events[-1]["reasons"])
    assert not any(event.get("step") == "place" for event in events)
    _note(cntk_home, "mnist-brainscript", engine, 1, "", "refused: no program cntk")


def test_two_ranks_learn_what_one_process_learns(cntk_home: Path, exercise_process: None) -> None:
    less = {"epochs": 1, "samples": 6000}
    found = [_run(cntk_home, "process", "pytorch-mnist", {"nodes": n, **less})["test_error"] for n in (1, 2)]
    # They add up the same gradients in another order: the same weights but for rounding.
    assert found[0] == pytest.approx(found[1], abs=0.5)
