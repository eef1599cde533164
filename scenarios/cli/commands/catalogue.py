"""``scenario list`` and ``scenario show``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchai_scenario.scenarios.cli.completing import scenario_names
from batchai_scenario.scenarios.cli.options import json_option

if TYPE_CHECKING:
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.definition.scenario import Scenario


@click.command("list")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@json_option
def list_(folders: tuple[Path, ...], *, as_json: bool) -> None:
    """List scenarios: the library's, those of installed packages, and those in FOLDERS."""
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.definition.discovery import broken, find_all

    console = Console(as_json=as_json)
    entries: list[dict[str, str]] = []
    for item in find_all(folders):
        wrong = broken(item)
        summary = str(wrong) if wrong else item.load().summary
        entry = {"name": item.name, "summary": summary, "origin": item.origin, "file": str(item.file)}
        entries.append({**entry, "error": str(wrong)} if wrong else entry)
    if as_json:
        console.json(entries)
        return
    rows = [
        [entry["name"], ("BROKEN: " if "error" in entry else "") + entry["summary"], entry["origin"]]
        for entry in entries
    ]
    console.table(["name", "summary", "from"], rows, ["bold", "", "dim"])


@click.command()
@click.argument("name", shell_complete=scenario_names)
@json_option
def show(name: str, *, as_json: bool) -> None:
    """Show the scenario NAME: what it does, its parameters, jobs and expectations."""
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.definition.discovery import find

    console = Console(as_json=as_json)
    scenario = find(name)
    if as_json:
        console.json(_as_json(scenario))
        return
    _show(console, scenario)


def _as_json(scenario: Scenario) -> dict[str, Any]:
    resolved = scenario.sample()
    return {
        "name": scenario.name,
        "summary": scenario.summary,
        "description": scenario.description,
        "file": str(scenario.file),
        "parameters": {
            key: value.model_dump(exclude_none=True, exclude_defaults=True) | {"type": value.type}
            for key, value in scenario.parameters.items()
        },
        "place": resolved.place.model_dump(exclude_none=True),
        "jobs": list(resolved.jobs),
        "expect": {
            key: value.model_dump(by_alias=True, exclude_none=True) for key, value in resolved.expect.items()
        },
    }


def _show(console: Console, scenario: Scenario) -> None:
    from batchai_scenario.scenarios.definition.bodies import image_of

    resolved = scenario.sample()
    console.line(scenario.name, "bold")
    console.line(f"  {scenario.summary}")
    for line in scenario.description.strip().splitlines():
        console.line(f"  {line}", "dim")
    console.line(f"  {scenario.file}", "dim")
    if scenario.parameters:
        console.line()
        rows = [
            [f"  {key}", "" if value.default is None else str(value.default), value.describe(), value.help]
            for key, value in scenario.parameters.items()
        ]
        console.table(["  parameter", "default", "type", "help"], rows, ["bold", "cyan", "dim", ""])
    console.line()
    for name, body in resolved.jobs.items():
        image = image_of(body)
        console.line(f"  job {name}" + (f" in {image}" if image else ""), "bold")
        expected = resolved.expect.get(name)
        if expected is None:
            continue
        console.line(f"    expected: {expected.execution_state}")
        for directory, rules in expected.outputs.items():
            files = ", ".join(rule if isinstance(rule, str) else rule.files for rule in rules)
            console.line(f"    outputs in {directory}: {files}")
        for metric, section in expected.metrics.items():
            from batchai_scenario.scenarios.definition.expect import limits_of

            limits = ", ".join(map(str, limits_of(section, resolved.parameters)))
            about = f" ({section.help})" if section.help else ""
            console.line(f"    metric {metric}{about}" + (f": {limits}" if limits else ""))
    console.line()
    console.line(f"  scenario run {scenario.name}", "dim")
