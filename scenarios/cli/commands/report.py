"""``scenario report``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchai_scenario.scenarios.cli.completing import run_ids
from batchai_scenario.scenarios.cli.options import json_option, option

if TYPE_CHECKING:
    from batchai_scenario.scenarios.document.facts import RunFacts
    from batchai_scenario.scenarios.record.record import Run


@click.command()
@click.argument("run", required=False, shell_complete=run_ids)
@option(
    "--output", "-o", type=click.Path(path_type=Path), help="The file to write; by default RUN.html here."
)
@json_option
@click.pass_obj
def report(shared: dict[str, Any], run: str | None, *, output: Path | None, as_json: bool) -> None:
    """Write a run or a sweep as one HTML file. RUN is an id or a part of one; the last run by default.

    It holds parameters, environment, states, curves, the ends of logs, output files with sizes and hashes,
    and what came of each expectation. It opens without a network, and has no secret in it.
    """
    from batchai_scenario.scenarios.cli.console import Console, complain
    from batchai_scenario.scenarios.cli.reattach import settle_detached
    from batchai_scenario.scenarios.cli.saving import check_target, save_to
    from batchai_scenario.scenarios.document.page import now, render
    from batchai_scenario.scenarios.record.record import find_run
    from batchai_scenario.scenarios.report.text import size

    console = Console(as_json=as_json)
    one = find_run(shared["home"], run)
    target = output or Path(f"{one.record.id}.html")
    check_target(target, "--output", f"{one.record.id}.html")
    settle_detached([one], shared)
    one = find_run(shared["home"], one.record.id)
    facts = _gathered(one, shared)
    text = render(facts, now())
    save_to(text, target, "--output")
    for problem in facts.problems:
        complain(problem)
    if as_json:
        console.json({"run": one.record.id, "file": str(target), "problems": list(facts.problems)})
    else:
        console.line(f"{target}  {size(len(text.encode()))}")


def _gathered(run: Run, shared: dict[str, Any]) -> RunFacts:
    """Read all that is told; without the files of jobs if their backend cannot be asked."""
    from batchai_scenario.backends import local
    from batchai_scenario.backends.errors import ScenarioError
    from batchai_scenario.scenarios.cli.reattach import opened
    from batchai_scenario.scenarios.document.facts import gather
    from batchai_scenario.scenarios.document.hiding import hiding, known_secrets

    problems, backend = [], None
    with ExitStack() as stack:
        try:
            backend = stack.enter_context(opened(run, shared))
        except ScenarioError as error:
            problems.append(f"logs and hashes of output files are missing: {error}")
        secrets, problem = known_secrets(run.record, shared["environment"], local.own_secrets(shared["home"]))
        problems += [problem] if problem and backend is not None else []
        return gather(run, backend, problems, hiding(secrets))
