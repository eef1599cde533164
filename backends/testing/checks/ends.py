"""Checks of chapters B6, B7 and B9: termination, deletion, secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.base import ClusterSpec, JobSpec, JobState
from batchai_scenario.backends.errors import NotFound
from batchai_scenario.backends.testing.verdicts import refuses, same
from batchai_scenario.backends.testing.vocabulary import PLAIN, SECRET
from batchai_scenario.backends.testing.world import CLUSTER, UnprobedError, codes, variables

if TYPE_CHECKING:
    from batchai_scenario.backends.testing.world import World


def b6_1_a_terminated_job_has_failed(world: World) -> None:
    """Terminate a job that runs."""
    world.cluster()
    job = world.running()
    world.backend.terminate(job.id)
    end = world.backend.get_job(job.id)
    same((end.state, end.exit_code, codes(end)), (JobState.FAILED, None, ["JobTerminated"]))


def b6_2_nothing_of_a_terminated_job_runs(world: World) -> None:
    """Terminate a job that runs: its processes are gone, and its node takes the next job."""
    world.cluster()
    job = world.running()
    if world.probes:
        world.until("a job that the probe sees running", world.probes.running)
    world.backend.terminate(job.id)
    if world.probes:
        same(world.probes.running(), [], "what runs on")
    world.idle()


def b6_3_a_queued_job_that_is_terminated_never_runs(world: World) -> None:
    """Terminate a job that waits, give its cluster room, and look for what it would have written."""
    world.cluster()
    first = world.running("grow", "first")
    waiting = world.submit("write", "waiting")
    same(waiting.state, JobState.QUEUED, "state of a job without a node")
    world.backend.terminate(waiting.id)
    end = world.backend.get_job(waiting.id)
    same((end.state, end.exit_code, codes(end)), (JobState.FAILED, None, ["JobTerminated"]))
    world.put("data/go", "")
    world.end(first)
    world.end(world.submit("succeed", "last"))
    same(world.backend.list_outputs(waiting.id, "MODEL"), [], "files of a job that must not run")


def b6_4_terminating_a_finished_job_changes_nothing(world: World) -> None:
    """Terminate jobs that have ended."""
    world.cluster()
    for program in ("succeed", "fail"):
        before = world.run(program)
        world.backend.terminate(before.id)
        after = world.backend.get_job(before.id)
        same((after.state, codes(after)), (before.state, codes(before)), f"the job {program!r}")


def b6_5_terminating_nothing_is_not_found(world: World) -> None:
    """Terminate a job that was never there, and one that was deleted."""
    world.cluster()
    job = world.run("succeed")
    with refuses(NotFound, "terminating a job that never was"):
        world.backend.terminate(job.id + "-not")
    world.backend.delete_job(job.id)
    with refuses(NotFound, "terminating a job that was deleted"):
        world.backend.terminate(job.id)


def b7_1_deleting_ends_a_running_job(world: World) -> None:
    """Delete a job that runs: it is gone, and so is what it ran."""
    world.cluster()
    job = world.running()
    world.backend.delete_job(job.id)
    if world.probes:
        same(world.probes.running(), [], "what runs on")
    with refuses(NotFound, "reading a deleted job"):
        world.backend.get_job(job.id)
    same(world.backend.list_jobs(world.place), [], "jobs")
    world.idle()


def b7_2_deleting_nothing_is_no_error(world: World) -> None:
    """Delete job, cluster and place before they are there, and twice."""
    backend = world.backend
    backend.delete_place(world.place)
    backend.ensure_place(world.place)
    backend.delete_cluster(world.place, CLUSTER)
    backend.delete_job("no id at all")
    world.cluster()
    job = world.run("succeed")
    for _ in range(2):
        backend.delete_job(job.id)
    for _ in range(2):
        backend.delete_cluster(world.place, CLUSTER)
    for _ in range(2):
        backend.delete_place(world.place)


def b7_3_deleting_a_cluster_leaves_nothing_of_it(world: World) -> None:
    """Delete a cluster with a running and a queued job."""
    before = world.probes.left() if world.probes else []
    world.cluster()
    jobs = [world.running("endless", "first"), world.submit("succeed", "second")]
    world.backend.delete_cluster(world.place, CLUSTER)
    with refuses(NotFound, "reading a deleted cluster"):
        world.backend.get_cluster(world.place, CLUSTER)
    states = [world.backend.get_job(job.id).state for job in jobs]
    same(states, [JobState.FAILED] * 2, "states of its jobs")
    if world.probes:
        same([thing for thing in world.probes.left() if thing not in before], [], "what is left")


def b7_4_files_outlive_their_job(world: World) -> None:
    """Delete job and cluster, and read the job's files from the share."""
    world.cluster()
    job = world.run("write")
    world.backend.delete_job(job.id)
    world.backend.delete_cluster(world.place, CLUSTER)
    same(world.share_text(f"{job.segment}/outputs/Models/deep/one.bin"), "model")


def b7_5_deleting_a_place_spares_others(world: World) -> None:
    """Delete one of two places, make it again, and look at both."""
    backend, other = world.backend, world.another_place("-other")
    world.cluster(0)
    gone = world.submit("succeed")
    backend.ensure_place(other)
    backend.create_cluster(ClusterSpec(other, CLUSTER, world.cluster_body(0)))
    kept = backend.submit(JobSpec(other, "succeed", CLUSTER, world.job("succeed").properties))
    backend.delete_place(world.place)
    with refuses(NotFound, "reading a job of a deleted place"):
        backend.get_job(gone.id)
    same(backend.get_job(kept.id).id, kept.id)
    backend.ensure_place(world.place)
    same(backend.list_jobs(world.place), [], "jobs of a place made again")


def b9_1_no_method_gives_a_secret_back(world: World) -> None:
    """Give cluster and job secrets, and search all that the backend says of them."""
    backend = world.backend
    world.cluster()
    job = world.run(
        "variables",
        environmentVariables=variables({"PLAIN": PLAIN}),
        secrets=variables({"TOKEN": SECRET}),
    )
    said = {
        "get_job": repr(backend.get_job(job.id)),
        "list_jobs": repr(backend.list_jobs(world.place)),
        "get_cluster": repr(backend.get_cluster(world.place, CLUSTER)),
        "details": repr(backend.details()),
        "repr": repr(backend),
    }
    for directory in ("stdouterr", "MODEL"):
        for file in backend.list_outputs(job.id, directory):
            said[f"list_outputs: {file.path}"] = repr(file)
            if not file.is_directory:
                said[f"read_output: {file.path}"] = world.text(job, file.path, directory)
    same(sorted(where for where, text in said.items() if SECRET in text), [], "secrets in")


def b9_2_no_secret_shows_outside(world: World) -> None:
    """Search shares, home folder, engine and process table, while a job with a secret runs and after it."""
    if world.probes is None:
        raise UnprobedError("traces")
    world.cluster()
    job = world.speaking(secrets=variables({"TOKEN": SECRET}))
    same(world.probes.traces(SECRET), [], "secrets while the job runs")
    world.backend.terminate(job.id)
    same(world.probes.traces(SECRET), [], "secrets after the job")
