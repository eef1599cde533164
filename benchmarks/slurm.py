"""The engine slurm, on a Slurm cluster of two nodes of this machine that is made for it.

    python benchmarks/slurm.py [--rounds 20] [--jobs 100]

`hello`, submit to finished, beside a bare ``srun`` of the same command in the same allocation, in turn; the
cluster is there before. Target: at most 300 ms over it. Then 100 jobs of a second on two nodes: how long a
node stands idle from the end of a job's command to the beginning of the next one's (target: 400 ms), and how
often Slurm was asked meanwhile (target: at most twice a second).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from common import load, spread, timed
from nodes import PLACE, SHARE, gaps, hello

from batchai_scenario.backends.base import BackendOptions, ClusterSpec
from batchai_scenario.backends.local import open_backend
from batchai_scenario.emulator.engines.slurm.questions import QUESTIONS
from batchai_scenario.emulator.engines.slurm.sandbox import slurm_sandbox
from batchai_scenario.emulator.state.home import Home

if TYPE_CHECKING:
    from batchai_scenario.backends.base import Backend
    from batchai_scenario.emulator.engines.slurm.sandbox import Sandbox

NODES = 2


def counting(folder: Path) -> Path:
    """Put programs before those of Slurm that count questions; gives the file with a line for each."""
    asked = folder / "asked"
    asked.touch()
    for name in QUESTIONS:
        script = f'#!/bin/sh\necho {name} >>{asked}\nexec {shutil.which(name)} "$@"\n'
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
    return asked


def bare(sandbox: Sandbox, job: str) -> float:
    """Run the command as a step in an allocation of the cluster's; gives seconds."""
    options = [f"--jobid={job}", "--overlap", "--nodes=1", "--ntasks=1"]
    return timed(lambda: sandbox.run("srun", *options, "/bin/sh", "-c", "echo hello"))


def idle(backend: Backend) -> None:
    """Wait until every node is idle."""
    while backend.get_cluster(PLACE, "bench").nodes.get("idle") != NODES:
        time.sleep(0.02)


def measure(backend: Backend, sandbox: Sandbox, rounds: int, jobs: int, asked: Path) -> None:
    """Measure and print."""
    backend.ensure_place(PLACE)
    backend.ensure_share("bench")
    properties = {
        "vmSize": "STANDARD_D1",
        "scaleSettings": {"manual": {"targetNodeCount": NODES}},
        "userAccountSettings": {"adminUserName": "bench", "adminUserPassword": "not-used-here-1"},
        "nodeSetup": {"mountVolumes": {"azureFileShares": [SHARE]}},
    }
    backend.create_cluster(ClusterSpec(PLACE, "bench", properties))
    idle(backend)
    holder = sandbox.run("squeue", "--noheader", "--states=RUNNING", "--format=%i").split()[0]
    ours, least = [], []
    for number in range(rounds + 1):  # the first is a warm-up
        idle(backend)
        ours.append(hello(backend, f"hello-{number}", 1, "ubuntu:16.04"))
        least.append(bare(sandbox, holder))
    over = statistics.median(ours[1:]) - statistics.median(least[1:])
    print(f"hello     {spread(ours[1:])}")
    print(f"bare srun {spread(least[1:])}")
    print(f"over it   {over * 1000:9.1f} ms")
    idle(backend)
    before, begun = len(asked.read_text().split()), time.monotonic()
    between = gaps(backend, "ubuntu:16.04", jobs, NODES)
    took, questions = time.monotonic() - begun, len(asked.read_text().split()) - before
    print(f"{jobs} jobs on {NODES} nodes, idle between two: {spread(between)}")
    print(f"{questions} questions in {took:.0f} s: {questions / took:.2f} a second")
    backend.delete_cluster(PLACE, "bench")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=100)
    options = parser.parse_args()
    print(load())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Home(Path(folder) / "home")
        home.make()
        programs = Path(folder) / "programs"
        programs.mkdir()
        with slurm_sandbox(NODES, home.slurm_settings) as sandbox:
            asked = counting(programs)
            backend = open_backend(BackendOptions(home=home.root, values={"engine": "slurm"}))
            try:
                measure(backend, sandbox, options.rounds, options.jobs, asked)
            finally:
                backend.close()
    print(load())


if __name__ == "__main__":
    main()
