"""``scenario logs``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from batchai_scenario.scenarios.cli.completing import run_ids
from batchai_scenario.scenarios.cli.options import job_option, json_option, option, time_span

if TYPE_CHECKING:
    from collections.abc import Collection

    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.report import events as e
    from batchai_scenario.scenarios.report.base import Reporter
    from batchai_scenario.scenarios.run.sifting import Sieve


def _pattern(_ctx: click.Context, _: click.Parameter, value: str | None) -> re.Pattern[str] | None:
    try:
        return None if value is None else re.compile(value)
    except re.error as error:
        raise click.BadParameter(f"{value!r} is no regular expression: {error}") from None


@click.command()
@click.argument("run", required=False, shell_complete=run_ids)
@option("--follow", "-f", is_flag=True, help="Wait for more until the job has ended.")
@option(
    "--file",
    "file",
    metavar="NAME",
    help="Only this file, e.g. stdout.txt or execution.log, without prefixes.",
)
@option("--grep", callback=_pattern, metavar="PATTERN", help="Only lines in which the pattern is found.")
@option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of each file.")
@option(
    "--since",
    callback=time_span,
    metavar="SPAN",
    help="Only what was written in the last SPAN, e.g. 10m: lines by the time with which they begin, others "
    "by when their file was written to.",
)
@option("--node", metavar="NODE", default="", help="Only files of this node.")
@option("--role", metavar="ROLE", default="", help="Only files of this role: wk-0, or wk for all workers.")
@job_option
@json_option
@click.pass_obj
def logs(
    shared: dict[str, Any],
    /,
    run: str | None,
    *,
    follow: bool,
    file: str | None,
    job: str,
    as_json: bool,
    **chosen: Any,  # noqa: ANN401 - the flags of the sieve
) -> int:
    """Show what a run's jobs wrote. RUN is an id or a part of one; the last run by default.

    Works from any terminal, while the run goes on and after it. Ctrl-C ends the following, not the job.
    """
    from batchai_scenario.backends.errors import Interrupted
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.cli.reattach import opened, settle_detached
    from batchai_scenario.scenarios.record.record import find_run, only_job
    from batchai_scenario.scenarios.report import events as e
    from batchai_scenario.scenarios.run.attach import follow_logs, show_logs
    from batchai_scenario.scenarios.run.interrupts import Interrupts
    from batchai_scenario.scenarios.run.sifting import Sieve
    from batchai_scenario.scenarios.run.waiting import Waiting

    console = Console(as_json=as_json)
    one = find_run(shared["home"], run)
    only_job(one, job)

    reporter = _raw(console) if file and not as_json else console.reporter()
    only = [file] if file else []
    sieve = Sieve(console.heard(reporter), **chosen)
    interrupts = Interrupts(lambda: None, lambda: None)
    with interrupts.heard(), opened(one, shared) as backend:
        try:
            if follow and not one.record.final:
                names = follow_logs(
                    one,
                    backend,
                    sieve,
                    Waiting(interrupts.stop),
                    lambda text: reporter.handle(e.Note("warning", text)),
                    only=only,
                    wanted=sieve.wants,
                    tail=sieve.tail,
                    looked=sieve.let_go,
                )
            else:
                names = show_logs(one, backend, sieve, only, sieve.wants, tail=sieve.tail)
                sieve.let_go()
        except Interrupted:
            return 130
        finally:
            reporter.close()
    settle_detached([find_run(shared["home"], one.record.id)], shared)
    _check_found(names, file, sieve)
    return 0


def _raw(console: Console) -> Reporter:
    """Make what writes the lines of one file as they are."""
    from batchai_scenario.scenarios.report.base import Reporter

    class Raw(Reporter):
        def log_line(self, event: e.LogLine) -> None:
            console.line(event.text)

    return Raw()


def _check_found(names: Collection[str], file: str | None, sieve: Sieve) -> None:
    """Refuse flags to which none of a run's files answers."""
    from batchai_scenario.backends.base import OutputFile
    from batchai_scenario.backends.errors import UserError
    from batchai_scenario.scenarios.report.text import did_you_mean

    if file and file not in names:
        raise UserError(f"the run wrote no file {file!r}", "--file", did_you_mean(file, names))
    if names and not any(sieve.wants(OutputFile(name, 0)) for name in names):
        raise UserError(
            "the run wrote no such file", "--role or --node", f"there are {', '.join(sorted(names))}"
        )
