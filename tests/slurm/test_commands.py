"""How Slurm's commands are called, and what it means when they fail: with programs that stand for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.slurm.commands import NEEDED, Partition, SlurmCommands
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from pathlib import Path


def _programs(folder: Path, **scripts: str) -> SlurmCommands:
    for name in NEEDED:
        program = folder / name
        program.write_text(f"#!/bin/sh\n{scripts.get(name, 'true')}\n")
        program.chmod(0o755)
    return SlurmCommands(
        "/conf", {"PATH": f"{folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "HOME": "/h"}
    )


def test_a_jobs_own_variables_do_not_reach_them(tmp_path: Path) -> None:
    said = _programs(tmp_path, squeue="env").run("squeue")
    assert "SLURM_CONF=/conf\n" in said
    assert "HOME=/h\n" in said
    assert "SLURM_JOB_ID" not in said


@pytest.mark.parametrize("said", ["slurm-wlm 22.05.8", "slurm 20.11.0", "slurm 25.05.0-0rc1"])
def test_versions_that_will_do(tmp_path: Path, said: str) -> None:
    assert _programs(tmp_path, sinfo=f"echo {said}").version() == said.split()[1]


@pytest.mark.parametrize(
    ("said", "told"), [("slurm 20.02.7", "Slurm's commands are slurm 20.02.7; 20.11"), ("x", "are x; 20.11")]
)
def test_versions_that_will_not(tmp_path: Path, said: str, told: str) -> None:
    with pytest.raises(EngineUnavailable, match=told):
        _programs(tmp_path, sinfo=f"echo {said}").version()


def test_commands_that_are_not_there_are_named(tmp_path: Path) -> None:
    commands = SlurmCommands(environment={"PATH": str(tmp_path)})
    with pytest.raises(EngineUnavailable, match=r"no program sbatch, srun, .*Debian: slurm-client"):
        commands.version()
    with pytest.raises(EngineUnavailable, match="no program sbatch on PATH"):
        commands.run("sbatch")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("slurm_load_jobs error: Unable to contact slurm controller (connect failure)", "Unable to contact"),
        (
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            "Socket timed",
        ),
        ("sinfo: error: Munge encode failed: Failed to access socket", "answer: Munge encode failed"),
        ("squeue: error: x\nslurm_load_jobs: Protocol authentication error", "Protocol authentication error"),
        ("sinfo: fatal: Could not establish a configuration source", "Could not establish"),
        ("sinfo: fatal: Unable to process configuration file", "Unable to process"),
    ],
)
def test_a_controller_that_does_not_answer_has_said_nothing(tmp_path: Path, said: str, told: str) -> None:
    with pytest.raises(EngineUnavailable, match=told) as raised:
        _programs(tmp_path, squeue=f"echo '{said}' >&2; exit 1").run("squeue")
    assert raised.value.silent


def test_a_command_that_hangs_has_said_nothing(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="squeue did not end within") as raised:
        _programs(tmp_path, squeue="exec sleep 1000").run("squeue", timeout=0.1)
    assert raised.value.silent


def test_a_refusal_is_slurms_own_text(tmp_path: Path) -> None:
    said = "sbatch: error: Batch job submission failed: Invalid account or account/partition combination"
    with pytest.raises(EngineError) as raised:
        _programs(tmp_path, sbatch=f"echo '{said}' >&2; exit 1").run("sbatch")
    assert not isinstance(raised.value, EngineUnavailable)
    assert (raised.value.problem.code, raised.value.problem.message) == ("SlurmRefused", said)


def test_partitions_are_read_whole(tmp_path: Path) -> None:
    table = "gpu|up|3|gpu:2|v100,fast\ngpu|up|1|(null)|(null)\nold|down|2|(null)|(null)\n"
    found = _programs(tmp_path, sinfo=f"printf '{table}'").partitions()
    assert found == {
        "gpu": Partition("gpu", 4, "up", ("gpu:2",), ("fast", "v100")),
        "old": Partition("old", 2, "down"),
    }
