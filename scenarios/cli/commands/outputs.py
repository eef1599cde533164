"""``scenario outputs``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batchai_scenario.scenarios.cli.completing import run_ids
from batchai_scenario.scenarios.cli.options import job_option, json_option, option


@click.command()
@click.argument("run", required=False, shell_complete=run_ids)
@option("--download", type=click.Path(file_okay=False, path_type=Path), help="Save all files to this folder.")
@job_option
@json_option
@click.pass_obj
def outputs(
    shared: dict[str, Any], run: str | None, *, download: Path | None, job: str, as_json: bool
) -> int:
    """List a run's output files, or save them. RUN is an id or a part of one; the last run by default.

    Works while the run goes on and after it, also when its job was deleted: the files stay on the share.
    """
    from batchai_scenario.scenarios.cli.console import Console, complain
    from batchai_scenario.scenarios.cli.reattach import opened, settle_detached
    from batchai_scenario.scenarios.definition.bodies import directory_ids
    from batchai_scenario.scenarios.record.record import find_run, only_job
    from batchai_scenario.scenarios.report import events as e
    from batchai_scenario.scenarios.report.text import size
    from batchai_scenario.scenarios.run.finish import download as save_all
    from batchai_scenario.scenarios.run.finish import files_of

    console = Console(as_json=as_json)
    one = find_run(shared["home"], run)
    only_job(one, job)
    saved: list[e.Saved] = []

    def emit(event: e.Event) -> None:
        if isinstance(event, e.Saved):
            saved.append(event)
            if not as_json:
                console.line(f"{event.file}  {size(event.size)}")

    entries: list[dict[str, Any]] = []
    unsaved: list[str] = []
    with opened(one, shared) as backend:
        if download is not None:
            unsaved = save_all(backend, one.record, download, emit)
        else:
            for name, part in one.record.jobs.items():
                files = files_of(backend, part)
                entries += [
                    {"job": name, "directory": directory, "path": file.path, "size": file.size}
                    for directory in directory_ids(part.properties)
                    for file in (files.walk(directory) if part.submitted else ())
                ]
                unsaved += [f"{directory} is not listed whole: {why}" for directory, why in files.cut.items()]
    settle_detached([find_run(shared["home"], one.record.id)], shared)
    for problem in unsaved:
        complain(problem)
    if as_json:
        console.json([{"file": item.file, "size": item.size} for item in saved] if download else entries)
    elif download is None:
        several = len(one.record.jobs) > 1
        rows = [
            [
                f"{entry['job']}/{entry['directory']}" if several else entry["directory"],
                entry["path"],
                size(entry["size"]),
            ]
            for entry in entries
        ]
        console.table(["directory", "file", "size"], rows, ["bold", "", "dim"]) if rows else console.line(
            "no files"
        )
    return 4 if unsaved else 0
