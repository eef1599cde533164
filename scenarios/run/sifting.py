"""Choosing among logs: by node, by role, by time, by what a line says, by how many lines."""

from __future__ import annotations

import re
from collections import deque
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from batchai_scenario.scenarios.report.events import LogLine, Notice

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from batchai_scenario.backends.base import OutputFile
    from batchai_scenario.scenarios.report.events import Event

_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?")


class Sieve:
    """Passes on some log lines.

    Files: ``stdout.txt``, ``stderr-wk-0.txt`` of the role ``wk-0``, ``stdout-job_prep-NODE.txt`` and
    ``execution-NODE.log`` of a node.

    Args:
        emit: Hears what passes.
        grep: Only lines in which this is found.
        tail: Only the last so many lines of each file, until ``let_go``; then all that come.
        since: Only what was written since then: of lines that begin with a time (and its zone) those
            since, of others all, if their file was written to since.
        node: Only files of this node.
        role: Only files of this role: ``wk-0``, or ``wk`` for all workers.
    """

    def __init__(
        self,
        emit: Callable[[Event], None],
        *,
        grep: re.Pattern[str] | None = None,
        tail: int | None = None,
        since: timedelta | None = None,
        node: str = "",
        role: str = "",
    ) -> None:
        self._emit = emit
        self._grep = grep
        self._tail = tail
        self._since = None if since is None else datetime.now(timezone.utc) - since
        self._node = node
        self._role = role
        self._held: dict[tuple[str, str], deque[Event]] = {}

    @property
    def tail(self) -> int | None:
        """How many lines of a file's end are all that can pass; None: what stands before them may, too."""
        return self._tail if self._grep is None and self._since is None else None

    def wants(self, file: OutputFile) -> bool:
        """Tell whether a file is of the node and role, and was written to since then."""
        stem = file.path.rpartition(".")[0]
        of = stem.partition("-")[2]
        if self._role and not (of == self._role or of.startswith(f"{self._role}-")):
            return False
        if self._node and not (of == self._node or of.endswith(f"-{self._node}")):
            return False
        return self._since is None or file.modified is None or file.modified >= self._since

    def __call__(self, event: Event) -> None:
        """Pass an event on, keep it for the end, or drop it."""
        if not isinstance(event, (LogLine, Notice)):
            self._emit(event)
            return
        if isinstance(event, LogLine) and self._is_older(event):
            return
        if self._grep is not None and not self._grep.search(event.text):
            return
        if self._tail is None:
            self._emit(event)
            return
        file = event.file if isinstance(event, LogLine) else ""
        self._held.setdefault((event.job, file), deque(maxlen=self._tail)).append(event)

    def let_go(self) -> None:
        """Pass on what was held; from now on everything passes at once."""
        for events in self._held.values():
            for event in events:
                self._emit(event)
        self._held.clear()
        self._tail = None

    def _is_older(self, line: LogLine) -> bool:
        if self._since is None:
            return False
        stamp = _STAMP.match(line.text)
        if stamp is None:
            return False
        text = stamp[0].replace(",", ".").replace("Z", "+00:00")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return False
        return moment.tzinfo is not None and moment < self._since  # without a zone nobody knows when it was
