"""What a job's container may take of the machine, and how it is told that it came to the end of it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import docker
import pytest

from batchai_scenario.emulator.engines.labels import container_name
from batchai_scenario.emulator.engines.limits import LEAST_MEMORY, PROCESSES, Limits, options, read_limits
from batchai_scenario.emulator.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GIB = 1024**3
DETAIL = (
    "OOMKilled: a process was killed because the job's container came to its limit of 64 MiB of memory. "
    "Set 'memory' in {file} to give jobs more."
)


def test_defaults_leave_the_machine_some_room(tmp_path: Path) -> None:
    assert read_limits(tmp_path / "none", 10 * GIB) == Limits(9 * GIB, PROCESSES)
    assert read_limits(tmp_path / "none", 0) == Limits(0, PROCESSES)


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", Limits(9 * GIB, PROCESSES)),
        ("memory: 2g", Limits(2 * GIB, PROCESSES)),
        ("memory: 16m\nprocesses: 16", Limits(LEAST_MEMORY, 16)),
        ("memory: 1073741824", Limits(GIB, PROCESSES)),
        ("memory: none\nprocesses: none", Limits(0, 0)),
    ],
)
def test_the_users_table_counts(text: str, limits: Limits, tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    file.write_text(text)
    assert read_limits(file, 10 * GIB) == limits


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("memory: much", "memory: 'much'"),
        ("memory: 1k", "memory: '1k'"),
        ("memory: 0", "memory: '0'"),
        ("memory: -8g", "memory: '-8g'"),
        ("memory: true", "memory: 'True'"),
        ("memory: [8g]", "memory: "),
        ("memory:", "memory: 'None'"),
        ("processes: 3", "processes: '3'"),
        ("processes: many", "processes: 'many'"),
        ("processes: 1.5", "processes: '1.5'"),
        ("mem: 8g", "memory, processes, cores"),
        ("- 8g", "memory, processes, cores"),
        ("{", "cannot be read"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused_by_name(text: str, named: str, tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    file.write_text(text)
    with pytest.raises(EngineError) as caught:
        read_limits(file, GIB)
    assert caught.value.problem.code == "InvalidLimits"
    assert str(file) in caught.value.problem.message
    assert named in caught.value.problem.message


def test_a_kernel_without_the_means_gets_no_limits() -> None:
    assert options(Limits(GIB, 100), {"MemoryLimit": False, "PidsLimit": False}) == {}
    assert options(Limits(GIB, 100), {"MemoryLimit": True, "PidsLimit": True}) == {
        "mem_limit": GIB,
        "pids_limit": 100,
    }


@pytest.fixture
def lab(lab_of: Callable[..., Any]) -> Any:
    return lab_of("docker")


@pytest.mark.docker
def test_a_container_has_the_limits(lab: Any) -> None:
    task = lab.task("true")
    lab.start(task)
    with closing(docker.APIClient(version="auto")) as api:
        host = api.inspect_container(container_name(task.id))["HostConfig"]
        memory = api.info()["MemTotal"]
    assert host["PidsLimit"] == PROCESSES
    assert host["Memory"] == int(memory * 0.9)
    lab.finish(task)


@pytest.mark.docker
@pytest.mark.parametrize("where", ["preparation", "main"])
def test_what_was_killed_for_memory_says_so(lab: Any, where: str) -> None:
    lab.home.limits_table.write_text("memory: 64m\n")
    greedy = "x=0123456789abcdef; while :; do x=$x$x; done"
    end = (lab.run(greedy) if where == "main" else lab.run("true", preparation=greedy)).end
    assert (end.phase, end.exit_code, end.problem) == (where, 137, None)
    assert end.details == (("OOMKilled", DETAIL.format(file=lab.home.limits_table)),)


@pytest.mark.docker
def test_a_job_that_survives_its_greedy_child_has_succeeded(lab: Any) -> None:
    lab.home.limits_table.write_text("memory: 64m\n")
    end = lab.run("sh -c 'x=0123456789abcdef; while :; do x=$x$x; done'; exit 0").end
    assert (end.exit_code, end.problem, end.details) == (0, None, ())


@pytest.mark.docker
def test_a_bomb_of_processes_ends_at_the_limit(lab: Any) -> None:
    lab.home.limits_table.write_text("processes: 24\n")
    outcome = lab.run("n=0; while [ $n -lt 60 ]; do sleep 60 & n=$((n + 1)); done; exit 0")
    assert outcome.end.exit_code != 0
    lab.home.limits_table.write_text("")
    assert lab.run("exit 0").end.exit_code == 0


@pytest.mark.docker
def test_a_wrong_table_fails_the_job_by_its_name(lab: Any) -> None:
    lab.home.limits_table.write_text("memory: much\n")
    with pytest.raises(EngineError, match=r"limits\.yaml"):
        lab.start(lab.task("true"))
    lab.home.limits_table.unlink()
