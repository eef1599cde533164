"""How the programs of this folder tell what they do: JSON lines for programs, plain lines for people.

With ``--json`` each line of standard output is one object:

* ``{"event": "progress", "file": ..., "done": n, "total": n}``: bytes, or images where ``file`` is text
  that is being written; at most ten a second for each file, the last one always
* ``{"event": "note", "message": ...}``: something a person may want to know; never needed
* ``{"event": "done", ...}``: the last line of a program that succeeded (exit code 0)
* ``{"event": "error", "message": ..., "remedy": ...}``: the last line of one that could not (exit code 3)
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

from training.support.room import no_room


class RequirementError(Exception):
    """The machine lacks something; ``remedy`` says what, and how to get it."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class Events:
    """Writes events, as JSON lines to ``out`` or as plain lines: results to ``out``, the rest to ``err``."""

    INTERVAL = 0.1  # seconds between two progress events of one file

    def __init__(self, *, as_json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._json = as_json
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._last: dict[str, float] = {}

    def progress(self, file: str, done: int, total: int) -> None:
        """Say how far a file is; what comes too soon after the last such event is left out."""
        now = time.monotonic()
        if done < total and now - self._last.get(file, -1.0) < self.INTERVAL:
            return
        self._last[file] = now
        if self._json:
            self._line({"event": "progress", "file": file, "done": done, "total": total})
        elif done >= total:
            print(f"{file}: ready", file=self._err, flush=True)

    def note(self, message: str) -> None:
        """Say something that a person may want to know."""
        if self._json:
            self._line({"event": "note", "message": message})
        else:
            print(message, file=self._err, flush=True)

    def done(self, **fields: Any) -> None:
        """Give the result; the last event of a program that succeeded."""
        if self._json:
            self._line({"event": "done", **fields})
            return
        for key, value in fields.items():
            text = " ".join(map(str, value)) if isinstance(value, list) else value
            print(f"{key}: {text}", file=self._out, flush=True)

    def error(self, trouble: RequirementError) -> None:
        """Give the reason; the last event of a program that could not do its work."""
        if self._json:
            self._line({"event": "error", "message": trouble.message, "remedy": trouble.remedy})
        else:
            print(f"error: {trouble.message}", file=self._err)
            if trouble.remedy:
                print(trouble.remedy, file=self._err)

    def _line(self, value: dict[str, Any]) -> None:
        print(json.dumps(value), file=self._out, flush=True)


def run(events: Events, work: Callable[[], None]) -> NoReturn:
    """Do the work and leave: 0 done, 3 the machine lacks something, 130 interrupted, 143 terminated.

    TERM is turned into an exception, so that half-made things are removed before the program leaves.
    """

    def leave(signum: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + signum)

    signal.signal(signal.SIGTERM, leave)
    try:
        work()
    except RequirementError as trouble:
        events.error(trouble)
        raise SystemExit(3) from None
    except OSError as error:  # a full disk, a folder that may not be written
        where = f" ({error.filename})" if error.filename else ""
        said = error.strerror or str(error)
        remedy = no_room(said, error.filename or "") or "Make room or give the right, and run it again."
        events.error(RequirementError(f"{said}{where}", remedy))
        raise SystemExit(3) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(0)
