"""Whatever is killed of a task, whenever: its end is the truth, the same for everybody; nothing is left."""

from __future__ import annotations

import os
import random
import signal
import threading
from contextlib import closing, suppress
from typing import Any

import docker
import pytest

from batchai_scenario.emulator.engines.labels import container_name
from batchai_scenario.emulator.engines.proc import marked

COMMAND = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.05; done; echo done"
VICTIMS = ("supervisor", "everything", "starter", "nobody")


def victims(lab: Any, task: Any) -> list[int]:
    """List the task's processes as this machine sees them, the oldest first."""
    if lab.kind != "docker":
        own = [process for process in marked() if process.marker.endswith(f":{task.id}")]
        return [process.pid for process in sorted(own, key=lambda process: (process.started, process.pid))]
    with closing(docker.APIClient(version="auto")) as api, suppress(docker.errors.APIError):
        table = api.top(container_name(task.id))
        return [int(row[table["Titles"].index("PID")]) for row in table["Processes"] or ()]
    return []


def strike(lab: Any, task: Any, victim: str) -> None:
    found = victims(lab, task)
    chosen = {"supervisor": found[:2][-1:], "everything": found}.get(victim, [])
    if lab.kind == "docker" and chosen and os.geteuid():  # they are root's: the engine may
        with closing(docker.APIClient(version="auto")) as api, suppress(docker.errors.APIError):
            api.kill(container_name(task.id), "KILL")
        return
    for pid in chosen:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def check(lab: Any, seed: int) -> None:
    chance = random.Random(seed)
    victim = chance.choice(VICTIMS)
    task = lab.task(COMMAND)
    if victim == "starter":
        lab.start_and_die(task)
    else:
        lab.start(task)
    strikes = threading.Timer(chance.random() * 0.8, strike, (lab, task, victim))
    strikes.start()
    end = lab.engine.wait(task.id)
    strikes.join()
    assert lab.another().wait(task.id) == end
    file = lab.logs(task) / "stdout.txt"
    whole = file.exists() and file.read_text().endswith("8\ndone\n")
    succeeded = (end.phase, end.exit_code, end.problem) == ("main", 0, None)
    assert whole or not succeeded, f"seed {seed}: {victim} was killed, and {end}"
    if victim in ("nobody", "starter"):
        assert succeeded, f"seed {seed}: {end}"
    if not succeeded:
        assert end.problem is not None or end.exit_code not in (0, None), f"seed {seed}: {end}"
    lab.engine.remove(task.id)
    assert victims(lab, task) == []
    assert lab.engine.tasks() == []


@pytest.mark.parametrize("seed", range(5))
def test_the_end_of_a_task_of_which_something_is_killed(lab: Any, seed: int) -> None:
    check(lab, seed)


@pytest.mark.endurance
@pytest.mark.timeout(1800)
def test_two_hundred_kills(lab: Any) -> None:
    for seed in range(1000, 1200):
        check(lab, seed)
