"""TensorFlow for real: workers on two nodes train one model that a parameter server holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import NO_ENGINE

if TYPE_CHECKING:
    from tests.e2e.conftest import Command


def _learnt(command: Command, engine: str, nodes: int) -> None:
    settings = ("--set", f"nodes={nodes}", "--set", "epochs=2", "--set", "samples=6000")
    finished = command.events("run", "tensorflow-mnist", "--engine", engine, *settings, timeout=1200)[-1]
    # Two epochs of 6,000 digits leave about 10 % of errors; a network that learnt nothing has 90.
    assert finished["metrics"]["test_error"] < 14
    assert finished["metrics"]["workers"] == nodes


@pytest.mark.network
@pytest.mark.timeout(1200)
def test_two_nodes_train_one_model_without_an_engine(
    with_made_cache: Command, exercise_process: None
) -> None:
    with_made_cache.environment["DOCKER_HOST"] = NO_ENGINE
    _learnt(with_made_cache, "process", 2)


@pytest.mark.docker
@pytest.mark.network
@pytest.mark.endurance
@pytest.mark.timeout(1200)
def test_two_nodes_train_one_model_in_containers(with_made_cache: Command) -> None:
    _learnt(with_made_cache, "docker", 2)
