"""``scenario cache``: what the home's cache holds; ``prune`` removes what no run uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from batchai_scenario.scenarios.cli.options import json_option, refuse_beside, time_span

if TYPE_CHECKING:
    from datetime import timedelta

    from batchai_scenario.backends.local import Cached, Pruned
    from batchai_scenario.scenarios.cli.console import Console


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def cache(ctx: click.Context, *, as_json: bool) -> None:
    """Show what the cache holds: environments, data sets, downloads, proofs; name, size, last used."""
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.report.text import printable, size

    if ctx.invoked_subcommand is not None:
        refuse_beside(f"write it after {ctx.invoked_subcommand}", "as_json")
        return
    console = Console(as_json=as_json)
    found = local.cached(ctx.obj["home"])
    if as_json:
        console.json([_as_json(entry) for entry in found])
        return
    if not found:
        console.line("the cache is empty")
        return
    rows = [
        [entry.kind, size(entry.size), f"{entry.used.astimezone():%Y-%m-%d}", printable(entry.name)]
        for entry in found
    ]
    console.table(["what", "size", "last used", "name"], rows, ["", "", "dim", "bold"])
    console.line(f"{size(sum(entry.size for entry in found))} in all")


@cache.command()
@click.option(
    "--older-than", metavar="TIME", callback=time_span, help="Only what was not used for so long, e.g. 30d."
)
@click.option("--dry-run", is_flag=True, help="Remove nothing; say what would be removed.")
@click.option("--images", is_flag=True, help="Images 'scenario/...' that were built here, too.")
@json_option
@click.pass_obj
def prune(
    shared: dict[str, Any], *, older_than: timedelta | None, dry_run: bool, images: bool, as_json: bool
) -> int:
    """Remove what no run uses. It is made or fetched again when a run needs it.

    While a run or a job goes on, environments, data sets and images stay. Exit code 3 if something could not
    be removed.
    """
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console
    from batchai_scenario.scenarios.record.record import now, owned_runs

    console = Console(as_json=as_json)
    home = shared["home"]
    before = None if older_than is None else now() - older_than

    def users() -> list[str]:
        return [*(f"run {name} goes on" for name in owned_runs(home)), *local.unfinished(home)]

    pruned = local.prune(home, users, before=before, dry_run=dry_run)
    if images:
        more = local.prune_images(users, before=before, dry_run=dry_run)
        pruned.removed += more.removed
        pruned.kept += more.kept
        pruned.failed += more.failed
    _tell(console, pruned, dry_run=dry_run)
    return 3 if pruned.failed else 0


def _tell(console: Console, pruned: Pruned, *, dry_run: bool) -> None:
    from batchai_scenario.scenarios.cli.console import complain
    from batchai_scenario.scenarios.report.text import printable, size

    freed = sum(entry.size for entry in pruned.removed)
    if console.as_json:
        console.json(
            {
                "dryRun": dry_run,
                "bytes": freed,
                "removed": [_as_json(entry) for entry in pruned.removed],
                "kept": [_as_json(entry) | {"reason": reason} for entry, reason in pruned.kept],
                "failed": [_as_json(entry) | {"reason": reason} for entry, reason in pruned.failed],
            }
        )
        return
    verb = "would remove" if dry_run else "removed"
    for entry in pruned.removed:
        console.line(f"{verb} {entry.kind} {printable(entry.name)}, {size(entry.size)}")
    for entry, reason in pruned.kept:
        console.line(f"kept {entry.kind} {printable(entry.name)}: {printable(reason)}", "dim")
    for entry, reason in pruned.failed:
        complain(
            f"{entry.kind} {printable(entry.name)} cannot be removed: {printable(reason)}",
            "remove it as the user to whom it belongs",
        )
    console.line(f"{verb} {size(freed)}" if pruned.removed else "nothing to remove", "bold")


def _as_json(entry: Cached) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "name": entry.name,
        "size": entry.size,
        "lastUsed": entry.used.isoformat(timespec="seconds"),
    }
