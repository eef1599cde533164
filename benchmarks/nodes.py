"""`hello` on 1, 2, 4 and 8 nodes against the bare cycle of as many containers, and 16 jobs on 4 nodes.

    python benchmarks/nodes.py [--rounds 5] [--engine docker] [--engine process] [--image IMAGE]

Submit to finished; the cluster is there before. The floor with Docker is create, start, wait and remove of
as many containers at the same time, on a bridge network of their own; without, as many shells. Target: each
doubling costs at most 150 ms more over the floor.

Then 16 jobs of a second each on 4 nodes: how long a node stands idle from the end of a job's command to the
beginning of the next one's. Target: 300 ms (process), 600 ms (Docker).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from common import load, spread, timed
from hello import bare_of

from batchai_scenario.backends.base import BackendOptions, ClusterSpec, JobSpec, Place
from batchai_scenario.backends.local import open_backend

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.backends.base import Backend

PLACE = Place("bench", "eastus", "bench", "bench")
SHARE = {
    "accountName": "$STORAGE_ACCOUNT",
    "azureFileUrl": "$STORAGE_URL/bench",
    "credentials": {"accountKey": "$STORAGE_KEY"},
    "relativeMountPath": "files",
}
MOST = 8


def hello(backend: Backend, name: str, nodes: int, image: str) -> float:
    """Run a job on some nodes; gives seconds until it is seen finished."""
    body = {
        "nodeCount": nodes,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files",
        "containerSettings": {"imageSourceRegistry": {"image": image}},
        "customToolkitSettings": {"commandLine": "echo hello"},
    }
    begun = time.perf_counter()
    job = backend.submit(JobSpec(PLACE, name, "bench", body))
    while not job.state.final:
        time.sleep(0.03)  # to look more often costs a part of the machine that is measured
        job = backend.get_job(job.id)
    assert job.exit_code == 0, job
    return time.perf_counter() - begun


def gaps(backend: Backend, image: str, count: int = 16, nodes: int = 4) -> list[float]:
    """Run jobs of a second one after another on some nodes; gives the seconds that they were idle between."""
    now = "cut -d' ' -f1 /proc/uptime"
    body = {
        "nodeCount": 1,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files",
        "containerSettings": {"imageSourceRegistry": {"image": image}},
        "customToolkitSettings": {"commandLine": f"{now}; sleep 1; {now}"},
    }
    jobs = [backend.submit(JobSpec(PLACE, f"turn-{number}", "bench", body)).id for number in range(count)]
    while not all(backend.get_job(job).state.final for job in jobs):
        time.sleep(0.2)
    said = [b"".join(backend.read_output(job, "stdouterr", "stdout.txt")).split() for job in jobs]
    begun, ended = (sorted(float(times[place]) for times in said) for place in (0, 1))
    return [start - end for start, end in zip(begun[nodes:], ended, strict=False)]


def idle(backend: Backend, nodes: int = MOST) -> None:
    """Wait until every node is idle."""
    while backend.get_cluster(PLACE, "bench").nodes.get("idle") != nodes:
        time.sleep(0.02)


def floor(bare: Callable[[str], None], nodes: int, image: str) -> float:
    """Do what the engine has to do at least, for each node, at the same time."""
    with ThreadPoolExecutor(nodes) as pool:
        return timed(lambda: list(pool.map(bare, [image] * nodes)))


def measure(engine: str, image: str, rounds: int) -> None:
    """Measure one engine and print."""
    with tempfile.TemporaryDirectory() as folder, bare_of(engine) as bare:
        backend = open_backend(BackendOptions(home=Path(folder) / "home", values={"engine": engine}))
        try:
            backend.ensure_place(PLACE)
            backend.ensure_share("bench")
            properties = {
                "vmSize": "STANDARD_D1",
                "scaleSettings": {"manual": {"targetNodeCount": MOST}},
                "userAccountSettings": {"adminUserName": "bench", "adminUserPassword": "not-used-here-1"},
                "nodeSetup": {"mountVolumes": {"azureFileShares": [SHARE]}},
            }
            backend.create_cluster(ClusterSpec(PLACE, "bench", properties))
            for nodes in (1, 2, 4, MOST):
                ours, least = [], []
                for number in range(rounds + 1):  # the first is a warm-up
                    idle(backend)
                    ours.append(hello(backend, f"hello-{nodes}-{number}", nodes, image))
                    least.append(floor(bare, nodes, image))
                taken, bound = statistics.median(ours[1:]), statistics.median(least[1:])
                print(
                    f"{engine:8} {nodes} nodes: {taken * 1000:6.0f} ms, floor {bound * 1000:6.0f} ms, "
                    f"over it {(taken - bound) * 1000:6.0f} ms"
                )
            idle(backend)
            backend.resize_cluster(PLACE, "bench", 4)
            idle(backend, 4)
            between = gaps(backend, image)
            print(f"{engine:8} 16 jobs on 4 nodes, idle between two: {spread(between)}")
            backend.delete_cluster(PLACE, "bench")
            time.sleep(1)
        finally:
            backend.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine", action="append", choices=["docker", "process"])
    parser.add_argument("--image", default="scenario-test:busybox")
    options = parser.parse_args()
    print(load())
    for engine in options.engine or ["docker", "process"]:
        measure(engine, options.image, options.rounds)


if __name__ == "__main__":
    main()
