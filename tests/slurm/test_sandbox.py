"""The Slurm cluster that tests run on: it works, and nothing of it outlives whoever opened it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from batchai_scenario.emulator.engines.slurm.sandbox import Sandbox, processes, slurm_sandbox

pytestmark = pytest.mark.slurm

_OPENER = """
import sys
from batchai_scenario.emulator.engines.slurm.sandbox import slurm_sandbox
with slurm_sandbox(1) as sandbox:
    print(sandbox.folder, sandbox.guard, flush=True)
    sys.stdin.read()
"""


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
    assert processes(sandbox.folder) == []


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
    )
    with opener:
        assert opener.stdout is not None
        folder, guard = opener.stdout.readline().rsplit(maxsplit=1)
        keeper = psutil.Process(int(guard))
        opener.kill()
    assert psutil.wait_procs([keeper], timeout=30)[1] == []
    assert not Path(folder).exists()
    assert processes(Path(folder)) == []


def test_a_home_has_settings_for_it_meanwhile(tmp_path: Path) -> None:
    home = tmp_path / "home"
    script = 'cat "$SCENARIO_HOME/slurm.yaml"; exit 7'
    done = _scenario(home, "emulator", "slurm-sandbox", "--nodes", "1", "--", "sh", "-c", script)
    assert done.returncode == 7, done.stderr
    settings = yaml.safe_load(done.stdout)
    assert settings["shared_folder"] == str(home)
    assert settings["sizes"] == {"*": {"partition": "all"}}
    assert not (home / "slurm.yaml").exists()
    assert not Path(settings["slurm_conf"]).parent.exists()


def test_settings_of_ones_own_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "slurm.yaml").write_text("mine")
    done = _scenario(tmp_path, "emulator", "slurm-sandbox", "--", "true")
    assert done.returncode == 3
    assert "is there already" in done.stderr
    assert (tmp_path / "slurm.yaml").read_text() == "mine"


def test_who_only_speaks_to_it_is_none_of_it() -> None:
    with slurm_sandbox(1) as sandbox:
        environment = {**sandbox.environment, "SLURM_CONF": str(sandbox.folder / "slurm.conf")}
        with subprocess.Popen(["sleep", "1000"], env=environment) as shell:
            mine = [process.pid for process in processes(sandbox.folder)]
            shell.kill()
    assert mine
    assert shell.pid not in mine


def _scenario(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "batchai_scenario.scenarios", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "SCENARIO_HOME": str(home)},
    )
