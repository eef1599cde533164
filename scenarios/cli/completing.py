"""What a shell completes: names of scenarios, ids of runs, names of backends. Nothing here fails loudly."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


def scenario_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Give the names of scenarios that begin so; a path is left to the shell."""
    from batchai_scenario.scenarios.definition.discovery import find_all

    with suppress(Exception):
        return [item.name for item in find_all() if item.name.startswith(incomplete)]
    return []


def run_ids(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Give the ids of runs that begin so, the newest first, and ``last``."""
    from batchai_scenario.scenarios.record.home import home_folder, run_folders

    with suppress(Exception):
        folders = run_folders(home_folder(ctx.find_root().params.get("home"), os.environ))
        return [
            name for name in ("last", *(folder.name for folder in folders)) if name.startswith(incomplete)
        ]
    return []


def backend_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Give the names of backends that begin so."""
    from batchai_scenario.backends.registry import Registry

    with suppress(Exception):
        return [name for name in Registry().names() if name.startswith(incomplete)]
    return []
