"""Making data sets: each is a program of its own, which tells its progress in JSON lines."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from batchai_scenario.backends.errors import MachineError
from batchai_scenario.scenarios.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from batchai_scenario.scenarios.run.waiting import Waiting

_LONGEST_LINE = 1_000_000
"""Bytes of a line that are kept: its end."""

_LOOK = 0.2
"""Seconds between two looks at whether the user wants to stop."""


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Where data sets are kept and may come from: ``source`` is a folder that the user names."""

    cache: Path
    source: Path | None = None
    offline: bool = False


def make_dataset(
    name: str,
    program: Path,
    options: DataOptions,
    *,
    waiting: Waiting,
    progress: Callable[[str, int, int], None],
    note: Callable[[str], None],
) -> list[Path]:
    """Run a data set's program; gives its files.

    Args:
        name: The data set's name, for errors.
        program: Python file to run with this interpreter.
        options: Cache and sources.
        waiting: Hears whether to stop; the program is then ended.
        progress: Hears (file, done, total).
        note: Hears what a person should know.

    Raises:
        MachineError: The data cannot be had; the remedy says what to fetch and where to put it.
        Interrupted: The user wants to stop.
    """
    command = [sys.executable, str(program), "--cache", str(options.cache), "--json"]
    if options.source is not None:
        command += ["--source", str(options.source)]
    if options.offline:
        command.append("--offline")
    errors: deque[str] = deque(maxlen=20)
    last: dict[str, Any] = {}
    # A session of its own: Ctrl-C on the terminal reaches us only, and we end the program.
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            for stream, line in _lines(process, waiting):
                event = _event(line) if stream == "out" else None
                if event is None:
                    errors.append(clean(line))
                elif event["event"] == "progress":
                    progress(
                        str(event.get("file", name)), int(event.get("done", 0)), int(event.get("total", 0))
                    )
                elif event["event"] == "note":
                    note(clean(str(event.get("message", ""))))
                else:
                    last = event
        except BaseException:
            process.terminate()
            raise
    if process.returncode == 0 and last.get("event") == "done":
        return [Path(file) for file in last["files"]]
    raise _failure(name, command, process.returncode, last, errors)


def _failure(
    name: str, command: list[str], code: int, last: dict[str, Any], errors: Iterable[str]
) -> MachineError:
    """Say why there is no data: as the program itself said, else by its exit code and its last words."""
    if last.get("event") == "error":
        return MachineError(
            f"data set {name}: {last.get('message', '')}.".replace("..", "."), str(last.get("remedy", ""))
        )
    said = next((line for line in reversed([*errors]) if line.strip()), "it said nothing")
    return MachineError(
        f"data set {name}: its program ended with exit code {code}: {said}.",
        f"Run it by hand to see more: {' '.join(command)}",
    )


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _lines(process: subprocess.Popen[bytes], waiting: Waiting) -> Iterator[tuple[str, str]]:
    """Give the lines of both streams as they come; stops with Interrupted if the user wants to."""
    with selectors.DefaultSelector() as selector:
        rest: dict[str, bytes] = {"out": b"", "err": b""}
        for name, stream in (("out", process.stdout), ("err", process.stderr)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, name)
        while selector.get_map():
            waiting.check()
            for key, _ in selector.select(_LOOK):
                stream_: IO[bytes] = key.fileobj  # type: ignore[assignment]
                block = os.read(stream_.fileno(), 65536)
                if not block:
                    selector.unregister(stream_)
                *whole, rest[key.data] = (rest[key.data] + block).split(b"\n")
                rest[key.data] = rest[key.data][-_LONGEST_LINE:]
                for line in whole:
                    yield key.data, line.decode("utf-8", "replace")
        for name, line in rest.items():
            if line:
                yield name, line.decode("utf-8", "replace")
