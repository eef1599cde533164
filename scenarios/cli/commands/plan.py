"""``scenario plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from batchai_scenario.scenarios.cli.completing import scenario_names
from batchai_scenario.scenarios.cli.options import (
    BackendCommand,
    backend_options,
    backend_values,
    json_option,
    set_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchai_scenario.backends.base import PlannedRequest
    from batchai_scenario.scenarios.cli.console import Console


@click.command(cls=BackendCommand)
@click.argument("name", shell_complete=scenario_names)
@backend_options
@set_option
@json_option
@click.pass_obj
def plan(
    shared: dict[str, Any],
    name: str,
    *,
    backend: str,
    options: tuple[str, ...],
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show the requests that running NAME would send. Nothing is created, nothing is sent.

    What a run asks again and again - whether a node is there, how the job stands, which files it has
    written - is shown once. A data set is listed; its requests follow from its files, once it is made.
    """
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.definition.discovery import find
    from batchai_scenario.scenarios.definition.parameters import parse_settings
    from batchai_scenario.scenarios.report.text import size
    from batchai_scenario.scenarios.run.launch import Target, new_record
    from batchai_scenario.scenarios.run.planned import plan_run

    console = Console(as_json=as_json)
    resolved = find(name).resolve(parse_settings(settings))
    target = Target(
        backend, shared["home"], backend_values(click.get_current_context(), options), shared["environment"]
    )
    found = plan_run(resolved, new_record(resolved, target, keep=False), target)
    if as_json:
        console.json(
            {
                "scenario": resolved.name,
                "backend": backend,
                "parameters": dict(resolved.parameters),
                "uploads": found.uploads,
                "requests": [
                    {"method": it.method, "url": it.url, "headers": dict(it.headers), "body": it.body}
                    for it in found.requests
                ],
            }
        )
        return
    console.line(f"{resolved.name} on {backend}", "bold")
    for upload in found.uploads:
        known = f" ({size(float(str(upload['size'])))})" if upload["size"] is not None else ""
        console.line(f"  upload {upload['from']}{known} -> {upload['share']}/{upload['path']}")
    _print_requests(console, found.requests)


def _print_requests(console: Console, requests: Sequence[PlannedRequest]) -> None:
    import json

    for request in requests:
        console.line()
        console.line(f"{request.method} {request.url}", "cyan")
        for name, value in request.headers.items():
            console.line(f"  {name}: {value}", "dim")
        if request.body is not None:
            for line in json.dumps(request.body, indent=2).splitlines():
                console.line(f"  {line}")
    if not requests:
        console.line("  this backend sends no requests", "dim")
