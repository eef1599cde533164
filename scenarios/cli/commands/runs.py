"""``scenario runs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from batchai_scenario.scenarios.cli.completing import run_ids
from batchai_scenario.scenarios.cli.options import json_option, option, refuse_beside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.record.model import RunRecord
    from batchai_scenario.scenarios.record.record import Run


@click.command()
@click.argument("run", required=False, shell_complete=run_ids)
@option("--newest", type=click.IntRange(min=1), metavar="N", help="List only the N newest runs.")
@click.option("--stop", is_flag=True, help="End a run that has no process any more, or delete what one kept.")
@json_option
@click.pass_obj
def runs(shared: dict[str, Any], run: str | None, *, newest: int | None, stop: bool, as_json: bool) -> int:
    """List the runs, or show one. RUN is an id, the beginning or the end of one, or 'last'.

    A run whose process is gone is detached: if its job has ended meanwhile, its record is completed now.
    """
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.cli.reattach import settle_detached
    from batchai_scenario.scenarios.record.record import find_run, read_runs

    console = Console(as_json=as_json)
    if run is None:
        if stop:
            raise click.UsageError("--stop needs a RUN")
        everything, unreadable = read_runs(shared["home"], newest)
        settle_detached(everything, shared)
        _list(console, everything, unreadable)
        return _complain(unreadable)
    refuse_beside("runs are listed where no RUN is named", "newest")
    one = find_run(shared["home"], run)
    if stop:
        return _stop(console, one, shared)
    settle_detached([one], shared)
    _show(console, one)
    return 0


def _complain(unreadable: Sequence[tuple[Path, str]]) -> int:
    """Say on standard error which records cannot be read; gives the exit code."""
    from batchai_scenario.scenarios.cli.console import complain
    from batchai_scenario.scenarios.record.record import REMEDY

    for folder, reason in unreadable:
        complain(f"{folder / 'run.json'}: {reason}", REMEDY)
    return 3 if unreadable else 0


def _stop(console: Console, run: Run, shared: dict[str, Any]) -> int:
    from batchai_scenario.backends.errors import UserError
    from batchai_scenario.scenarios.cli.reattach import opened
    from batchai_scenario.scenarios.run.attach import stop

    if not run.own():
        raise UserError(
            f"the run is owned by the living process {run.record.pid}", run.record.id, "press Ctrl-C there"
        )
    try:
        run.reload()
        reporter = console.reporter()
        with opened(run, shared) as backend:
            event = stop(run, backend, reporter.handle)
        reporter.handle(event)
        reporter.close()
    finally:
        run.release()
    return 4 if event.exit_code == 4 else 0  # noqa: PLR2004 - the backend's exit code


def _list(console: Console, everything: list[Run], unreadable: Sequence[tuple[Path, str]]) -> None:
    from batchai_scenario.scenarios.record.record import UNREADABLE, metrics
    from batchai_scenario.scenarios.report.text import duration

    if console.as_json:
        broken = [
            {"id": folder.name, "state": UNREADABLE, "folder": str(folder), "problem": reason}
            for folder, reason in unreadable
        ]
        console.json([*map(_as_json, everything), *broken])
        return
    if not everything and not unreadable:
        console.line("no runs yet; try: scenario run hello")
        return
    rows = []
    for run in everything:
        record = run.record
        took = duration((record.ended_at - record.created_at).total_seconds()) if record.ended_at else ""
        numbers = ", ".join(f"{name} {value:g}" for name, value in metrics(record).items())
        started = record.created_at.astimezone().strftime("%Y-%m-%d %H:%M")
        rows.append([record.id, run.state, record.backend, started, took, numbers])
    rows += [[folder.name, UNREADABLE, "", "", "", str(folder / "run.json")] for folder, _ in unreadable]
    console.table(
        ["run", "state", "backend", "started", "took", "metrics"], rows, ["bold", "", "", "dim", "", ""]
    )


def _show_ranking(console: Console, record: RunRecord) -> None:
    """Show the jobs of a sweep, the best first."""
    from batchai_scenario.scenarios.report.words import ranked_rows, ranked_title
    from batchai_scenario.scenarios.sweep.ranking import ranking

    event = ranking(record)
    console.line()
    console.line(f"  {ranked_title(event)}", "bold")
    for row in ranked_rows(event):
        console.line("    " + "  ".join(row).rstrip())


def _as_json(run: Run) -> dict[str, Any]:
    data: dict[str, Any] = run.record.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**data, "state": run.state, "folder": str(run.folder)}


def _show(console: Console, run: Run) -> None:
    from batchai_scenario.scenarios.record.record import timings
    from batchai_scenario.scenarios.report.text import duration

    if console.as_json:
        console.json(_as_json(run))
        return
    record = run.record
    console.line(record.id, "bold")
    console.line(f"  {record.scenario} on {record.backend}: {run.state}")
    asked = record.sweep.model_dump(exclude_defaults=True) if record.sweep else {}
    for key, value in {**record.details, **record.parameters, **asked}.items():
        console.line(f"  {key}: {value}", "dim")
    for reason in record.reasons:
        console.line(f"  {reason}", "red")
    console.line()
    for step in record.timeline:
        mark = {True: "done", False: "FAILED", None: "..."}[step.ok]
        took = duration((step.ended_at - step.started_at).total_seconds()) if step.ended_at else ""
        console.line(f"  {mark:7}{took:>12}  {step.text}")
    if record.sweep is not None:
        _show_ranking(console, record)
    for name, job in ({} if record.sweep else record.jobs).items():
        console.line()
        ended = "" if job.exit_code is None else f", exit code {job.exit_code}"
        console.line(f"  job {name}: {job.state}{ended}", "bold")
        for line in (*map(str, job.errors), *job.notices):
            console.line(f"    {line}")
        for metric, number in job.metrics.items():
            console.line(f"    {metric}: {number:g}")
        for directory in dict.fromkeys(output.directory for output in job.outputs):
            files = [output for output in job.outputs if output.directory == directory]
            console.line(f"    {directory}: {len(files)} file{'' if len(files) == 1 else 's'}")
    total = timings(record).get("total")
    console.line()
    console.line(f"  folder: {run.folder}" + (f", {duration(total)}" if total is not None else ""), "dim")
