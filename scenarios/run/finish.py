"""The end of a job and of a run: what the job left, whether it is as expected, and cleaning up.

Whoever sees a job's end does this: the process that started the run, or another one that found it later.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import BackendError, NotFound, ScenarioError, UserError
from batchai_scenario.scenarios.definition.bodies import directory_ids, image_of, share_folders
from batchai_scenario.scenarios.definition.expect import check_metrics, check_outputs, check_state
from batchai_scenario.scenarios.definition.schema import ExpectSection
from batchai_scenario.scenarios.record.model import ErrorRecord, OutputRecord, StateRecord
from batchai_scenario.scenarios.record.record import metrics, now, timings
from batchai_scenario.scenarios.record.series import keep_measured
from batchai_scenario.scenarios.report.events import Checked, Finished, Metric, Notice, Output, Saved
from batchai_scenario.scenarios.report.text import clean
from batchai_scenario.scenarios.run.files import STANDARD, JobFiles, safe_target
from batchai_scenario.scenarios.run.follow import is_progress, is_service_log, notices
from batchai_scenario.schema.eventfiles import reader_of
from batchai_scenario.schema.measured import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from batchai_scenario.backends.base import Backend, JobStatus
    from batchai_scenario.scenarios.record.model import JobPart, RunRecord
    from batchai_scenario.scenarios.record.record import Run
    from batchai_scenario.scenarios.report.events import Event
    from batchai_scenario.scenarios.run.pieces import Piece

MOST_MEASURED, MOST_MEASURED_BYTES, MOST_MEASURED_POINTS = 50, 2 * MOST_BYTES, 500_000
"""Files of metrics of a job that are read, bytes of all of them, and points that are kept of all of them."""

LONGEST_SEARCHED = 1_000_000
"""Bytes of a standard output up to which it is searched for variables."""

_VARIABLE = re.compile(r"(AZ_BATCHAI_\w+)=(.*)")


def note_status(record: RunRecord, job: JobPart, status: JobStatus) -> None:
    """Write down where a job stands."""
    job.id = status.id
    job.state = status.state.value
    if not job.states or job.states[-1].state != job.state:
        job.states.append(StateRecord(state=job.state, at=now()))
    job.segment = status.segment or job.segment
    job.exit_code = status.exit_code
    job.created_at, job.started_at, job.ended_at = status.created_at, status.started_at, status.ended_at
    job.errors = [ErrorRecord.of(problem) for problem in status.errors]
    if job.segment:
        job.folders = share_folders(record.cluster.properties, job.properties, job.segment)


def nothing() -> None:
    """Let work go on: the check of those who are asked to stop by a signal that ends the process."""


def files_of(backend: Backend, job: JobPart, check: Callable[[], None] = nothing) -> JobFiles:
    """Give access to a job's files, wherever they are now; ``check`` raises what ends long work."""
    return JobFiles(backend, "" if job.deleted else job.id, job.folders, check)


def collect(
    backend: Backend,
    run: Run,
    name: str,
    emit: Callable[[Event], None],
    check: Callable[[], None] = nothing,
) -> list[str]:
    """Look at what a job that ended left, write it down, and check the expectations.

    Args:
        backend: Where the job is, or was.
        run: The run, owned by this process.
        name: The job's name.
        emit: Hears what was found.
        check: Called again and again; raises what ends the work (Ctrl-C).

    Returns:
        Sentences that say what is not as expected; empty if all is well.
    """
    record = run.record
    job = record.jobs[name]
    files = files_of(backend, job, check)
    if not job.notices:
        job.notices = list(_notices(files))
    about = [text for text in job.notices if text.startswith("image: ")]  # the last one says what was taken
    job.image = about[-1] if about else image_of(job.properties)
    job.outputs = _outputs(files, job)
    measured, is_whole = _measured(files, job.outputs)
    keep_measured(run.folder, name, measured)
    for text in _cut_short(files, is_whole=is_whole):
        job.notices.append(text)
        emit(Notice(name, text))
    expected = record.expect.get(name) or ExpectSection()
    present = {(output.directory, output.path) for output in job.outputs}

    def lines(directory: str, path: str) -> Iterable[Piece] | None:
        return files.lines(directory, path) if (directory, path) in present else None

    job.variables = _printed_variables(files, job.outputs)
    reasons: list[str] = []
    checks: list[Checked | Metric] = list(check_state(name, expected, job))
    as_expected = job.state == expected.execution_state
    if as_expected:
        checks += check_outputs(name, expected, job.outputs)
    if job.final:
        checks += check_metrics(name, expected, record.values(name), lines)
    for found in checks:
        if isinstance(found, Metric):
            job.metrics[found.name] = found.value
        elif not found.met:
            if reasons and not as_expected:  # a job that failed lacks the rest as well: no news
                continue
            reasons.append(found.text)
        emit(found)
    job.reasons = reasons
    run.save(name)
    return reasons


def _outputs(files: JobFiles, job: JobPart) -> list[OutputRecord]:
    """List all files in a job's output directories."""
    return [
        OutputRecord(directory=directory, path=file.path, size=file.size or 0)
        for directory in directory_ids(job.properties)
        for file in files.walk(directory)
    ]


def _cut_short(files: JobFiles, *, is_whole: bool) -> Iterator[str]:
    """Say what was not looked at whole: output directories, and files of metrics."""
    if not is_whole:
        yield "files of metrics: there are more, or larger ones, than are read"
    for directory, why in files.cut.items():
        yield f"output directory {directory} is not listed whole: {why}"


def _measured(files: JobFiles, outputs: Iterable[OutputRecord]) -> tuple[list[dict[str, Any]], bool]:
    """Read the files of metrics that a job wrote into its output directories; tell if that is all of them."""
    found: list[dict[str, Any]] = []
    left, points, is_whole = MOST_MEASURED_BYTES, 0, True
    readers = [
        (output, reader)
        for output in outputs
        if output.directory != STANDARD and (reader := reader_of(output.path)) is not None
    ]
    for output, reader in readers[:MOST_MEASURED]:
        allowed, taken = min(MOST_BYTES, left), 0
        if allowed <= 0 or points >= MOST_MEASURED_POINTS:
            return found, False
        with suppress(NotFound):
            for block in files.blocks(output.directory, output.path):
                reader.feed(block[: allowed - taken])
                taken += len(block)
                if taken > allowed:
                    is_whole = False
                    break
        left, points = left - taken, points + reader.kept
        found += reader.series(f"{output.directory}/{output.path}")
    return found, is_whole and len(readers) <= MOST_MEASURED


def _printed_variables(files: JobFiles, outputs: Iterable[OutputRecord]) -> dict[str, str]:
    """Read the service's variables that a job printed, as ``env`` prints them; long logs are not searched."""
    found: dict[str, str] = {}
    for output in outputs:
        if (output.directory, output.path) == (STANDARD, "stdout.txt") and output.size <= LONGEST_SEARCHED:
            for line in files.lines(STANDARD, output.path):
                match = _VARIABLE.fullmatch(line.text)
                if match:
                    found[match[1]] = clean(match[2])
    return found


def _notices(files: JobFiles) -> Iterator[str]:
    for item in files.list(STANDARD):
        if not item.is_directory and is_service_log(item.path):
            found = notices(line.text for line in files.lines(STANDARD, item.path))
            yield from (notice for notice in found if not is_progress(notice))


def download(
    backend: Backend,
    record: RunRecord,
    folder: Path,
    emit: Callable[[Event], None],
    check: Callable[[], None] = nothing,
) -> list[str]:
    """Save all output files to ``folder/<directory id>/...``; several jobs get a folder each.

    A file that cannot be saved does not keep the others from it.

    Returns:
        Sentences that name what could not be saved.

    Raises:
        BackendError: nobody answers any more.
    """
    problems: list[str] = []
    for name, job in record.jobs.items():
        if not job.submitted:
            continue
        files = files_of(backend, job, check)
        for directory in directory_ids(job.properties):
            for file in files.walk(directory):
                parts = (name, directory) if len(record.jobs) > 1 or record.sweep else (directory,)
                try:
                    target = safe_target(folder, *parts, file.path)
                    emit(Saved(str(target), files.save(directory, file, target)))
                except (BackendError, UserError, OSError, UnicodeError) as error:
                    if is_transient(error):
                        raise
                    problems.append(f"{directory}/{file.path} could not be saved: {error}")
        problems += [f"{directory} was not saved whole: {why}" for directory, why in files.cut.items()]
    return problems


def clean_up(backend: Backend, run: Run) -> list[str]:
    """Delete jobs, cluster and (if it is ours) the place; files on shares stay.

    Everything is tried, and what is done is written down at once, so that it may be called again.

    Returns:
        Sentences that say what could not be deleted.
    """
    record = run.record
    place = record.place.place
    problems: list[str] = []

    def attempt(what: str, work: Callable[[], None]) -> bool:
        try:
            work()
        except NotFound:
            pass
        except ScenarioError as error:
            problems.append(f"{what} could not be deleted: {error}")
            return False
        return True

    for name, job in record.jobs.items():
        if job.submitted and not job.deleted:
            job.deleted = attempt(f"job {name}", partial(_delete_job, backend, record, name, job))
            run.save(name)
    if record.cluster.requested and not record.cluster.deleted:
        cluster = record.cluster.name
        record.cluster.deleted = attempt(f"cluster {cluster}", lambda: backend.delete_cluster(place, cluster))
        run.save()
    if record.place.ours and record.place.requested and not record.place.deleted:
        record.place.deleted = attempt(f"workspace {place.workspace}", lambda: backend.delete_place(place))
    run.save()
    return problems


def _delete_job(backend: Backend, record: RunRecord, name: str, job: JobPart) -> None:
    status = find_job(backend, record, name, job)
    if status is not None:
        backend.delete_job(status.id)


def find_job(backend: Backend, record: RunRecord, name: str, job: JobPart) -> JobStatus | None:
    """Find a job by its id, or by name if the process died before it learned that; None if there is none."""
    try:
        if job.id:
            return backend.get_job(job.id)
        tail = f"/jobs/{name}".lower()
        return next(
            (item for item in backend.list_jobs(record.place.place) if item.id.lower().endswith(tail)), None
        )
    except NotFound:
        return None


def finished(run: Run, state: str, exit_code: int, reasons: Iterable[str], hint: str = "") -> Finished:
    """Make the last event from the record."""
    record = run.record
    return Finished(
        run=record.id,
        state=state,
        exit_code=exit_code,
        metrics=metrics(record),
        outputs=tuple(
            Output(name, output.directory, output.path, output.size)
            for name, job in record.jobs.items()
            for output in job.outputs
        ),
        timings=timings(record),
        jobs={
            name: {
                "state": job.state,
                "exitCode": job.exit_code,
                "errors": [error.model_dump(by_alias=True) for error in job.errors],
                **({"parameters": job.parameters, "metrics": job.metrics} if record.sweep else {}),
            }
            for name, job in record.jobs.items()
        },
        reasons=tuple(reasons),
        hint=hint,
        folder=str(run.folder),
    )


def error_of(error: BaseException) -> tuple[int, list[str]]:
    """Give the exit code and the sentences for an error that ended a run."""
    if isinstance(error, ScenarioError):
        reasons = list(getattr(error, "reasons", ())) or [str(error)]
        return error.exit_code, reasons
    return 70, [f"{type(error).__name__}: {error}"]


def is_transient(error: BaseException | None) -> bool:
    """Tell whether the backend may answer again later."""
    return isinstance(error, BackendError) and error.transient
