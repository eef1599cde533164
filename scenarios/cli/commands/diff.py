"""``scenario diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from batchai_scenario.scenarios.cli.options import json_option, option, refuse_beside, set_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchai_scenario.scenarios.record.comparison import Difference

TWO = 2


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="RUN RUN | NAME")
@option("--plan", is_flag=True, help="Compare what running NAME would send; nothing is sent.")
@option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME[:option=value,...]",
    envvar=None,
    show_envvar=False,
    help="With --plan, twice: the two places. 'local' and 'azure' by default.",
)
@set_option
@json_option
@click.pass_obj
def diff(
    shared: dict[str, Any],
    names: tuple[str, ...],
    *,
    plan: bool,
    backends: tuple[str, ...],
    settings: tuple[str, ...],
    as_json: bool,
) -> int:
    """Show where two runs differ, or, with --plan, the requests of one scenario on two backends.

    Exit code 0 if nothing differs but what must: endpoints, credentials, timings, sizes of logs, values of
    the job's variables. These are listed as expected. Exit code 1 if anything else differs.
    """
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.record.comparison import compare_runs
    from batchai_scenario.scenarios.record.record import find_run

    if plan:
        if len(names) != 1:
            raise click.UsageError("--plan compares one scenario on two backends: name one scenario")
        titles, found, compared = _plans(shared, names[0], backends or ("local", "azure"), settings)
    else:
        if len(names) != TWO:
            raise click.UsageError("name two runs, or one scenario with --plan")
        refuse_beside("these need --plan; what a run used stands in its record", "backends", "settings")
        left, right = (find_run(shared["home"], name).record for name in names)
        titles, found = (left.id, right.id), compare_runs(left, right)
        compared = "requests, states, exit codes, files and variables are the same"
    counting = [it for it in found if it.counts]
    console = Console(as_json=as_json)
    if as_json:
        console.json(
            {
                "left": titles[0],
                "right": titles[1],
                "same": not counting,
                "differences": [it.as_data() for it in found],
            }
        )
    else:
        if found:
            console.table(["", "", *titles, ""], _rows(found), ["bold", "", "", "", "dim"])
            console.line()
        many = "1 difference" if len(counting) == 1 else f"{len(counting)} differences"
        console.line(f"{many} beside what is expected" if counting else compared)
    return 1 if counting else 0


def _rows(found: Sequence[Difference]) -> list[list[str]]:
    """Give the table's rows: a section's name stands once, long values are cut."""
    rows, section = [], ""
    for it in found:
        values = [
            value if len(value) <= LONGEST else value[: LONGEST - 3] + "..." for value in (it.left, it.right)
        ]
        rows.append(
            [it.section if it.section != section else "", it.what, *values, "" if it.counts else "expected"]
        )
        section = it.section
    return rows


LONGEST = 70
"""Characters of a value that stand in the table; ``--json`` has all."""


def _plans(
    shared: dict[str, Any], name: str, backends: Sequence[str], settings: Sequence[str]
) -> tuple[tuple[str, str], list[Difference], str]:
    """Plan one scenario on two backends and compare."""
    from batchai_scenario.scenarios.definition.discovery import find
    from batchai_scenario.scenarios.definition.parameters import parse_settings
    from batchai_scenario.scenarios.record.comparison import compare_plans
    from batchai_scenario.scenarios.run.launch import Target, new_record
    from batchai_scenario.scenarios.run.planned import plan_run

    if len(backends) != TWO:
        raise click.UsageError("name two backends: --backend local --backend azure")
    resolved = find(name).resolve(parse_settings(settings))
    targets = [
        Target(backend, shared["home"], values, shared["environment"])
        for backend, values in map(_backend, backends)
    ]
    record = new_record(resolved, targets[0], keep=False)
    left, right = (plan_run(resolved, record, target) for target in targets)
    titles = (f"{name} on {backends[0]}", f"{name} on {backends[1]}")
    same = f"{len(left.requests)} requests are the same but for endpoints and credentials"
    return titles, compare_plans(left, right, record.id), same


def _backend(text: str) -> tuple[str, dict[str, str]]:
    """Read ``NAME[:option=value,...]``."""
    name, _, rest = text.partition(":")
    values = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise click.UsageError(f"--backend {text}: write NAME:option=value")
        values[key] = value
    return name, values
