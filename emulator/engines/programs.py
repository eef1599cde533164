"""Runs the programs of ``training/`` that make images and environments, and hears what they report.

They print JSON objects, one a line: ``{"event": "progress", "file": ..., "done": n, "total": n}`` and
``{"event": "note", "message": ...}`` as often as they like, and a last one: ``{"event": "done", ...}``, or
``{"event": "error", "message": ..., "remedy": ...}`` with exit code 3.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

SECONDS_BETWEEN_LINES = 3.0
"""Seconds between two lines about progress, so that logs stay readable."""


class Throttle:
    """Passes on a line about progress at most every few seconds, so that logs stay readable."""

    def __init__(
        self,
        announce: Callable[[str], None],
        *,
        seconds: float = SECONDS_BETWEEN_LINES,
        time_of: Callable[[], float] = time.monotonic,
    ) -> None:
        self._announce = announce
        self._seconds = seconds
        self._time_of = time_of
        self._next = time_of() + seconds

    def __call__(self, line: str) -> None:
        """Announce the line, unless another one was announced just now."""
        now = self._time_of()
        if now >= self._next:
            self._next = now + self._seconds
            self._announce(line)


def share_done(done: float, total: float) -> str:
    """Write progress: ``35 %``, or the bare number where the total is not known."""
    return f"{100 * done / total:.0f} %" if total > 0 else f"{done:.0f}"


def run_program(
    program: Path,
    arguments: Iterable[str],
    what: str,
    announce: Callable[[str], None],
    progress: Callable[[str, int, int], None] | None = None,
    *,
    seconds: float = SECONDS_BETWEEN_LINES,
) -> dict[str, Any]:
    """Run a program to its end and give its last event.

    Args:
        program: the Python file, run by this interpreter.
        arguments: its command line.
        what: what it makes, for announcements: ``image scenario/cntk``.
        announce: hears notes; progress, too, now and then, if there is no ``progress``.
        progress: hears progress as often as the program tells it: (file, done, total). What it raises ends
            the program.
        seconds: between two lines about progress.

    Raises:
        EngineUnavailable: the machine lacks something; the program's own message and remedy.
        EngineError: the program is not there, or failed without saying why.
    """
    if not program.is_file():
        raise EngineError(Problem("InternalError", f"{what} cannot be made: {program} does not exist"))
    throttle = Throttle(lambda line: announce(f"{what}: {line}"), seconds=seconds)
    last: dict[str, Any] = {}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, str(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                last = _event(line) or last
                if last.get("event") == "progress":
                    if progress is None:
                        throttle(_progress(last))
                    else:
                        progress(*_numbers(last))
                elif last.get("event") == "note":
                    announce(f"{what}: {last.get('message', '')}")
                    last = {}
        except BaseException:
            process.terminate()
            raise
        code = process.wait()
        errors.seek(0)
        tail = errors.read()[-600:].decode(errors="replace").strip()
    if code == 0 and last.get("event") == "done":
        return last
    raise _failure(what, last, code, tail)


def _failure(what: str, last: dict[str, Any], code: int, tail: str) -> EngineError:
    """Say why a program did not do it: as it said itself, else by its exit code and its last words."""
    if last.get("event") == "error":
        problem = Problem("InternalError", f"{what} cannot be made: {last.get('message', '')}")
        return EngineUnavailable(problem, str(last.get("remedy") or ""))
    return EngineError(Problem("InternalError", f"{what} cannot be made: exit code {code}. {tail}".strip()))


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _numbers(event: dict[str, Any]) -> tuple[str, int, int]:
    try:
        return str(event.get("file") or ""), int(event.get("done") or 0), int(event.get("total") or 0)
    except (TypeError, ValueError):
        return "", 0, 0


def _progress(event: dict[str, Any]) -> str:
    name = str(event.get("file") or event.get("step") or "")
    try:
        amount = share_done(float(event.get("done") or 0), float(event.get("total") or 0))
    except (TypeError, ValueError):
        amount = ""
    return f"{name} {amount}".strip()
