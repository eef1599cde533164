"""JSON lines: one object for each event, the last one is ``finished``."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TextIO

from batchai_scenario.scenarios.report.base import Reporter

if TYPE_CHECKING:
    from batchai_scenario.scenarios.report.events import Event


def camel(name: str) -> str:
    """Write a Python name as JSON names are written here: ``exit_code`` becomes ``exitCode``."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def as_json(event: Event) -> dict[str, Any]:
    """Give an event's object: ``event`` (its name), ``time`` (UTC), and its fields."""
    name = type(event).__name__
    fields = {camel(field.name): _plain(getattr(event, field.name)) for field in dataclasses.fields(event)}
    moment = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"event": name[0].lower() + name[1:], "time": moment, **fields}


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {camel(field.name): _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


class JsonLines(Reporter):
    """Writes every event to a stream, at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()

    def handle(self, event: Event) -> None:
        """Write one line; ASCII only, so that no log line can break a reader."""
        line = json.dumps(as_json(event), allow_nan=False)
        with self._lock, contextlib.suppress(OSError):  # nobody reads any more: the run goes on
            self._stream.write(line + "\n")
            self._stream.flush()
