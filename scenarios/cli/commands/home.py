"""``scenario emulator``: reset, gc, repair, salvage, which clean and mend the home."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchai_scenario.scenarios.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Callable


@click.command()
@click.option("--force", is_flag=True, help="Also if jobs are not finished: they are ended.")
@json_option
@click.pass_obj
def reset(shared: dict[str, Any], *, force: bool, as_json: bool) -> int:
    """Delete all that the emulator keeps: resources, shares and their files. Caches and run records stay."""
    from batchai_scenario.backends import local

    return _remove(lambda: local.reset(shared["home"], force=force), as_json=as_json)


@click.command()
@json_option
@click.pass_obj
def gc(shared: dict[str, Any], *, as_json: bool) -> int:
    """Remove containers, networks and folders of ours that belong to nothing any more."""
    from batchai_scenario.backends import local

    return _remove(lambda: local.gc(shared["home"]), as_json=as_json)


@click.command()
@json_option
@click.pass_obj
def repair(shared: dict[str, Any], *, as_json: bool) -> None:
    """Mend a damaged home: put what cannot be read aside, and the last good copy of it in its place.

    A copy of the state is made whenever an emulator stops, and each day.
    """
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console

    console = Console(as_json=as_json)
    lines = local.repair(shared["home"])
    if as_json:
        console.json({"repaired": lines})
        return
    for line in lines or ["nothing is damaged"]:
        console.line(line)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def salvage(shared: dict[str, Any], folder: Path, *, as_json: bool) -> int:
    """Copy shares and run records out of the home to a new folder, whatever state the home is in.

    Exit code 3 if something could not be read; everything else is there.
    """
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console

    console = Console(as_json=as_json)
    found = local.salvage(shared["home"], folder)
    if as_json:
        console.json(
            {"folder": str(found.folder), "shares": found.shares, "runs": found.runs, "lost": found.lost}
        )
        return 3 if found.lost else 0
    for kind, names in (("share", found.shares), ("run", found.runs)):
        for name in names:
            console.line(f"{kind} {name}")
    for line in found.lost:
        console.line(f"not read: {line}", "red")
    console.line(f"{len(found.shares)} shares and {len(found.runs)} runs are in {found.folder}", "bold")
    return 3 if found.lost else 0


def _remove(work: Callable[[], list[str]], *, as_json: bool) -> int:
    """Tell what was removed, and what stays: that is a failure of the backend."""
    from batchai_scenario.backends.errors import LeftBehind
    from batchai_scenario.scenarios.cli.console import Console

    console = Console(as_json=as_json)
    problem: LeftBehind | None = None
    try:
        lines = work()
    except LeftBehind as error:
        problem, lines = error, list(error.removed)
    if as_json:
        console.json({"removed": lines} | ({"stays": list(problem.stays)} if problem else {}))
        return problem.exit_code if problem else 0
    for line in lines:
        console.line(line)
    if problem:
        raise problem
    if not lines:
        console.line("nothing to remove")
    return 0
