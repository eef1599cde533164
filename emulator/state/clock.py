"""Time, passed in: the emulator never asks the operating system for it directly."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits.

    C1. ``now`` is UTC, aware, cut to whole milliseconds (the service's precision), and never runs back.
    C2. ``wait`` returns as soon as ``event`` is set (True), or when ``until`` has passed (False);
        without ``until`` it waits for the event alone.
    """

    def now(self) -> datetime:
        """Give the time."""
        ...

    def wait(self, event: threading.Event, until: datetime | None = None) -> bool:
        """Wait for the event or for the time, whichever comes first."""
        ...


def _milliseconds(value: datetime) -> datetime:
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


class SystemClock:
    """The real time."""

    def __init__(self) -> None:
        self._last = datetime.min.replace(tzinfo=timezone.utc)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Give the time (C1)."""
        with self._lock:
            self._last = max(self._last, _milliseconds(datetime.now(timezone.utc)))
            return self._last

    def wait(self, event: threading.Event, until: datetime | None = None) -> bool:
        """Wait for the event or for the time (C2)."""
        if until is None:
            return event.wait()
        while (left := (until - self.now()).total_seconds()) > 0:
            # In short pieces: while the machine sleeps, or is told another time, a long wait falls behind.
            if event.wait(min(left, 60.0)):
                return True
        return event.is_set()


class ManualClock:
    """A time that stands still until it is moved: for tests."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2018, 6, 6, 12, tzinfo=timezone.utc)
        self._moved = threading.Condition()

    def now(self) -> datetime:
        """Give the time (C1)."""
        with self._moved:
            return _milliseconds(self._now)

    def advance(self, **delta: float) -> None:
        """Move the time forward, by the keyword arguments of ``timedelta``."""
        with self._moved:
            self._now += timedelta(**delta)
            self._moved.notify_all()

    def wait(self, event: threading.Event, until: datetime | None = None) -> bool:
        """Wait for the event or for the time (C2)."""
        while not event.is_set():
            with self._moved:
                if until is not None and self._now >= until:
                    return False
                # The event is set by other threads without our condition, so look again soon.
                self._moved.wait(0.005)
        return True


def wire_time(value: datetime) -> str:
    """Write a time as the service does: ISO 8601, ``Z``, milliseconds with trailing zeros dropped."""
    text = value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    return text.rstrip("0").rstrip(".") + "Z"


def parse_time(text: str) -> datetime:
    """Read what ``wire_time`` wrote."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    microsecond = int(fraction.ljust(6, "0")) if fraction else 0
    return datetime.fromisoformat(whole).replace(microsecond=microsecond, tzinfo=timezone.utc)
