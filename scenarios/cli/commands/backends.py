"""``scenario backends``."""

from __future__ import annotations

import click

from batchai_scenario.scenarios.cli.options import json_option

_ABOUT = {
    "local": "the emulator on this machine: Docker containers or processes",
    "azure": "Azure Batch AI itself (retired in 2019), or whatever serves its API",
    "memory": "a model without a service, for tests",
    "faulty": "another backend that fails as it is told (of=NAME, faults=...)",
    "recording": "another backend, written down (of=NAME, bundle=FOLDER)",
    "replay": "what was written down, without anything behind it (bundle=FOLDER)",
    "slow": "another backend that answers late (of=NAME, latency=SECONDS)",
}


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
                    "about": _ABOUT.get(it.name, ""),
                    "error": it.error or None,
                }
                for it in offers
            ]
        )
        return
    rows = [[it.name, it.error or _ABOUT.get(it.name, ""), it.target] for it in offers]
    console.table(["backend", "what it is", "from"], rows, ["bold", "", "dim"])
