"""How often Slurm is asked: twice a second, whoever wants to know."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.base import NODE_TAKEN
from batchai_scenario.emulator.engines.control import control_folder
from batchai_scenario.emulator.engines.nodes import make_disk
from batchai_scenario.emulator.engines.slurm.engine import SlurmEngine
from batchai_scenario.emulator.engines.slurm.questions import Pace, Shared
from batchai_scenario.emulator.errors import EngineUnavailable, Problem
from batchai_scenario.emulator.state.home import Home

if TYPE_CHECKING:
    from pathlib import Path

JOBS = 200
_COUNTING = """#!/bin/sh
echo "$0 $*" >>{log}
case $0 in */squeue) echo "7|CANCELLED|n1|None|scenario here home:guid:a" ;; esac
"""


def test_no_more_than_two_pass_in_any_second() -> None:
    now = 100.0
    passed = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    pace = Pace(lambda: now, sleep)
    for _ in range(4):
        pace.turn()
        passed.append(now)
    now += 0.25
    pace.turn()
    assert [*passed, now] == [100, 100, 101, 101, 102]


def test_an_answer_is_shared_by_those_who_take_one_of_its_age() -> None:
    answers = iter(range(3))
    shared = Shared(lambda: next(answers))
    assert [shared.answer(), shared.answer(3600.0), shared.answer(), shared.answer(3600.0)] == [0, 0, 1, 1]


def test_silence_is_an_answer_to_all_who_waited_for_it() -> None:
    def ask() -> int:
        raise EngineUnavailable(Problem("SlurmUnavailable", "no"), silent=True)

    shared = Shared(ask)
    raised = []
    for _ in range(2):
        with pytest.raises(EngineUnavailable) as found:
            shared.answer(3600.0)
        raised.append(found.value)
    assert raised[0] is not raised[1]
    assert raised[1].silent


def test_two_hundred_lost_jobs_ask_no_more_than_one(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    home.slurm_settings.write_text(f"shared_folder: {home.root}\nsizes: {{'*': {{partition: all}}}}\n")
    log = tmp_path / "log"
    for name in ("squeue", "sacct", "scontrol", "sinfo"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(_COUNTING.format(log=log))
        program.chmod(0o755)
    make_disk(home, "guid", "a", {"engine": "slurm", "job": "7", "host": "n1"})
    tasks = [f"job-{number}" for number in range(JOBS)]
    for task in tasks:
        folder = control_folder(home, "guid", "a", task)
        folder.mkdir(parents=True)
        (folder / "alive").touch()
    engine = SlurmEngine(home, environment={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})
    began = time.monotonic()
    with ThreadPoolExecutor(JOBS) as pool:
        ends = list(pool.map(engine.wait, tasks))
    took = time.monotonic() - began
    assert {end.problem.code for end in ends if end.problem} == {NODE_TAKEN}
    lines = log.read_text().splitlines()
    asked = [line for line in lines if not line.endswith(" --version")]  # a program answers that itself
    assert len(asked) <= 2 * took + 2, f"{len(asked)} questions in {took:.1f} s"
    assert len(asked) < JOBS  # each alone would ask twice
