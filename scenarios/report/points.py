"""Tables of jobs on a terminal: a run's, a sweep's while it runs, and their order at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from batchai_scenario.scenarios.report.text import clean
from batchai_scenario.scenarios.report.words import ranked_rows, ranked_title, values_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from rich.console import RenderableType

    from batchai_scenario.scenarios.report import events as e

_STATE_STYLES = {"succeeded": "bold green", "failed": "bold red", "interrupted": "bold yellow"}
_STYLES = {"succeeded": "green", "failed": "red", "running": "cyan", "planned": "dim"}
_ORDER = ("running", "terminating", "queued", "submitting")
"""The states that are shown first where not all rows fit; then those that ended last."""


@dataclass(slots=True)
class _PointRow:
    point: str
    state: str = "planned"
    metric: str = ""
    met: bool = True
    moved: int = 0


class PointTable:
    """The jobs of a sweep, each with its state and the last metric that it told."""

    def __init__(self) -> None:
        self._rows: dict[str, _PointRow] = {}
        self._moves = 0

    def planned(self, job: str, parameters: Mapping[str, Any]) -> None:
        """Add a job."""
        self._rows[job] = _PointRow(clean(values_text(parameters)))

    def changed(self, job: str, state: str) -> None:
        """Note a job's state."""
        if job in self._rows:
            self._moves += 1
            self._rows[job].state, self._rows[job].moved = state, self._moves

    def seen(self, job: str, name: str, value: float) -> None:
        """Note a job's metric."""
        if job in self._rows:
            self._rows[job].metric = f"{name} {value:g}"

    def ended(self, event: e.PointEnded) -> None:
        """Note a job's end."""
        self.changed(event.job, event.state)
        if event.job in self._rows:
            row = self._rows[event.job]
            row.met = not event.reasons
            row.metric = ", ".join(f"{name} {value:g}" for name, value in event.metrics.items()) or row.metric

    def counts(self) -> str:
        """Count the jobs by state in words."""
        found = Counter(row.state for row in self._rows.values())
        return ", ".join(f"{number} {state}" for state, number in found.items())

    def drawn(self, height: int) -> RenderableType:
        """Draw as many rows as fit: what runs, what waits, and what ended last."""
        table = Table.grid(padding=(0, 2))
        shown = sorted(self._rows, key=self._rank)[:height]
        for job in sorted(shown):
            row = self._rows[job]
            style = _STYLES.get(row.state, "") if row.met else "bold red"
            table.add_row(
                Text("   "),
                Text(job),
                Text(row.point, "dim"),
                Text(row.state, style),
                Text(clean(row.metric)),
            )
        if len(self._rows) > len(shown):
            table.add_row(Text("   "), Text(f"and {len(self._rows) - len(shown)} more", "dim"))
        return table

    def _rank(self, job: str) -> tuple[int, int]:
        row = self._rows[job]
        if row.state in _ORDER:
            return _ORDER.index(row.state), 0
        return (len(_ORDER), -row.moved) if row.moved else (len(_ORDER) + 1, 0)


def jobs_table(jobs: Mapping[str, str]) -> RenderableType:
    """Draw the jobs of a run, each with its state."""
    table = Table.grid(padding=(0, 2))
    for job, state in jobs.items():
        table.add_row(Text("   "), Text(job), Text(state, _STATE_STYLES.get(state, "cyan")))
    return table


def ranked_table(event: e.Ranked) -> RenderableType:
    """Draw the order of a sweep's jobs."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.title, table.title_justify, table.title_style = f"  {ranked_title(event)}", "left", "bold"
    for place, job, value, point, state in ranked_rows(event):
        table.add_row(
            Text(f"  {place}"), Text(job), Text(value, "bold"), Text(clean(point), "dim"), Text(state, "red")
        )
    return table
