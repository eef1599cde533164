"""``scenario logs``."""

from __future__ import annotations

from typing import Any

import click

from batchai_scenario.scenarios.cli.options import json_option, option


@click.command()
@click.argument("run", required=False)
@option("--follow", "-f", is_flag=True, help="Wait for more until the job has ended.")
@option(
    "--file",
    "file",
    metavar="NAME",
    help="Only this file, e.g. stdout.txt or execution.log, without prefixes.",
)
@json_option
@click.pass_obj
def logs(shared: dict[str, Any], run: str | None, *, follow: bool, file: str | None, as_json: bool) -> int:
    """Show what a run's jobs wrote. RUN is an id or a part of one; the last run by default.

    Works from any terminal, while the run goes on and after it. Ctrl-C ends the following, not the job.
    """
    from batchai_scenario.backends.errors import Interrupted
    from batchai_scenario.scenarios import events as e
    from batchai_scenario.scenarios.attach import follow_logs, show_logs
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.cli.reattach import opened, settle_detached
    from batchai_scenario.scenarios.interrupts import Interrupts
    from batchai_scenario.scenarios.record import find_run
    from batchai_scenario.scenarios.reporters.base import Reporter
    from batchai_scenario.scenarios.waiting import Waiting

    console = Console(as_json=as_json)
    one = find_run(shared["home"], run)

    class Raw(Reporter):
        """Writes the lines of one file as they are."""

        def log_line(self, event: e.LogLine) -> None:
            console.line(event.text)

    reporter = Raw() if file and not as_json else console.reporter()
    only = [file] if file else []
    interrupts = Interrupts(lambda: None, lambda: None)
    with interrupts.heard(), opened(one, shared) as backend:
        try:
            if follow and not one.record.final:
                follow_logs(
                    one,
                    backend,
                    reporter.handle,
                    Waiting(interrupts.stop),
                    lambda text: reporter.handle(e.Note("warning", text)),
                    only=only,
                )
            else:
                show_logs(one, backend, reporter.handle, only)
        except Interrupted:
            return 130
        finally:
            reporter.close()
    settle_detached([one], shared)
    return 0
