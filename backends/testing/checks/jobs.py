"""Checks of chapters B3, B4, B13 and B14: submission, states, the queue, the time limit."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import JobState
from batchai_scenario.backends.testing.verdicts import holds, same
from batchai_scenario.backends.testing.world import codes

if TYPE_CHECKING:
    from batchai_scenario.backends.base import JobStatus
    from batchai_scenario.backends.testing.world import World

ORDER = list(JobState)


def b3_1_submitting_twice_gives_the_same_job(world: World) -> None:
    """Submit another body under a name that is taken, before and after the job's end."""
    world.cluster()
    first = world.submit("succeed", "job")
    same(world.submit("fail", "job").id, first.id, "id of the second submission")
    world.end(first)
    same(world.submit("fail", "job").segment, first.segment, "segment of the third submission")
    same([job.id for job in world.backend.list_jobs(world.place)], [first.id], "jobs")


def b3_2_a_submitted_job_is_there(world: World) -> None:
    """Read and list a job as soon as it was submitted, also where no node will ever run it."""
    world.cluster(0)
    job = world.submit("succeed")
    same(job.state, JobState.QUEUED, "state on a cluster without nodes")
    same(world.client().get_job(job.id).id, job.id)
    same([seen.id for seen in world.backend.list_jobs(world.place)], [job.id], "jobs")


def b3_3_jobs_are_listed_by_age(world: World) -> None:
    """List jobs whose names do not sort by age."""
    world.cluster(0)
    made = [world.submit("succeed", name).id for name in ("zebra", "ant", "mouse")]
    same([job.id for job in world.backend.list_jobs(world.place)], made, "jobs")


def b4_1_states_only_move_forward(world: World) -> None:
    """Watch jobs that succeed and fail, from submission to some looks after the end."""
    world.cluster()
    for program in ("succeed", "fail"):
        seen = world.watch(world.submit(program), lambda look: look.state.final)
        seen += [world.backend.get_job(seen[-1].id) for _ in range(3)]
        steps = [ORDER.index(look.state) for look in seen]
        same(steps, sorted(steps), f"states of the job {program!r}")


def b4_2_ends_once(world: World) -> None:
    """Look at an end several times, from two clients and through the list."""
    world.cluster()
    for program in ("succeed", "fail"):
        job = world.run(program)
        looks = [world.backend.get_job(job.id) for _ in range(3)] + [world.client().get_job(job.id)]
        looks += [seen for seen in world.backend.list_jobs(world.place) if seen.id == job.id]
        same(looks, [job] * 5, "what is said of the end")


def b4_3_keeps_the_exit_code(world: World) -> None:
    """Run commands that end with 0, with 3, by a signal, and that do not exist; then a preparation."""
    world.cluster()
    for program, code in (("succeed", 0), ("fail", 3), ("killed", 137), ("missing", 127)):
        seen = world.watch(world.submit(program), lambda look: look.state.final)
        same(seen[-1].exit_code, code, f"exit code of {program!r}")
        same(
            {look.exit_code for look in seen if not look.state.final} - {None}, set(), "codes before the end"
        )
    same(_failed_preparation(world).exit_code, 3, "exit code of a preparation")


def b4_4_is_not_final_while_the_command_runs(world: World) -> None:
    """Look at a command that does not end."""
    world.cluster()
    job = world.running()
    for _ in range(10):
        same(world.backend.get_job(job.id).state, JobState.RUNNING, "state of a command that runs")
        world.bench.pause(min(world.backend.wait_hint(), 0.05))
    world.backend.terminate(job.id)


def b4_5_success_is_a_command_that_ended_with_0(world: World) -> None:
    """Run commands that succeed, fail, are killed and do not exist."""
    world.cluster()
    for program in ("succeed", "fail", "killed", "missing"):
        end = world.run(program)
        good = program == "succeed"
        same(end.state, JobState.SUCCEEDED if good else JobState.FAILED, f"state of {program!r}")
        same(codes(end), [] if good else ["JobFailed"], f"errors of {program!r}")


def b4_6_a_failed_preparation_fails_the_job(world: World) -> None:
    """Let the preparation fail: the command, which would write, never runs."""
    world.cluster()
    end = _failed_preparation(world)
    same((end.state, codes(end)), (JobState.FAILED, ["JobPreparationFailed"]))
    same(world.backend.list_outputs(end.id, "MODEL"), [], "files of a command that must not run")


def _failed_preparation(world: World) -> JobStatus:
    preparation = {"commandLine": world.bench.commands["fail"]}
    return world.run("write", "prepared", jobPreparation=preparation)


def b4_7_times_run_forward(world: World) -> None:
    """Compare the times of a job that ran."""
    world.cluster()
    end = world.run("succeed")
    if end.started_at is None or end.ended_at is None:
        holds(found=False, what=f"a job that ran has no times: {end}")
    else:
        holds(end.created_at <= end.started_at <= end.ended_at, f"times run back: {end}")


def _started(job: JobStatus) -> float:
    return job.started_at.timestamp() if job.started_at else 0.0


def b13_1_one_node_runs_one_job_at_a_time(world: World) -> None:
    """Submit three jobs at once: each starts when the one before has ended, the oldest first."""
    world.cluster()
    made = [world.submit("succeed", name) for name in ("zebra", "ant", "mouse")]
    ends = [world.end(job) for job in made]
    for one, other in pairwise(ends):
        ended = one.ended_at.timestamp() if one.ended_at else 0.0
        holds(ended <= _started(other), f"{other.id} started before {one.id} had ended")


def b13_2_the_highest_priority_is_next(world: World) -> None:
    """Keep the node busy while jobs of each priority are submitted, the lowest first."""
    world.cluster()
    first = world.running("grow", "first")
    waiting = [
        world.submit("succeed", f"{priority}-job", schedulingPriority=priority)
        for priority in ("low", "normal", "high")
    ]
    world.put("data/go", "")
    world.end(first)
    ends = sorted((world.end(job) for job in waiting), key=_started)
    ran = [job.id.rpartition("/")[2] for job in ends]
    same(ran, ["high-job", "normal-job", "low-job"], "order in which jobs ran")


def b14_1_a_time_limit_ends_a_job(world: World) -> None:
    """Give a job that does not end one second."""
    world.cluster()
    end = world.run("endless", constraints={"maxWallClockTime": "PT1S"})
    same((end.state, end.exit_code), (JobState.FAILED, None), "state and exit code")
    holds(codes(end), "a job that ran out of time has no error")
    if world.probes:
        same(world.probes.running(), [], "what runs on")
