"""What a job's log says of how well it goes: metrics as they come, epochs, a failure's last words."""

from __future__ import annotations

import math
import re
from collections import deque
from typing import TYPE_CHECKING

from batchai_scenario.scenarios.definition.expect import metric_values
from batchai_scenario.scenarios.report.events import EpochEnded, LastWords, LogLine, MetricSeen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.scenarios.definition.schema import MetricSection
    from batchai_scenario.scenarios.report.events import Event

LAST_LINES = 20
"""Lines of standard error that are told of a job that failed."""

_EPOCH = re.compile(r"\bepochs?\W{0,3}(\d{1,9}) ?(?:/|of) ?(\d{1,9})\b", re.IGNORECASE)


class Watch:
    """Passes events on, and tells besides what lines of the log mean.

    Args:
        job: The job's name.
        metrics: The metrics that the scenario expects of it.
        emit: Hears all events.
        keep: Keeps every value of a metric, also what is no finite number: name, value, unit.
    """

    def __init__(
        self,
        job: str,
        metrics: Mapping[str, MetricSection],
        emit: Callable[[Event], None],
        keep: Callable[[str, float, str], None] = lambda *_: None,
    ) -> None:
        self._job = job
        self._metrics = metrics
        self._emit = emit
        self._keep = keep
        self._errors: deque[str] = deque(maxlen=LAST_LINES)
        self._epoch = 0

    def __call__(self, event: Event) -> None:
        """Hear an event."""
        self._emit(event)
        if not isinstance(event, LogLine):
            return
        if event.file.startswith("stderr"):
            self._errors.append(event.text)
        for name, section in self._metrics.items():
            if section.from_ != event.file:
                continue
            for value in metric_values(section.pattern, event.text):
                self._keep(name, value, section.unit)
                if math.isfinite(value):
                    self._emit(MetricSeen(self._job, name, value, section.unit))
        found = _EPOCH.search(event.text)
        if found and self._epoch < int(found[1]) <= int(found[2]):
            self._epoch = int(found[1])
            self._emit(EpochEnded(self._job, self._epoch, int(found[2])))

    def tell_last_words(self) -> None:
        """Tell the end of standard error, if there is any."""
        if self._errors:
            self._emit(LastWords(self._job, tuple(self._errors)))
