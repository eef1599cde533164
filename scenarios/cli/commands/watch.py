"""``scenario watch``."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from batchai_scenario.scenarios.cli.options import json_option, option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console as Rich
    from rich.console import RenderableType
    from rich.table import Table

    from batchai_scenario.backends.local import BoardState
    from batchai_scenario.scenarios.cli.console import Console

_STYLES = {"running": "cyan", "succeeded": "green", "failed": "bold red", "terminating": "yellow"}


@click.command()
@option("--once", is_flag=True, help="Show it once; always so where nobody sits at a terminal.")
@json_option
@click.pass_obj
def watch(shared: dict[str, Any], *, once: bool, as_json: bool) -> None:
    """Show the clusters and jobs of the emulator that serves the home folder, live, until Ctrl-C."""
    from batchai_scenario.backends import local
    from batchai_scenario.scenarios.cli.console import Console, ascii_only

    console = Console(as_json=as_json)
    boards = local.watch_board(shared["home"])
    if not (as_json or once) and console.interactive:
        _live(boards, ascii_only=ascii_only(os.environ, sys.stdout.encoding))
        console.line("the emulator has ended")
        return
    board = next(boards, None)
    if board is None:
        return
    if as_json:
        console.json({"clusters": board.clusters, "jobs": board.jobs})
    else:
        _print(console, board)


def _print(console: Console, board: BoardState) -> None:
    from batchai_scenario.scenarios.report.boards import (
        CLUSTER_TITLES,
        JOB_TITLES,
        cluster_rows,
        counted,
        job_rows,
    )

    clusters = cluster_rows(board.clusters, board.jobs)
    if clusters:
        console.table(CLUSTER_TITLES, clusters, ["bold"])
    else:
        console.line("no clusters yet")
    console.line()
    console.line(counted(board.jobs))
    if board.jobs:
        console.table(JOB_TITLES, job_rows(board.jobs, datetime.now(timezone.utc)), ["bold"])


def _live(boards: Iterator[BoardState], *, ascii_only: bool) -> None:
    """Draw the tables whenever something changed, and each second for what has begun."""
    from rich.console import Console as Rich
    from rich.live import Live

    screen = Rich(highlight=False)
    shown: list[BoardState] = []

    def drawn() -> RenderableType:
        return board_drawn(shown[0], screen, ascii_only=ascii_only) if shown else ""

    with Live(console=screen, get_renderable=drawn, refresh_per_second=1, vertical_overflow="crop") as live:
        for board in boards:
            shown[:] = [board]
            live.refresh()


def board_drawn(board: BoardState, screen: Rich, *, ascii_only: bool) -> RenderableType:
    """Draw clusters and jobs for a window: as many jobs as there is room for."""
    from rich.console import Group
    from rich.text import Text

    from batchai_scenario.scenarios.report.boards import (
        CLUSTER_TITLES,
        JOB_TITLES,
        cluster_rows,
        counted,
        job_rows,
    )

    jobs = board.jobs
    clusters = cluster_rows(board.clusters, jobs)
    room = max(3, screen.height - len(clusters) - 6)
    rows = job_rows(jobs, datetime.now(timezone.utc))
    left = len(rows) - room
    return Group(
        _table(CLUSTER_TITLES, clusters, ascii_only=ascii_only)
        if clusters
        else Text("no clusters yet", "dim"),
        Text(""),
        Text(counted(jobs), "bold"),
        _table(JOB_TITLES, rows[:room], ascii_only=ascii_only) if rows else Text(""),
        Text(f"and {left} more" if left > 0 else "", "dim"),
    )


def _table(titles: tuple[str, ...], rows: list[list[str]], *, ascii_only: bool) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index, title in enumerate(titles):
        table.add_column(title, no_wrap=True, overflow="crop" if ascii_only else "ellipsis", ratio=None)
        table.columns[index].style = "bold" if index == 0 else ""
    for row in rows:
        table.add_row(*(Text(cell, _STYLES.get(cell, "")) for cell in row))
    return table
