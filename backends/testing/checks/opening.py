"""Checks of chapters B0, B1, B8 and B10: opening, creating, attaching, letting go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import ClusterSpec
from batchai_scenario.backends.errors import NotFound, UserError
from batchai_scenario.backends.testing.verdicts import holds, refuses, same
from batchai_scenario.backends.testing.world import CLUSTER, UnprobedError, codes

if TYPE_CHECKING:
    from batchai_scenario.backends.testing.world import World


def b0_1_opens_and_describes_itself(world: World) -> None:
    """Open the backend, and ask what it is and where."""
    backend = world.client()
    holds(backend.name, "the backend has no name")
    holds(backend.capabilities().max_nodes >= 1, "the largest cluster has less than one node")
    holds(backend.wait_hint() >= 0, "the wait between two looks is negative")
    said = backend.details()
    strings = all(isinstance(text, str) for entry in said.items() for text in entry)
    holds(strings, f"the details are no text: {said!r}")


def b0_2_refuses_an_unknown_option(world: World) -> None:
    """Open the backend with an option that it cannot have."""
    with refuses(UserError, "the option no_such_option") as refusal:
        world.bench.open({"no_such_option": "1"}).close()
    holds("no_such_option" in f"{refusal.field} {refusal.error}", f"not named: {refusal.error}")


def b1_1_creating_twice_keeps_what_exists(world: World) -> None:
    """Create place, share and cluster twice; what is in them stays."""
    backend = world.backend
    first = world.cluster()
    world.put("kept.txt", "kept")
    backend.ensure_place(world.place)
    backend.ensure_share(world.share)
    again = backend.create_cluster(ClusterSpec(world.place, CLUSTER, world.cluster_body()))
    same(again.id, first.id, "id of the cluster")
    same(world.share_text("kept.txt"), "kept")


def b1_2_says_whether_the_group_is_new(world: World) -> None:
    """Ensure a place twice."""
    same(world.backend.ensure_place(world.place), wanted=True, what="the first time")
    same(world.backend.ensure_place(world.place), wanted=False, what="the second time")


def b1_3_a_cluster_gets_its_nodes(world: World) -> None:
    """Create a cluster of no nodes, and one of one."""
    backend = world.backend
    same(world.cluster(0).target, 0, "target")
    backend.delete_cluster(world.place, CLUSTER)
    status = world.cluster(1)
    same((status.target, status.current), (1, 1), "target and current count")
    others = {state: count for state, count in status.nodes.items() if count and state != "idle"}
    same(others, {}, "nodes that are not idle")


def b8_1_another_client_finds_everything(world: World) -> None:
    """Find place, cluster, job and its outputs from another client."""
    world.cluster()
    job = world.run("succeed")
    other = world.client()
    same(other.ensure_place(world.place), wanted=False, what="the group is new")
    same(other.get_cluster(world.place, CLUSTER).id, world.backend.get_cluster(world.place, CLUSTER).id)
    found = other.get_job(job.id)
    same((found.id, found.state, found.segment), (job.id, job.state, job.segment))
    same([seen.id for seen in other.list_jobs(world.place)], [job.id])
    same(
        [file.path for file in other.list_outputs(job.id, "stdouterr") if "out" in file.path], ["stdout.txt"]
    )


def b8_2_another_process_attaches_by_id(world: World) -> None:
    """Start a process that knows the backend's options and the job's id, nothing else."""
    if world.bench.attach is None:
        raise UnprobedError("process")
    world.cluster()
    job = world.speaking()
    command = [sys.executable, "-m", "batchai_scenario.backends.testing.attach", *world.bench.attach, job.id]
    environment = {**os.environ, **world.bench.environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    same(done.returncode, 0, f"exit code of the other process, which said {done.stderr[-300:]!r}")
    seen = json.loads(done.stdout)
    same((seen["id"], seen["segment"]), (job.id, job.segment))
    holds("stdout.txt" in seen["files"], f"no stdout.txt among {seen['files']}")
    world.backend.terminate(job.id)


def b8_3_what_is_not_there_is_not_found(world: World) -> None:
    """Read a job and a cluster that do not exist."""
    backend = world.backend
    backend.ensure_place(world.place)
    with refuses(NotFound, "an id that is none"):
        backend.get_job("no id at all")
    with refuses(NotFound, "a cluster that is not there"):
        backend.get_cluster(world.place, CLUSTER)
    world.cluster()
    job = world.run("succeed")
    with refuses(NotFound, "the id of a job that is not there"):
        backend.get_job(job.id + "-not")


def b10_1_a_job_goes_on_without_its_client(world: World) -> None:
    """Submit a job from a client of its own, close that one, and watch from another."""
    world.cluster()
    client = world.client()
    job = client.submit(world.job("succeed"))
    client.close()
    world.clients.remove(client)
    same(codes(world.end(job)), [], "errors of a job whose client was closed")
