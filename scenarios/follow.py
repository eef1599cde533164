"""Following a job's logs: every byte once, in order, from the first to the last."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import NotFound
from batchai_scenario.scenarios.events import LogLine, Notice
from batchai_scenario.scenarios.files import STANDARD
from batchai_scenario.scenarios.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batchai_scenario.scenarios.events import Event
    from batchai_scenario.scenarios.files import JobFiles

_SERVICE_LINE = re.compile(r"(\S+Z) (INFO|NOTICE|ERROR) (.*)")
_PERCENT = re.compile(r"\b\d{1,3} ?%$")
LONGEST_PENDING = 1_000_000
"""Characters of an unfinished line that are kept; a longer one is passed on in pieces."""


def is_service_log(name: str) -> bool:
    """Tell whether a file of the standard output folder is the service's own log, not the job's."""
    return name.startswith("execution") and name.endswith(".log")


class _Tail:
    """One file that grows: how far it was read, and what of it is no whole line yet."""

    def __init__(self) -> None:
        self.offset = 0
        self.pending = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes, *, last: bool = False) -> list[str]:
        """Take bytes; gives the lines that are whole now, and with ``last`` also the rest."""
        self.offset += len(data)
        text = self.pending + self._decoder.decode(data, final=last)
        *lines, self.pending = text.split("\n")
        if self.pending and (last or len(self.pending) > LONGEST_PENDING):
            lines.append(self.pending)
            self.pending = ""
        return lines


class Follower:
    """Reads what was added to a job's logs since the last look, and tells it as events.

    Args:
        job: The job's name, for the events.
        files: The job's files.
        emit: Hears the events.
        important: Patterns of lines that matter.
        only: Names of the files to follow; all of them if empty, the service's log as notices.
    """

    def __init__(
        self,
        job: str,
        files: JobFiles,
        emit: Callable[[Event], None],
        important: Sequence[re.Pattern[str]] = (),
        only: Sequence[str] = (),
    ) -> None:
        self._job = job
        self._files = files
        self._emit = emit
        self._important = important
        self._only = only
        self._tails: dict[str, _Tail] = {}
        self.notices: list[str] = []

    def look(self, *, last: bool = False) -> bool:
        """Pass on what is new; with ``last`` (the job has ended) also a line without an end.

        Gives True if there was anything. A call that raises may be repeated: no byte is lost or doubled.
        """
        any_news = False
        for item in self._files.list(STANDARD):
            if item.is_directory or (self._only and item.path not in self._only):
                continue
            tail = self._tails.setdefault(item.path, _Tail())
            if (item.size or 0) > tail.offset:
                any_news = True
                self._read(item.path, tail)
            if last:
                self._tell(item.path, tail.feed(b"", last=True))
        return any_news

    def _read(self, path: str, tail: _Tail) -> None:
        try:
            for block in self._files.read(STANDARD, path, tail.offset):
                self._tell(path, tail.feed(block))
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


def notices(lines: Sequence[str]) -> Iterator[str]:
    """Give what a person should see of the service's own log: its notices and errors."""
    for line in lines:
        match = _SERVICE_LINE.fullmatch(line.rstrip("\r\n"))
        if match and match[2] != "INFO":
            yield clean(match[3] if match[2] == "NOTICE" else f"error: {match[3]}")
