"""Following a job's logs: every byte once, in order, from the first to the last."""

from __future__ import annotations

import codecs
import math
import re
import time
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import NotFound
from batchai_scenario.scenarios.report.events import LogLine, Notice
from batchai_scenario.scenarios.report.text import clean
from batchai_scenario.scenarios.run.files import STANDARD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from batchai_scenario.backends.base import OutputFile
    from batchai_scenario.scenarios.report.events import Event
    from batchai_scenario.scenarios.run.files import JobFiles

_SERVICE_LINE = re.compile(r"(\S+Z) (INFO|NOTICE|ERROR) (.*)")
_PERCENT = re.compile(r"\b\d{1,3} ?%$")
LONGEST_PENDING = 1_000_000
"""Characters of an unfinished line that are kept; a longer one is passed on in pieces."""

_TAIL_BYTES = 65_536
_MOST_TAIL_BYTES = 16 * 1024 * 1024
"""Bytes at the end of a file in which its last lines are looked for, at first and at most."""

STANDS_SECONDS = 2.0
"""Seconds for which a line without an end may stand before it is shown: a progress bar, a question."""


def is_service_log(name: str) -> bool:
    """Tell whether a file of the standard output folder is the service's own log, not the job's."""
    return name.startswith("execution") and name.endswith(".log")


class _Tail:
    """One file that grows: how far it was read, and what of it is no whole line yet.

    ``shown`` tells that the beginning of the line was passed on already, before its end was there.
    """

    def __init__(self) -> None:
        self.offset = 0
        self.pending = ""
        self.since = math.inf
        self.shown = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes, moment: float, *, last: bool = False) -> list[str]:
        """Take bytes; gives the lines that are whole now, and with ``last`` also the rest."""
        self.offset += len(data)
        text = self.pending + self._decoder.decode(data, final=last)
        *lines, rest = text.split("\n")
        if lines:
            if self.shown and not lines[0].strip("\r"):
                del lines[0]  # only the end of a line that was passed on
            self.shown = False
        if lines or not self.pending:
            self.since = moment
        self.pending = rest
        if rest and (last or len(rest) > LONGEST_PENDING):
            lines.append(self._take())
        return lines

    def standing(self, moment: float) -> list[str]:
        """Give what stands without an end for longer than ``STANDS_SECONDS``; it is not given again."""
        if not self.pending.strip("\r") or moment - self.since < STANDS_SECONDS:
            return []
        return [self._take()]

    def _take(self) -> str:
        text, self.pending, self.shown = self.pending, "", True
        return text


class Follower:
    """Reads what was added to a job's logs since the last look, and tells it as events.

    ``names``: all files that were seen, also those that are not followed.

    Args:
        job: The job's name, for the events.
        files: The job's files.
        emit: Hears the events.
        important: Patterns of lines that matter.
        only: Names of the files to follow; all of them if empty, the service's log as notices.
        wanted: Tells whether to follow a file.
        tail: At the first look at least so many lines of a file's end are read, and of a long file not much
            more; all of it if None, or if its lines are very long.
        clock: Gives seconds.
    """

    def __init__(
        self,
        job: str,
        files: JobFiles,
        emit: Callable[[Event], None],
        important: Sequence[re.Pattern[str]] = (),
        only: Sequence[str] = (),
        *,
        wanted: Callable[[OutputFile], bool] = lambda _: True,
        tail: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job = job
        self._files = files
        self._emit = emit
        self._important = important
        self._only = only
        self._wanted = wanted
        self._last = tail
        self._clock = clock
        self._tails: dict[str, _Tail] = {}
        self.notices: list[str] = []
        self.names: set[str] = set()

    def look(self, *, last: bool = False) -> bool:
        """Pass on what is new; with ``last`` (the job has ended) also a line without an end.

        Gives True if there was anything. A call that raises may be repeated: no byte is lost or doubled.
        """
        any_news = False
        for item in self._files.list(STANDARD):
            if item.is_directory:
                continue
            self.names.add(item.path)
            if (self._only and item.path not in self._only) or not self._wanted(item):
                continue
            tail = self._tails.get(item.path)
            if tail is None:
                tail = self._tails[item.path] = _Tail()
                tail.offset = self._beginning(item)
            if (item.size or 0) < tail.offset:  # the job made it shorter: what it writes now is new
                self._tell(item.path, tail.feed(b"", self._clock(), last=True))
                tail = self._tails[item.path] = _Tail()
            if (item.size or 0) > tail.offset:
                any_news = True
                self._read(item.path, tail)
            now = self._clock()
            self._tell(item.path, tail.feed(b"", now, last=True) if last else tail.standing(now))
        self._last = None  # what comes now is new
        return any_news

    def _beginning(self, item: OutputFile) -> int:
        """Give the byte from which a file is read: its first, or that of its last lines."""
        if self._last is None or (is_service_log(item.path) and not self._only):
            return 0  # of the service's log most lines are not told
        size, span = item.size or 0, _TAIL_BYTES
        while span < min(size, _MOST_TAIL_BYTES):
            try:
                end = b"".join(self._files.read(STANDARD, item.path, size - span))
            except NotFound:  # the job removed it between the two calls
                return 0
            place = len(end)
            for _ in range(self._last + 1):
                place = end.rfind(b"\n", 0, max(place, 0))
            if place >= 0:
                return size - span + place + 1
            span *= 4
        return 0

    def _read(self, path: str, tail: _Tail) -> None:
        try:
            for block in self._files.read(STANDARD, path, tail.offset):
                self._tell(path, tail.feed(block, self._clock()))
        except NotFound:  # the job removed it between the two calls
            return

    def _tell(self, path: str, lines: Sequence[str]) -> None:
        for line in lines:
            if is_service_log(path) and not self._only:
                for notice in notices([line]):
                    if not is_progress(notice):
                        self.notices.append(notice)
                    self._emit(Notice(self._job, notice))
                continue
            text = clean(line)
            important = any(pattern.search(text) for pattern in self._important)
            self._emit(LogLine(self._job, path, text, important))


def is_progress(notice: str) -> bool:
    """Tell whether a notice only says how far something is: ``pulling ...: 40 %``."""
    return _PERCENT.search(notice) is not None


def notices(lines: Iterable[str]) -> Iterator[str]:
    """Give what a person should see of the service's own log: its notices and errors."""
    for line in lines:
        match = _SERVICE_LINE.fullmatch(line.rstrip("\r\n"))
        if match and match[2] != "INFO":
            yield clean(match[3] if match[2] == "NOTICE" else f"error: {match[3]}")
