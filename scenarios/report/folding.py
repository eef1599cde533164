"""Folds what a toolkit prints on every start to one notice on the screen; the job's files keep every line.

Each toolkit's folder may have a ``noise.yaml``: a list of blocks, each with ``begin`` and ``end`` (regular
expressions for the first and the last line) and ``notice`` (what is shown for all of its blocks).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.scenarios.report import events as e
from batchai_scenario.scenarios.report.base import Reporter
from batchai_scenario.scenarios.run.follow import is_progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LONGEST = 20
"""Lines of a block; a longer one is none, and its lines are shown after all."""


@dataclass(frozen=True, slots=True)
class Noise:
    """A kind of block: patterns of its first and last line, and the notice that stands for it."""

    begin: re.Pattern[str]
    end: re.Pattern[str]
    notice: str


def read_noise(training: Path) -> list[Noise]:
    """Read what toolkits print on every start, from their folders."""
    import yaml

    return [
        Noise(re.compile(entry["begin"]), re.compile(entry["end"]), entry["notice"])
        for file in sorted(training.glob("toolkits/*/noise.yaml"))
        for entry in yaml.safe_load(file.read_text(encoding="utf-8"))
    ]


class Folding(Reporter):
    """Passes events on to a reporter for people, without known noise; what is noted again is counted.

    Args:
        inner: The reporter.
        noise: What is folded.
    """

    def __init__(self, inner: Reporter, noise: Sequence[Noise]) -> None:
        self._inner = inner
        self._noise = noise
        self._held: dict[tuple[str, str], tuple[Noise, list[e.LogLine]]] = {}
        self._told: set[tuple[str, str]] = set()
        self._repeats: Counter[str] = Counter()

    def handle(self, event: e.Event) -> None:
        """Pass an event on, unless it is a line of a block; lines that matter are always shown."""
        if isinstance(event, e.LogLine) and not event.important:
            self._line(event)
            return
        if isinstance(event, (e.Note, e.Notice)) and not is_progress(event.text):
            self._repeats[event.text] += 1
            if self._repeats[event.text] > 1:
                return
        if isinstance(event, e.Finished):
            self._tell_repeats()
        if isinstance(event, (e.JobChanged, e.StepEnded, e.Finished)):
            for key in list(self._held):
                self._give_up(key)
        self._inner.handle(event)

    def _tell_repeats(self) -> None:
        """Say how often each text was repeated that was shown once."""
        for text, count in self._repeats.items():
            if count > 1:
                self._inner.handle(e.Note("info", f"{count - 1} more times: {text}"))
        self._repeats.clear()

    def _line(self, event: e.LogLine) -> None:
        key = (event.job, event.file)
        if key not in self._held:
            noise = next((noise for noise in self._noise if noise.begin.search(event.text)), None)
            if noise is None:
                self._inner.handle(event)
            else:
                self._held[key] = (noise, [event])
            return
        noise, lines = self._held[key]
        lines.append(event)
        if noise.end.search(event.text):
            del self._held[key]
            if (event.job, noise.notice) not in self._told:
                self._told.add((event.job, noise.notice))
                self._inner.handle(e.Notice(event.job, noise.notice))
        elif len(lines) > LONGEST:
            self._give_up(key)

    def _give_up(self, key: tuple[str, str]) -> None:
        """Show the lines of what is no block after all."""
        for line in self._held.pop(key)[1]:
            self._inner.handle(line)

    def close(self) -> None:
        """Put the terminal in order (R3)."""
        self._inner.close()
