"""``scenario new``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

TEMPLATE = Path(__file__).resolve().parents[2] / "template"
"""The folder that a new scenario is a copy of; ``NAME`` in its files is the new one's name."""


@click.command()
@click.argument("name")
@click.pass_obj
def new(shared: dict[str, Any], name: str) -> None:
    """Write the folder NAME with a commented scenario, and a program that it runs.

    Run it with 'scenario run NAME/'. Nothing that is there already is overwritten.
    """
    from batchai_scenario.backends.errors import UserError
    from batchai_scenario.scenarios.cli.console import Console

    del shared
    folder = Path(name)
    if not re.fullmatch(r"[A-Za-z0-9][-\w.]*", folder.name):
        hint = "use letters, digits, '-', '_' and '.', and begin with a letter or digit"
        raise UserError(f"{folder.name!r} is no name for a scenario", "NAME", hint)
    if folder.exists() or folder.is_symlink():
        raise UserError(f"{folder} is there already", "NAME", "choose another name, or remove it")
    console = Console()
    try:
        folder.mkdir(parents=True)
        for source in sorted(TEMPLATE.iterdir()):
            file = folder / source.name
            file.write_text(source.read_text(encoding="utf-8").replace("NAME", folder.name), encoding="utf-8")
            console.line(f"  {file}", "dim")
    except OSError as error:
        raise UserError(f"{error.filename} cannot be written: {error.strerror}", "NAME") from None
    console.line(f"run it: scenario run {folder}/", "bold")
