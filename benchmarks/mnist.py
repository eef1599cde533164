"""Seconds a training epoch of `mnist` inside the emulator, against the same script run bare.

    python benchmarks/mnist.py [--rounds 2] [--home DIR] [--nodes 1] [--digits 60000]

On the process engine: the bare run uses the very environment and data that the emulator made, started by
hand; with several nodes, by `mpirun` of that environment with as many ranks, each on as many cores and with
as many threads, over TCP as nodes have it. The same by shared memory, which nodes have not, is told beside.
All take the same two epochs in turn; the figure is the ratio of their medians. Target: 1.03, on several
nodes 1.05. Ranks wait for one another in every minibatch: on a machine that does something else as well, the
figure of several nodes says nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from common import load

from batchai_scenario.emulator.engines.parts import THREADS
from batchai_scenario.training.installed import training_folder

SCENARIO = str(Path(sys.executable).with_name("scenario"))
MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe"]
EPOCH = re.compile(r"^Epoch \d+ of \d+: .* in (\d+\.\d+) s", re.MULTILINE)


def inside(home: Path, nodes: int, digits: int) -> list[float]:
    """Run the scenario; gives seconds of each epoch."""
    environment = {**os.environ, "SCENARIO_HOME": str(home)}
    arguments = [SCENARIO, "run", "mnist", "--backend", "local", "--engine", "process", "--json"]
    arguments += ["--set", f"nodes={nodes}", "--set", f"digits={digits}"]
    result = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    text = "\n".join(event["text"] for event in events if event["event"] == "logLine")
    return [float(value) for value in EPOCH.findall(text)]


def bare(home: Path, nodes: int, digits: int, transport: str = "self,tcp") -> list[float]:
    """Run the script by hand, its ranks joined by a transport of Open MPI's; gives seconds of each epoch."""
    training = training_folder()
    made = subprocess.run(
        [sys.executable, training / "toolkits/cntk/make_environment.py", "--cache", home / "cache", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    done = json.loads(made.stdout.splitlines()[-1])
    threads = max((os.cpu_count() or 1) // nodes, 1)
    # As a node's processes have: a part of the cores, and as many threads.
    part = ["--map-by", f"slot:PE={threads}", "--bind-to", "core"]
    joined = ["--mca", "pml", "ob1", "--mca", "btl", transport]
    ranks = [] if nodes == 1 else [*MPIRUN, *part, *joined, "-n", str(nodes)]
    (data,) = (home / "storage").glob("*/batchaiquickstart/mnistcntksample")
    options = ["--epochs", "2", "--digits", str(digits)]
    with tempfile.TemporaryDirectory() as models:
        result = subprocess.run(
            [*ranks, done["python"], training / "cntk/ConvNet_MNIST.py", data, models, *options],
            env={
                **os.environ,
                **({} if nodes == 1 else dict.fromkeys(THREADS, str(threads))),
                "PATH": os.pathsep.join([*done["bin"], os.environ["PATH"]]),
                "PYTHONUNBUFFERED": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
    return [float(value) for value in EPOCH.findall(result.stdout)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--digits", type=int, default=60000)
    parser.add_argument("--home", type=Path, help="a home that keeps the digits and CNTK between runs")
    options = parser.parse_args()
    print(load())
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder)
        ours, floor, memory = [], [], []
        for _ in range(options.rounds):
            ours += inside(home, options.nodes, options.digits)
            floor += bare(home, options.nodes, options.digits)
            if options.nodes > 1:
                memory += bare(home, options.nodes, options.digits, "self,vader")
    print(f"epoch inside the emulator {statistics.median(ours):7.2f} s  {ours}")
    print(f"epoch of the bare script  {statistics.median(floor):7.2f} s  {floor}")
    if memory:
        print(f"epoch by shared memory    {statistics.median(memory):7.2f} s  {memory}")
    print(f"ratio                     {statistics.median(ours) / statistics.median(floor):7.3f}")
    print(load())


if __name__ == "__main__":
    main()
