"""The live screen: finished steps and log lines scroll by, what is going on stays at the bottom."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rich.cells import chop_cells
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from batchai_scenario.scenarios.report.base import Reporter
from batchai_scenario.scenarios.report.curves import ASCII_BLOCKS, BLOCKS, Curve, remaining
from batchai_scenario.scenarios.report.points import PointTable, jobs_table, ranked_table
from batchai_scenario.scenarios.report.text import clean, duration, size
from batchai_scenario.scenarios.report.words import (
    far_text,
    further_hint,
    log_prefix,
    nodes_text,
    output_groups,
    verdict,
)
from batchai_scenario.scenarios.run.follow import is_progress

if TYPE_CHECKING:
    from rich.console import RenderableType

    from batchai_scenario.scenarios.report import events as e

_STATE_STYLES = {"succeeded": "bold green", "failed": "bold red", "interrupted": "bold yellow"}
_IN_ASCII = str.maketrans({"✓": "+", "✗": "x", "→": ">", "│": "|"})
_BAR = 30
_SPEED_AFTER = 0.5
"""Seconds after which a transfer's speed is worth showing."""
_QUICK, _SLOW = 1 / 12, 1.0
"""Seconds between two drawings of what stands at the bottom: while it is new, and afterwards."""
_NEW_SECONDS = 10.0
"""Seconds for which a change there is new. Longer steps are trainings, which lose what drawing costs."""


class Screen(Reporter):
    """Shows a run on a terminal.

    Args:
        console: Where to; a Console of standard output by default.
        ascii_only: Draw with ASCII characters, for terminals that may have no others.
    """

    def __init__(self, console: Console | None = None, *, ascii_only: bool = False) -> None:
        self._ascii = ascii_only
        self._console = console or Console(highlight=False, soft_wrap=False)
        self._lock = threading.RLock()
        self._step: e.StepStarted | None = None
        self._since = self._news = 0.0
        self._status = ""
        self._state = ""
        self._far: e.Progress | None = None
        self._far_since = 0.0
        self._spinner = Spinner("line" if ascii_only else "dots", style="cyan")
        self._metrics: list[e.Metric] = []
        self._last_words: list[e.LastWords] = []
        self._jobs: dict[str, str] = {}
        self._curves: dict[str, Curve] = {}
        self._epoch: e.EpochEnded | None = None
        self._epoch_at = self._job_since = 0.0
        self._told: set[str] = set()
        self._points = PointTable()
        self._live: Live | None = None
        self._mover: threading.Thread | None = None
        self._taken_down = threading.Event()

    # --- what stays at the bottom ----------------------------------------------------------------------

    def bottom(self) -> RenderableType:
        """Draw what stands at the bottom now."""
        with self._lock:
            if self._step is None:
                return Text("")
            line = Table.grid(padding=(0, 1))
            elapsed = time.monotonic() - self._since
            title = Text.assemble((self._step.text, "bold"), (f"  {duration(elapsed)}", "dim"))
            if self._status:
                title.append(f"  {self._status}", "cyan")
            line.add_row(Text(" "), self._spinner, title)
            parts: list[RenderableType] = [line]
            if self._step.step == "sweep":
                parts.append(self._points.drawn(max(3, self._console.height - 4)))
            if self._step.step == "job" and len(self._jobs) > 1:
                parts.append(jobs_table(self._jobs))
            if self._step.step == "job" and (self._curves or self._epoch):
                parts.append(self._curve_table())
            if self._far is not None:
                parts.append(self._bar(self._far))
            return Group(*parts)

    def _curve_table(self) -> RenderableType:
        """Draw the metrics of the job that runs, and say when it may end."""
        table = Table.grid(padding=(0, 2))
        for name, curve in self._curves.items():
            drawn = curve.drawn(ASCII_BLOCKS if self._ascii else BLOCKS)
            table.add_row(Text("   "), Text(name, "dim"), Text(curve.last, "bold"), Text(drawn, "cyan"))
        if self._epoch is not None and self._epoch.epoch < self._epoch.total:
            left = remaining(self._epoch_at - self._job_since, self._epoch.epoch, self._epoch.total)
            left = max(0.0, left - (time.monotonic() - self._epoch_at))
            far = f"{self._epoch.epoch} of {self._epoch.total}"
            table.add_row(
                Text("   "), Text("epoch", "dim"), Text(far), Text(f"about {duration(left)} left", "dim")
            )
        return table

    def _bar(self, far: e.Progress) -> RenderableType:
        passed = time.monotonic() - self._far_since
        speed = f"{size(far.done / passed)}/s" if passed > _SPEED_AFTER and far.unit == "B" else ""
        grid = Table.grid(padding=(0, 1))
        bar: RenderableType
        if self._ascii:
            filled = min(_BAR, _BAR * far.done // far.total) if far.total else 0
            bar = Text(f"[{'#' * filled:{_BAR}}]")
        else:
            bar = ProgressBar(total=far.total or None, completed=far.done, width=_BAR, pulse=not far.total)
        grid.add_row(
            Text("    "),
            bar,
            Text(far_text(far)),
            Text(speed, "dim"),
            Text(clean(far.what), "dim"),
        )
        return grid

    def _print(self, *what: Any, **how: Any) -> None:  # noqa: ANN401 - rich prints anything
        try:
            self._console.print(*what, **how)
        except OSError:  # the terminal is gone; the run goes on
            self._live = None

    def _item(self, mark: str, style: str, text: Text) -> None:
        """Write a line with a mark before it; what does not fit goes on below the text."""
        grid = Table.grid(padding=(0, 1), pad_edge=False)
        text.overflow = "fold"
        grid.add_row(Text(" "), Text(self._drawn(mark), style), text)
        self._print(grid)

    def _drawn(self, text: str) -> str:
        """Give a mark as this terminal can show it."""
        return text.translate(_IN_ASCII) if self._ascii else text

    def _show(self) -> None:
        if self._live is None:
            self._live = Live(
                get_renderable=self.bottom,
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
            self._taken_down.clear()
            self._mover = threading.Thread(target=self._move, args=(self._live,), name="screen", daemon=True)
            self._mover.start()

    def _move(self, live: Live) -> None:
        """Draw what stands at the bottom anew until it is taken down: often only while that is new."""
        with suppress(OSError):  # the terminal is gone; the run goes on
            while not self._taken_down.wait(self._pace()):
                live.refresh()

    def _pace(self) -> float:
        """Give seconds to the next time that it is drawn."""
        return _QUICK if time.monotonic() - self._news < _NEW_SECONDS else _SLOW

    # --- events ----------------------------------------------------------------------------------------

    def run_started(self, event: e.RunStarted) -> None:
        """Write the title."""
        self._jobs = dict.fromkeys(event.jobs, "waiting")
        parameters = "  ".join(f"{name}={value}" for name, value in event.parameters.items())
        self._print(Text.assemble(("  ", ""), (event.scenario, "bold"), (f"  {clean(event.summary)}", "")))
        self._print(Text(f"  {event.run}", "dim"))
        if parameters:
            self._print(Text(f"  {clean(parameters)}", "dim"))
        self._print()

    def step_started(self, event: e.StepStarted) -> None:
        """Begin a step at the bottom."""
        with self._lock:
            self._step = event
            self._since = self._news = time.monotonic()
            self._status, self._far = "", None
        self._show()

    def step_ended(self, event: e.StepEnded) -> None:
        """Write the step above."""
        with self._lock:
            title = self._step.text if self._step else event.step
            self._step, self._far = None, None
        line = Text.assemble((f"{clean(title)}", ""), (f"  {duration(event.seconds)}", "dim"))
        if event.text:
            line.append(f"  {clean(event.text)}", "cyan" if event.ok else "red")
        self._item("✓" if event.ok else "✗", "green" if event.ok else "bold red", line)

    def progress(self, event: e.Progress) -> None:
        """Move the bar."""
        with self._lock:
            self._news = time.monotonic()
            if self._far is None or self._far.what != event.what:
                self._far_since = self._news
            self._far = event

    def cluster_changed(self, event: e.ClusterChanged) -> None:
        """Show where the nodes are."""
        with self._lock:
            self._news = time.monotonic()
            self._status = f"{event.allocation}, {nodes_text(event.nodes)}"

    def job_changed(self, event: e.JobChanged) -> None:
        """Show where the job is."""
        with self._lock:
            self._news = time.monotonic()
            self._points.changed(event.job, event.state)
            if self._step is not None and self._step.step == "sweep":
                self._status = self._points.counts()
                return
            self._status = self._state = event.state
            if event.state == "running" or event.job not in self._jobs:
                self._curves, self._epoch, self._job_since = {}, None, self._news
            self._jobs[event.job] = event.state

    def note(self, event: e.Note) -> None:
        """Write it above."""
        style = {"info": "dim", "warning": "yellow", "error": "bold red"}[event.level]
        self._item("!", style, Text(clean(event.text), style))

    def notice(self, event: e.Notice) -> None:
        """Write what the service did; how far it is stays at the bottom."""
        if is_progress(event.text):
            with self._lock:
                self._status = clean(event.text)
            return
        self._status = self._state
        self._item("!", "yellow", Text(clean(event.text), "yellow"))

    def log_line(self, event: e.LogLine) -> None:
        """Write a line of the job's log."""
        error = event.file.startswith("stderr")
        gutter = self._drawn(f"  {log_prefix(event.file):>7} │ ")
        room = max(20, self._console.width - len(gutter))
        for part in chop_cells(clean(event.text).expandtabs(), room) or [""]:  # goes on below itself
            line = Text(gutter, "dim yellow" if error else "dim", no_wrap=True)
            self._print(line.append(part, "not dim bold cyan" if event.important else "not dim default"))
            gutter = self._drawn(f"  {'':7} │ ")

    def checked(self, event: e.Checked) -> None:
        """Write what is not as expected."""
        if not event.met:
            self._item("✗", "bold red", Text(clean(event.text), "red"))
            self._told.add(event.text)

    def metric(self, event: e.Metric) -> None:
        """Keep it for the table of results."""
        self._metrics.append(event)

    def metric_seen(self, event: e.MetricSeen) -> None:
        """Move its curve."""
        with self._lock:
            self._curves.setdefault(event.name, Curve(event.unit)).add(event.value)
            self._points.seen(event.job, event.name, event.value)

    def epoch_ended(self, event: e.EpochEnded) -> None:
        """Estimate when the job ends."""
        with self._lock:
            self._epoch, self._epoch_at = event, time.monotonic()

    def last_words(self, event: e.LastWords) -> None:
        """Keep them: they stand under the reason."""
        self._last_words.append(event)

    def point_planned(self, event: e.PointPlanned) -> None:
        """Add a row to the table."""
        with self._lock:
            self._points.planned(event.job, event.parameters)

    def point_ended(self, event: e.PointEnded) -> None:
        """Put its end into the table; what is not as expected is written above."""
        with self._lock:
            self._points.ended(event)
        if event.reasons:
            self._item("✗", "bold red", Text(clean(f"{event.job}: {event.reasons[0]}"), "red"))
            self._told.update(event.reasons)

    def ranked(self, event: e.Ranked) -> None:
        """Write the order, the best first."""
        self._print(ranked_table(event))

    def saved(self, event: e.Saved) -> None:
        """Write what was saved."""
        self._print(Text(f"    {clean(event.file)}  {size(event.size)}", "dim"))

    def finished(self, event: e.Finished) -> None:
        """Write the results."""
        self.close()
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for metric in self._metrics:
            mark = Text(self._drawn("✓"), "green") if metric.met else Text(self._drawn("✗"), "bold red")
            value = Text(
                f"{metric.value:g} {metric.unit}".rstrip(), "bold green" if metric.met else "bold red"
            )
            table.add_row(Text(" "), mark, Text(metric.name), value, Text(metric.limit, "dim"))
        for name, count, total in output_groups(event):
            files = f"{count} file{'' if count == 1 else 's'}"
            table.add_row(Text(" "), Text(" "), Text(name), Text(files), Text(size(total), "dim"))
        if table.row_count:
            self._print()
            self._print(table)
        self._print()
        for reason in event.reasons:
            if reason not in self._told:
                self._item("✗", "bold red", Text(clean(reason), "red"))
        for words in self._last_words:
            self._print(Text(f"    the end of {clean(words.job)}'s standard error:", "dim"))
            for said in words.lines:
                self._print(Text(f"    {clean(said)}", "dim red", overflow="fold"))
        if hint := further_hint(event):
            self._item("→", "cyan", Text(clean(hint)))
        style = _STATE_STYLES.get(event.state, "bold yellow")
        line = Text(f"  {verdict(event)}", style)
        if event.outputs:
            line.append(f"   scenario outputs {event.run} --download DIR", "not bold dim")
        self._print(line)

    def close(self) -> None:
        """Take down what stands at the bottom and give the cursor back."""
        self._taken_down.set()
        mover, self._mover = self._mover, None
        if mover is not None:
            mover.join()
        live, self._live = self._live, None
        if live is not None:
            live.stop()
