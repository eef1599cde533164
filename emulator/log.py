"""The emulator's own log: requests that failed, what nobody expected, trouble with engines.

It is for whoever mends the emulator, and may be shown to others: it holds no bodies, no queries, and of an
unforeseen exception its type and where it came from, but not its text, which could quote a secret.
"""

from __future__ import annotations

import copy
import logging
import logging.handlers
import sqlite3
import traceback
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOMS = "batchai_scenario.emulator"
"""The logger whose children are those of all modules of the emulator."""

_BYTES = 1_000_000
_TEXTS = (
    EmulatorError,
    OSError,
    sqlite3.Error,
    ImportError,
    NameError,
    AttributeError,
    LookupError,
    TypeError,
)
"""Exceptions whose text is ours, the machine's, or about our own program."""


class _Handler(logging.handlers.RotatingFileHandler):
    """Keeps silent where nothing can be written: a full disk is no reason to speak to a terminal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Lose a line."""


class EmulatorLog:
    """Appends to a file of at most a megabyte and one older one; the file appears with its first line.

    It also hears what the modules of the emulator tell their loggers, from a warning on. If there are several
    emulators in a process, each log has what the modules tell.
    """

    def __init__(self, path: Path) -> None:
        self._handler = _Handler(
            path, maxBytes=_BYTES, backupCount=1, delay=True, encoding="utf-8", errors="backslashreplace"
        )
        self._handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(message)s"))
        # Not one of the logging module's own: what is told here is of this emulator alone.
        self._logger = logging.Logger("emulator")  # noqa: LOG001 - see above
        self._logger.addHandler(self._handler)
        logging.getLogger(ROOMS).addHandler(self._handler)

    def error(self, text: str) -> None:
        """Write down an error."""
        self._logger.error("%s", text)

    def info(self, text: str) -> None:
        """Write down what is no fault of ours."""
        self._logger.info("%s", text)

    def close(self) -> None:
        """Close the file."""
        logging.getLogger(ROOMS).removeHandler(self._handler)
        self._handler.close()


class _Lines(logging.Formatter):
    """Writes exceptions as ``describe`` does."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; what another formatter made of its exception is not taken over, nor left behind."""
        mine = copy.copy(record)
        mine.exc_text = None
        return super().format(mine)

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802 - the logging module's own signature
        """Describe an exception."""
        return describe(ei[1])


def describe(error: BaseException) -> str:
    """Say what an exception is, and where it and those that led to it were raised."""
    return "\n".join(
        f"Traceback (most recent call last):\n{''.join(traceback.format_tb(one.__traceback__))}{_said(one)}"
        for one in reversed(list(_chain(error)))
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _said(error: BaseException) -> str:
    name = type(error).__qualname__
    return f"{name}: {error}" if isinstance(error, _TEXTS) else name
