"""``scenario backends``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from batchai_scenario.scenarios.cli.options import json_option

if TYPE_CHECKING:
    from batchai_scenario.backends.offers import Offered, Option


@click.command()
@json_option
def backends(*, as_json: bool) -> None:
    """List the backends there are, and what is wrong with those that cannot be loaded."""
    from batchai_scenario.backends.registry import Registry
    from batchai_scenario.scenarios.cli.console import Console

    console = Console(as_json=as_json)
    offers = Registry().offers()
    if as_json:
        console.json(
            [
                {
                    "name": it.name,
                    "target": it.target,
                    "about": it.offered.about,
                    "plans": it.offered.plans is not None,
                    "options": [_shown(option) for option in it.offered.options or ()],
                    "error": it.error or None,
                }
                for it in offers
            ]
        )
        return
    rows = [[it.name, it.error or it.offered.about, _options(it.offered), it.target] for it in offers]
    console.table(["backend", "what it is", "options", "from"], rows, ["bold", "", "", "dim"])


def _options(offer: Offered) -> str:
    return ", ".join(option.name for option in offer.options or ())


def _shown(option: Option) -> dict[str, object]:
    return {
        "name": option.name,
        "help": option.help,
        "choices": list(option.choices),
        "default": option.default or None,
        "variable": option.variable or None,
    }
