"""Checks of the powers that a backend may declare: resizing, GPUs, several nodes, faults, readying."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from batchai_scenario.backends.base import JobState
from batchai_scenario.backends.testing.verdicts import holds, same
from batchai_scenario.backends.testing.world import CLUSTER, codes

if TYPE_CHECKING:
    from batchai_scenario.backends.powers import InjectsFaults, ReadiesMachine, ResizesClusters
    from batchai_scenario.backends.testing.world import World


def r_1_resizes_to_nothing_and_back(world: World) -> None:
    """Take the node away and give it back."""
    resizer = cast("ResizesClusters", world.backend)
    first = world.cluster(1)
    for nodes in (0, 1):
        resizer.resize_cluster(world.place, CLUSTER, nodes)
        status = world.idle(nodes)
        same((status.id, status.target), (first.id, nodes), "id and target")


def g_1_a_job_knows_its_gpus(world: World) -> None:
    """Let a job write how many GPUs it was given."""
    world.cluster()
    said = world.text(world.run("gpus"), "gpus", "MODEL")
    holds(said.isdecimal(), f"AZ_BATCHAI_NUM_GPUS is {said!r}, which is no number")


def g_2_cuda_sees_as_many_gpus_as_a_job_has(world: World) -> None:
    """Let a job write how many GPUs it was given, and which CUDA may use."""
    world.cluster()
    job = world.run("gpus")
    told, cuda = (world.text(job, name, "MODEL") for name in ("gpus", "cuda"))
    if told.isdecimal() and cuda != "unset":
        same(len([name for name in cuda.split(",") if name]), int(told), "GPUs in CUDA_VISIBLE_DEVICES")


def g_3_no_two_nodes_have_one_gpu(world: World) -> None:
    """Let a job on each node tell which GPUs it has, all at the same time."""
    nodes = world.some_nodes(2)
    jobs = [world.running("devices", f"node-{number}") for number in range(nodes)]
    world.put("data/go")
    seen: list[str] = []
    for job in map(world.end, jobs):
        has, own = (world.text(job, name, "MODEL") for name in ("has", "own"))
        same(len(own.splitlines()), int(has or 0), "GPUs that nvidia-smi lists for the job")
        seen += own.splitlines()
    same(sorted(seen), sorted(set(seen)), f"GPUs of {nodes} nodes, each once")


def n_1_two_nodes_run_two_jobs(world: World) -> None:
    """Start two jobs that do not end on two nodes."""
    world.cluster(2)
    jobs = [world.running("endless", name) for name in ("one", "other")]
    states = [world.backend.get_job(job.id).state for job in jobs]
    same(states, [JobState.RUNNING] * 2, "states")
    for job in jobs:
        world.backend.terminate(job.id)


def n_2_a_job_of_two_nodes_has_both(world: World) -> None:
    """Start a job on both nodes and another that needs one; then let the first end."""
    world.cluster(2)
    wide = world.running("grow", "wide", nodeCount=2)
    narrow = world.submit("succeed", "narrow")
    states = [world.backend.get_job(job.id).state for job in (wide, narrow)]
    same(states, [JobState.RUNNING, JobState.QUEUED], "states")
    world.put("data/go", "")
    same([world.end(job).state for job in (wide, narrow)], [JobState.SUCCEEDED] * 2, "states in the end")


def n_3_a_job_of_two_nodes_ends_with_its_command(world: World) -> None:
    """Run a command that fails on two nodes, twice: the nodes are free again."""
    world.cluster(2)
    for name in ("first", "second"):
        job = world.run("fail", name, nodeCount=2)
        same((job.state, codes(job)), (JobState.FAILED, ["JobFailed"]), "state and errors")
    world.idle(2)


def f_1_faults_are_listed(world: World) -> None:
    """Ask which faults the backend can be told to make."""
    faults = cast("InjectsFaults", world.backend).faults()
    holds(faults, "a backend that declares faults lists none")
    holds(all(name and text for name, text in faults.items()), f"without a sentence: {faults}")


def m_1_a_ready_machine_lacks_nothing(world: World) -> None:
    """Ready the machine for a job of the vocabulary, whose cluster does not exist."""
    readies = cast("ReadiesMachine", world.backend)
    jobs = [world.job("endless").properties]
    readies.ready(jobs, lambda _: None, lambda *_: None)
    same(readies.lacks(jobs), (), "what is lacking")
    holds(world.backend.ensure_place(world.place), "the resource group was there")
