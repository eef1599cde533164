"""Getting back to a run: from another process, while it goes on or after its own process died."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import NotFound
from batchai_scenario.scenarios.record.model import DETACHED, FAILED, INTERRUPTED, SUCCEEDED
from batchai_scenario.scenarios.record.record import now
from batchai_scenario.scenarios.run.finish import (
    clean_up,
    collect,
    files_of,
    find_job,
    finished,
    note_status,
    nothing,
)
from batchai_scenario.scenarios.run.follow import Follower
from batchai_scenario.scenarios.run.waiting import PollInterval, Retrying, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchai_scenario.backends.base import Backend, OutputFile
    from batchai_scenario.scenarios.record.model import JobPart
    from batchai_scenario.scenarios.record.record import Run
    from batchai_scenario.scenarios.report.events import Event, Finished


def settle(
    run: Run, backend: Backend, emit: Callable[[Event], None], check: Callable[[], None] = nothing
) -> Finished | None:
    """Finish a detached run if its jobs have ended: look at what they left, clean up, write the end down.

    Gives None, and changes nothing but states, if a job still runs or another process owns the run.
    ``check`` is called again and again; what it raises ends the work, and the run stays detached.
    """
    if not run.own():
        return None
    try:
        run.reload()
        return None if run.record.final else _settle_owned(run, backend, emit, check)
    finally:
        run.release()


def _settle_owned(
    run: Run, backend: Backend, emit: Callable[[Event], None], check: Callable[[], None]
) -> Finished | None:
    record = run.record
    reasons: list[str] = []
    if record.sweep and not (record.sweep.planned and all(job.submitted for job in record.jobs.values())):
        return None  # it is not at its end: 'scenario sweep --resume' goes on with it
    for name, job in record.jobs.items():
        if record.sweep and job.reasons is not None:
            reasons += job.reasons
            continue
        if not job.submitted:
            reasons.append(f"the run's process ended before it submitted job {name}")
            continue
        if not _refresh(run, backend, name, job):
            return None
        if job.final:
            reasons += collect(backend, run, name, emit, check)
        else:
            reasons.append(f"job {name} is not there any more")
    return _close(run, backend, FAILED if reasons else SUCCEEDED, 1 if reasons else 0, reasons)


def _refresh(run: Run, backend: Backend, name: str, job: JobPart) -> bool:
    """Write down where a job stands; False if it still runs."""
    if job.deleted:
        return True
    status = find_job(backend, run.record, name, job)
    if status is None:
        return True
    note_status(run.record, job, status)
    run.save(name)
    return status.state.final


def _close(run: Run, backend: Backend, state: str, exit_code: int, reasons: list[str]) -> Finished:
    record = run.record
    if not record.keep:
        problems = clean_up(backend, run)
        reasons = [*reasons, *problems]
        exit_code = exit_code or (4 if problems else 0)
    record.state = state if exit_code in (0, 130) else FAILED
    record.exit_code, record.reasons, record.ended_at = exit_code, reasons, now()
    run.save()
    return finished(run, record.state, exit_code, reasons)


def stop(run: Run, backend: Backend, emit: Callable[[Event], None]) -> Finished:
    """End a run that nobody owns (its jobs are terminated), or delete what a finished run kept.

    The caller owns the run.
    """
    record = run.record
    if record.final:
        record.keep = False
        problems = clean_up(backend, run)
        return finished(run, record.state, 4 if problems else 0, problems)
    reasons = ["stopped"]
    for name, job in record.jobs.items():
        known = job.submitted and not (record.sweep and job.reasons is not None)
        status = find_job(backend, record, name, job) if known else None
        if status is None:
            continue
        if not status.state.final:
            backend.terminate(status.id)
            status = backend.get_job(status.id)
        note_status(record, job, status)
        collect(backend, run, name, emit)
    record.keep = False
    return _close(run, backend, INTERRUPTED, 130, reasons)


def show_logs(
    run: Run,
    backend: Backend,
    emit: Callable[[Event], None],
    only: Sequence[str] = (),
    wanted: Callable[[OutputFile], bool] = lambda _: True,
    *,
    tail: int | None = None,
) -> set[str]:
    """Pass on the logs of all jobs as they are now, or the last lines of each file with ``tail``.

    Gives the names of the files that there are.
    """
    names: set[str] = set()
    for name, job in run.record.jobs.items():
        if job.submitted:
            follower = Follower(name, files_of(backend, job), emit, only=only, wanted=wanted, tail=tail)
            follower.look(last=True)
            names |= follower.names
    return names


def follow_logs(
    run: Run,
    backend: Backend,
    emit: Callable[[Event], None],
    waiting: Waiting,
    tell: Callable[[str], None],
    *,
    only: Sequence[str] = (),
    wanted: Callable[[OutputFile], bool] = lambda _: True,
    tail: int | None = None,
    looked: Callable[[], None] = nothing,
) -> set[str]:
    """Pass on the logs of all jobs, and what is added to them until they have ended.

    They begin at the first byte, or those of the first job at the last lines of each file with ``tail``.
    Works beside the process that owns the run, and also when that one deletes the job meanwhile. ``looked``
    is called after every look. Gives the names of the files that there are.

    Raises:
        Interrupted: The user wants to stop; the job goes on.
    """
    patience = Retrying(waiting, tell)
    names: set[str] = set()
    for name in list(run.record.jobs):
        job = _wait_for_job(run, name, waiting)
        if job is None:
            continue
        follower = Follower(name, files_of(backend, job), emit, only=only, wanted=wanted, tail=tail)
        tail = None  # what comes after the first look is new
        rhythm = PollInterval(waiting, backend.wait_hint())
        ended = False
        while not ended:
            ended = patience(lambda job=job: _has_ended(backend, job))  # type: ignore[misc]
            patience(lambda follower=follower, ended=ended: follower.look(last=ended))  # type: ignore[misc]
            looked()
            if not ended:
                rhythm.pause()
        names |= follower.names
    return names


def _has_ended(backend: Backend, job: JobPart) -> bool:
    if job.deleted or job.final:
        return True
    try:
        return backend.get_job(job.id).state.final
    except NotFound:  # deleted: it ended, and its files are on the share
        return True


def _wait_for_job(run: Run, name: str, waiting: Waiting) -> JobPart | None:
    """Wait until the job is known to the service and its folders are known; None if it never will be."""
    while True:
        run.reload()
        job = run.record.jobs[name]
        if job.id and (job.folders or job.final):
            return job
        if run.record.final or run.state == DETACHED:
            return job if job.id else None
        waiting.pause(0.2)
