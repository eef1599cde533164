"""Every backend keeps rules B1 to B10: one suite, run over each of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from backends.base import BackendOptions
from backends.contract import CHECKS, PROGRAMS, World
from backends.local import open_backend
from backends.memory import MemoryBackend
from backends.memory import World as Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from backends.base import Backend

BACKENDS = ["memory", "local-process", pytest.param("local-docker", marks=pytest.mark.docker)]


@pytest.fixture(params=BACKENDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    name: str = request.param
    if name == "memory":
        model = Model()
        yield World(lambda: MemoryBackend(PROGRAMS, model), tmp_path, lambda _: None)
        return
    engine = name.partition("-")[2]
    container = None
    if engine == "docker":
        container = {"imageSourceRegistry": {"image": request.getfixturevalue("docker_image")}}
    else:
        request.getfixturevalue("exercise_process")
    opened: list[Backend] = []

    def opens() -> Backend:
        options = BackendOptions(tmp_path / "home", {"engine": engine, "gpus": "none"})
        opened.append(open_backend(options))
        return opened[-1]

    place = World(opens, tmp_path, time.sleep, container)
    try:
        yield place
    finally:
        opens().delete_place(place.place)
        for backend in opened:
            backend.close()


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_contract(check: Callable[[World], None], world: World) -> None:
    check(world)
