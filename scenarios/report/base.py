"""The reporter: hears everything that happens in a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchai_scenario.scenarios.report import events as e


class Reporter:
    """Hears events; every method is empty, so override what you want to hear.

    R1. Events come in order, one at a time, from any thread; ``Finished`` is the last.
    R2. A method must not raise, and returns soon: the run waits for it.
    R3. ``close`` may be called at any moment, more than once, and leaves the terminal in order.
    """

    def handle(self, event: e.Event) -> None:
        """Hear an event: calls the method named after it, e.g. ``log_line`` for ``LogLine``."""
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
        getattr(self, name)(event)

    def run_started(self, event: e.RunStarted) -> None:
        """Hear that a run began."""

    def connected(self, event: e.Connected) -> None:
        """Hear where the backend is."""

    def step_started(self, event: e.StepStarted) -> None:
        """Hear that a step began."""

    def step_ended(self, event: e.StepEnded) -> None:
        """Hear that a step ended."""

    def progress(self, event: e.Progress) -> None:
        """Hear how far a step is."""

    def note(self, event: e.Note) -> None:
        """Hear something that a person should know."""

    def cluster_changed(self, event: e.ClusterChanged) -> None:
        """Hear of a cluster's nodes."""

    def job_changed(self, event: e.JobChanged) -> None:
        """Hear of a job's state."""

    def log_line(self, event: e.LogLine) -> None:
        """Hear a line that a job wrote."""

    def notice(self, event: e.Notice) -> None:
        """Hear what the service did for a job."""

    def checked(self, event: e.Checked) -> None:
        """Hear whether an expectation is met."""

    def metric(self, event: e.Metric) -> None:
        """Hear a metric."""

    def metric_seen(self, event: e.MetricSeen) -> None:
        """Hear a metric's value while the job runs."""

    def epoch_ended(self, event: e.EpochEnded) -> None:
        """Hear that a job is done with an epoch."""

    def last_words(self, event: e.LastWords) -> None:
        """Hear the end of a failed job's standard error."""

    def point_planned(self, event: e.PointPlanned) -> None:
        """Hear of a job that a sweep will have."""

    def point_ended(self, event: e.PointEnded) -> None:
        """Hear how a job of a sweep ended."""

    def ranked(self, event: e.Ranked) -> None:
        """Hear the order of a sweep's jobs, the best first."""

    def saved(self, event: e.Saved) -> None:
        """Hear that an output was downloaded."""

    def finished(self, event: e.Finished) -> None:
        """Hear how the run ended."""

    def close(self) -> None:
        """Put the terminal in order (R3)."""


class Recording(Reporter):
    """Keeps every event, for tests and for programs that want to look at them afterwards."""

    def __init__(self) -> None:
        self.events: list[e.Event] = []

    def handle(self, event: e.Event) -> None:
        """Keep an event."""
        self.events.append(event)
