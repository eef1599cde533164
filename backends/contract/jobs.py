"""Checks of rules B3 to B10: jobs and their outputs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from backends.base import JobState
from backends.contract.world import (
    LINES,
    SECRET,
    SHARE,
    codes,
    holds,
    refuses,
    same,
    text,
)
from backends.errors import InvalidSpec, NotFound

if TYPE_CHECKING:
    from backends.base import Backend, JobStatus
    from backends.contract.world import World


def _running(world: World, backend: Backend, name: str) -> JobStatus:
    """Submit a job that does not end, and wait until it runs."""
    job = world.submit(backend, "endless", name)
    return world.wait(backend, job, lambda seen: seen.state is JobState.RUNNING)[-1]


def b3_submitting_twice_gives_the_same_job(world: World) -> None:
    """Submit another body under a name that is taken: the first job is given back."""
    backend = world.open()
    world.cluster(backend)
    first = world.submit(backend, "succeed", "job")
    same(world.submit(backend, "fail", "job").id, first.id)
    ended = world.wait(backend, first, lambda seen: seen.state.final)[-1]
    same(ended.state, JobState.SUCCEEDED)
    same(world.submit(backend, "fail", "job"), ended)
    same([job.id for job in backend.list_jobs(world.place)], [first.id])


def b3_refuses_a_job_by_property(world: World) -> None:
    """Send a misspelt property, a wrong type, and the storage key where it could be read."""
    backend = world.open()
    world.cluster(backend)
    exposed = [{"name": "A", "value": "$STORAGE_KEY"}]
    with refuses(InvalidSpec) as refusal:
        world.submit(backend, "succeed", "job", nodeCounts=1)
    same(refusal.field, "properties.nodeCounts")
    with refuses(InvalidSpec) as refusal:
        world.submit(backend, "succeed", "job", nodeCount="one")
    same(refusal.field, "properties.nodeCount")
    with refuses(InvalidSpec) as refusal:
        world.submit(backend, "succeed", "job", environmentVariables=exposed)
    same(refusal.field, "properties.environmentVariables[0].value")
    same(backend.list_jobs(world.place), [])


def b4_states_move_forward_to_the_commands_own_end(world: World) -> None:
    """Run commands that succeed, fail and do not exist: each ends once, as it ended."""
    backend = world.open()
    world.cluster(backend)
    order = list(JobState)
    for program, code in (("succeed", 0), ("fail", 3), ("missing", 127)):
        seen = world.wait(backend, world.submit(backend, program), lambda look: look.state.final)
        steps = [order.index(look.state) for look in seen]
        same(steps, sorted(steps))
        same([look.exit_code for look in seen[:-1]], [None] * (len(seen) - 1))
        end = seen[-1]
        same(end.exit_code, code)
        same(end.state, JobState.FAILED if code else JobState.SUCCEEDED)
        same(codes(end), ["JobFailed"] if code else [])
        if end.started_at is None or end.ended_at is None:
            holds(found=False, what=f"a job that ran has no times: {end}")
        else:
            holds(end.created_at <= end.started_at <= end.ended_at, f"times run back: {end}")
        same(backend.get_job(end.id), end)


def b4_a_failed_preparation_fails_the_job(world: World) -> None:
    """Let the preparation fail: the command never runs, and the job has the preparation's code."""
    backend = world.open()
    world.cluster(backend)
    preparation = {"commandLine": "echo before the end; exit 3"}
    end = world.run(backend, "succeed", jobPreparation=preparation)
    same((end.state, end.exit_code), (JobState.FAILED, 3))
    same(codes(end), ["JobPreparationFailed"])


def b5_outputs_are_whole_to_the_last_byte(world: World) -> None:
    """Write two thousand lines and a last one without its newline."""
    backend = world.open()
    world.cluster(backend)
    job = world.run(backend, "count")
    whole = LINES + "no newline"
    same(text(backend, job, "stdout.txt"), whole)
    same(text(world.open(), job, "stdout.txt", offset=len(LINES)), "no newline")
    same(text(backend, job, "stdout.txt", offset=len(whole)), "")
    same(text(backend, job, "stderr.txt"), "")
    files = backend.list_outputs(job.id, "stdouterr")
    sizes = {file.path: file.size for file in files}
    same(list(sizes), sorted(sizes))
    same((sizes["stdout.txt"], sizes["stderr.txt"]), (len(whole), 0))


def b5_output_directories_are_listed_by_level(world: World) -> None:
    """Write into an output directory: its levels are listed, and the files stand on the share."""
    backend = world.open()
    world.cluster(backend)
    job = world.run(backend, "write")
    same(job.state, JobState.SUCCEEDED)
    top = backend.list_outputs(job.id, "MODEL")
    same([(file.path, file.size) for file in top], [("deep", None), ("empty", 0)])
    inner = backend.list_outputs(job.id, "MODEL", "deep")
    same([(file.path, file.size) for file in inner], [("deep/one.bin", 5)])
    same(text(backend, job, "deep/one.bin", "MODEL"), "model")
    same(text(backend, job, "empty", "MODEL"), "")
    where = f"{job.segment}/outputs/Models/deep/one.bin"
    same(b"".join(backend.read_share(SHARE, where)), b"model")
    for directory, path in (("MODEL", "nothing"), ("stdouterr", "nothing.txt"), ("OTHER", "stdout.txt")):
        with refuses(NotFound):
            text(backend, job, path, directory)
    with refuses(NotFound):
        backend.list_outputs(job.id, "OTHER")


def b5_outputs_are_read_while_the_job_runs(world: World) -> None:
    """Read the output of a job that does not end."""
    backend = world.open()
    world.cluster(backend)
    job = _running(world, backend, "job")

    def begun(_: JobStatus) -> bool:
        with contextlib.suppress(NotFound):
            return text(backend, job, "stdout.txt").startswith("sta")
        return False

    world.wait(backend, job, begun)
    same(backend.get_job(job.id).state, JobState.RUNNING)
    backend.delete_job(job.id)


def b6_terminating_ends_a_job_without_exit_code(world: World) -> None:
    """Terminate a queued job, a running one, one that ended and one that never was."""
    backend = world.open()
    world.cluster(backend)
    running = _running(world, backend, "running")
    queued = world.submit(backend, "succeed", "queued")
    same(queued.state, JobState.QUEUED)
    for job in (queued, running):
        backend.terminate(job.id)
        end = backend.get_job(job.id)
        same((end.state, end.exit_code), (JobState.FAILED, None))
        same(codes(end), ["JobTerminated"])
    done = world.run(backend, "succeed", "done")
    backend.terminate(done.id)
    same(backend.get_job(done.id), done)
    with refuses(NotFound):
        backend.terminate(done.id + "-not")


def b7_deleting_ends_what_runs_and_keeps_files(world: World) -> None:
    """Delete a running job, then a cluster with one, each twice; the files of a job outlive it."""
    backend = world.open()
    world.cluster(backend)
    kept = world.run(backend, "succeed", "kept")
    running = _running(world, backend, "running")
    backend.delete_job(running.id)
    backend.delete_job(running.id)
    with refuses(NotFound):
        backend.get_job(running.id)
    other = _running(world, backend, "other")
    backend.delete_cluster(world.place, "nodes")
    backend.delete_cluster(world.place, "nodes")
    with refuses(NotFound):
        backend.get_cluster(world.place, "nodes")
    same(backend.get_job(other.id).state, JobState.FAILED)
    same(backend.get_job(kept.id), kept)
    backend.delete_job(kept.id)
    where = f"{kept.segment}/stdouterr/stdout.txt"
    same(b"".join(backend.read_share(SHARE, where)), b"all is well\n")


def b7_deleting_a_place_deletes_all_in_it(world: World) -> None:
    """Delete a place twice, and make it again: it is empty."""
    backend = world.open()
    world.cluster(backend)
    job = world.run(backend, "succeed")
    backend.delete_place(world.place)
    backend.delete_place(world.place)
    with refuses(NotFound):
        backend.get_job(job.id)
    same(backend.ensure_place(world.place), wanted=True)
    same(backend.list_jobs(world.place), [])


def b8_another_process_finds_everything(world: World) -> None:
    """Find place, cluster, job and outputs by name and id alone."""
    backend = world.open()
    world.cluster(backend)
    job = world.run(backend, "succeed")
    other = world.open()
    same(other.get_job(job.id), job)
    same([seen.id for seen in other.list_jobs(world.place)], [job.id])
    same(other.get_cluster(world.place, "nodes").target, 1)
    same(text(other, job, "stdout.txt"), "all is well\n")
    with refuses(NotFound):
        other.get_job("no id at all")


def b9_secrets_never_come_back(world: World) -> None:
    """Give a job a secret that reaches it: nothing that the backend says has it."""
    backend = world.open()
    world.cluster(backend)
    job = world.run(
        backend,
        "secret",
        environmentVariables=[{"name": "PLAIN", "value": "seen"}],
        secrets=[{"name": "TOKEN", "value": SECRET}],
    )
    same(job.state, JobState.SUCCEEDED)
    logs = [file.path for file in backend.list_outputs(job.id, "stdouterr") if file.size is not None]
    for said in (
        repr(job),
        repr(backend.get_cluster(world.place, "nodes")),
        repr(backend.details()),
        repr(backend.list_jobs(world.place)),
        repr(backend),
        *(text(backend, job, log) for log in logs),
    ):
        holds(SECRET not in said, "a secret came back")


def b10_jobs_go_on_when_a_backend_is_closed(world: World) -> None:
    """Close the backend that submitted a job: the job ends by itself."""
    backend = world.open()
    world.cluster(backend)
    job = world.submit(backend, "succeed")
    backend.close()
    other = world.open()
    ended = world.wait(other, other.get_job(job.id), lambda seen: seen.state.final)[-1]
    same((ended.state, ended.exit_code), (JobState.SUCCEEDED, 0))
