"""The Slurm cluster that tests run on: it works, and nothing of it outlives whoever opened it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.lacking import SLURM, skip_for
from tests.slurm.sandbox import Sandbox, missing, processes, slurm_sandbox

pytestmark = pytest.mark.slurm

_OPENER = """
import sys
from tests.slurm.sandbox import slurm_sandbox
with slurm_sandbox(1) as sandbox:
    print(sandbox.folder, sandbox.guard, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _slurm() -> None:
    if reason := missing():
        skip_for(SLURM, reason)


def _hold(sandbox: Sandbox) -> list[psutil.Process]:
    """Start a job that stays, without the caller's variables; give its processes."""
    started = sandbox.folder / "started"
    os.mkfifo(started)
    script = f"sleep 1000 & echo $! >{started}; wait"
    sandbox.run("sbatch", "--export=NONE", f"--output={sandbox.folder}/out", "--wrap", script)
    sleeper = psutil.Process(int(started.read_text()))
    return [sleeper, *sleeper.parents()[:2]]


def test_runs_jobs_on_its_nodes_and_leaves_nothing() -> None:
    with slurm_sandbox(2) as sandbox:
        said = sandbox.run("srun", "--nodes=2", "--label", "printenv", "SLURMD_NODENAME")
        assert sorted(said.splitlines()) == ["0: n1", "1: n2"]
    assert not sandbox.folder.exists()
    assert list(processes(sandbox.folder)) == []


def test_jobs_end_with_it_also_when_its_guard_is_killed() -> None:
    with slurm_sandbox(1) as sandbox:
        job = _hold(sandbox)
        psutil.Process(sandbox.guard).kill()
    assert psutil.wait_procs(job, timeout=30)[1] == []
    assert not sandbox.folder.exists()


def test_ends_when_whoever_opened_it_is_killed() -> None:
    opener = subprocess.Popen(
        [sys.executable, "-c", _OPENER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with opener:
        assert opener.stdout is not None
        folder, guard = opener.stdout.readline().rsplit(maxsplit=1)
        keeper = psutil.Process(int(guard))
        opener.kill()
    assert psutil.wait_procs([keeper], timeout=30)[1] == []
    assert not Path(folder).exists()
    assert list(processes(Path(folder))) == []
