"""Plain lines: for pipes, files and terminals that can do no more."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TextIO

from batchai_scenario.scenarios.report.base import Reporter
from batchai_scenario.scenarios.report.text import clean, duration, size
from batchai_scenario.scenarios.report.words import (
    far_text,
    log_prefix,
    nodes_text,
    ranked_rows,
    ranked_title,
    result_lines,
    values_text,
)

if TYPE_CHECKING:
    from batchai_scenario.scenarios.report import events as e

QUIET = 5.0
"""Seconds between two progress lines."""


class Plain(Reporter):
    """Writes a line for whatever matters, at once; never a control character."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._last_progress = 0.0
        self._broken = False

    def _say(self, text: str) -> None:
        if self._broken:
            return
        try:
            with self._lock:
                self._stream.write(clean(text) + "\n")
                self._stream.flush()
        except OSError:  # nobody reads any more: the run goes on, its record tells
            self._broken = True

    def run_started(self, event: e.RunStarted) -> None:
        """Say what runs."""
        self._say(f"run {event.run}: {event.scenario} on {event.backend}")
        if event.parameters:
            self._say("  " + ", ".join(f"{name}={value}" for name, value in event.parameters.items()))

    def step_started(self, event: e.StepStarted) -> None:
        """Say what is being done."""
        self._last_progress = time.monotonic()
        self._say(event.text)

    def step_ended(self, event: e.StepEnded) -> None:
        """Say what came of it."""
        text = f": {event.text}" if event.text else ""
        self._say(f"  {'done' if event.ok else 'FAILED'} in {duration(event.seconds)}{text}")

    def progress(self, event: e.Progress) -> None:
        """Say how far it is, now and then."""
        if time.monotonic() - self._last_progress < QUIET:
            return
        self._last_progress = time.monotonic()
        self._say(f"  {event.what}: {far_text(event)}")

    def note(self, event: e.Note) -> None:
        """Say it."""
        self._say(event.text if event.level == "info" else f"{event.level}: {event.text}")

    def cluster_changed(self, event: e.ClusterChanged) -> None:
        """Say where the nodes are."""
        self._say(f"  cluster {event.allocation}: {nodes_text(event.nodes)}")

    def job_changed(self, event: e.JobChanged) -> None:
        """Say where the job is."""
        if event.state in ("queued", "running", "terminating"):
            self._say(f"  job {event.job}: {event.state}")

    def log_line(self, event: e.LogLine) -> None:
        """Pass on a line."""
        self._say(f"  {log_prefix(event.file)} | {event.text}")

    def notice(self, event: e.Notice) -> None:
        """Say what the service did."""
        self._say(f"notice: {event.text}")

    def checked(self, event: e.Checked) -> None:
        """Say what is not as expected."""
        if not event.met:
            self._say(f"NOT MET: {event.text}")

    def point_planned(self, event: e.PointPlanned) -> None:
        """Say which point it is."""
        self._say(f"  job {event.job}: {values_text(event.parameters)}")

    def point_ended(self, event: e.PointEnded) -> None:
        """Say how it ended."""
        numbers = "".join(f", {name} {value:g}" for name, value in event.metrics.items())
        self._say(f"  job {event.job}: {event.state}{numbers}")
        for reason in event.reasons:
            self._say(f"  NOT MET: {event.job}: {reason}")

    def ranked(self, event: e.Ranked) -> None:
        """Say the order, the best first."""
        self._say(ranked_title(event))
        for row in ranked_rows(event):
            self._say("  " + "  ".join(row).rstrip())

    def saved(self, event: e.Saved) -> None:
        """Say what was saved."""
        self._say(f"  {event.file} ({size(event.size)})")

    def metric(self, event: e.Metric) -> None:
        """Say a metric."""
        unit = f" {event.unit}" if event.unit else ""
        limit = f" (expected: {event.limit})" if event.limit else ""
        self._say(f"metric {event.name}: {event.value:g}{unit}{limit}{'' if event.met else ' NOT MET'}")

    def last_words(self, event: e.LastWords) -> None:
        """Say how its standard error ended, all at once."""
        self._say(f"job {event.job} failed; its standard error ended with")
        for line in event.lines:
            self._say(f"  stderr | {line}")

    def finished(self, event: e.Finished) -> None:
        """Say how it ended."""
        for line in result_lines(event):
            self._say(line)
