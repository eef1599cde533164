"""`hello`, from submit to finished, against the bare engine cycle of the same image, and the bare process.

    python benchmarks/hello.py [--rounds 10] [--engine docker] [--engine process]

The floor with Docker is create, start, wait, logs, remove of a container that runs the same kind of command
on a bridge network, through the same client library; without, the shell that runs it. Each round runs the
installed command once (a fresh emulator in its process) and the floor once. Targets over the floor: 250 ms
with Docker, 100 ms as a process.
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
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from common import load, spread, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCENARIO = str(Path(sys.executable).with_name("scenario"))
COMMAND = "echo Hello && env | sort && echo Hello > /tmp/greeting.txt; env | grep -c ''"


def hello(engine: str, home: str) -> tuple[float, str]:
    """Run the scenario; gives seconds from submit to finished, and the image that ran."""
    result = subprocess.run(
        [SCENARIO, "run", "hello", "--backend", "local", "--engine", engine, "--json"],
        env={**os.environ, "SCENARIO_HOME": home},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    events = [json.loads(line) for line in result.stdout.splitlines()]
    times = {
        (event["event"], event.get("step") or event.get("state")): _time(event["time"]) for event in events
    }
    notices = " ".join(event["text"] for event in events if event["event"] == "notice")
    image = re.search(r"running (\S+)", notices)
    begun, ended = times["stepStarted", "submit"], times["jobChanged", "succeeded"]
    return (ended - begun).total_seconds(), image[1] if image else "ubuntu:16.04"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@contextmanager
def bare_of(engine: str) -> Iterator[Callable[[str], None]]:
    """Give what an engine has to do at least; with Docker on a bridge network, as nodes have one."""
    if engine != "docker":
        yield bare_process
        return
    import docker

    client = docker.from_env()
    network = client.networks.create(f"scenario-bench-{os.getpid()}", driver="bridge")
    try:
        yield partial(bare_container, network=str(network.name))
    finally:
        network.remove()
        client.close()


def bare_container(image: str, network: str) -> None:
    """Do what the engine has to do at least."""
    import docker

    client = docker.from_env()
    container = client.containers.create(image, ["/bin/sh", "-c", COMMAND], network=network)
    try:
        container.start()
        container.wait()
        container.logs()
    finally:
        container.remove(force=True)
        client.close()


def bare_process(_: str) -> None:
    """Do what the machine has to do at least."""
    subprocess.run(["/bin/sh", "-c", COMMAND], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--engine", action="append", choices=["docker", "process"])
    options = parser.parse_args()
    print(load())
    for engine in options.engine or ["docker", "process"]:
        with tempfile.TemporaryDirectory() as home, bare_of(engine) as bare:
            _, image = hello(engine, home)  # a warm-up: it may build the image
            bare(image)
            ours, floor = [], []
            for _ in range(options.rounds):
                ours.append(hello(engine, home)[0])
                floor.append(timed(partial(bare, image)))
        over = statistics.median(ours) - statistics.median(floor)
        print(f"{engine:8} hello, submit to finished {spread(ours)}")
        print(f"{'':8} floor                      {spread(floor)}")
        print(f"{'':8} over the floor             {over * 1000:9.1f} ms")
    print(load())


if __name__ == "__main__":
    main()
