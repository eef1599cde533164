"""Time, passed in: the emulator never asks the operating system for it directly."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock(Protocol):
    """Tells the time and waits.

    C1. ``now`` is UTC, aware, and cut to whole milliseconds (the service's precision).
    C2. ``wait`` returns as soon as ``event`` is set (True), or when ``until`` has passed (False);
        without ``until`` it waits for the event alone.
    C3. ``of_machine`` translates a moment that the machine's clock told, as that is set now.
    """

    def now(self) -> datetime:
        """Give the time."""
        ...

    def wait(self, event: threading.Event, until: datetime | None = None) -> bool:
        """Wait for the event or for the time, whichever comes first."""
        ...

    def of_machine(self, moment: datetime) -> datetime:
        """Translate a time of files."""
        ...


def _milliseconds(value: datetime) -> datetime:
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


class SystemClock:
    """The machine's time, which somebody may set: for what others sign, and what they are told."""

    def now(self) -> datetime:
        """Give the time (C1)."""
        return _milliseconds(datetime.now(timezone.utc))

    def wait(self, event: threading.Event, until: datetime | None = None) -> bool:
        """Wait for the event or for the time (C2)."""
        if until is None:
            return event.wait()
        while (left := (until - self.now()).total_seconds()) > 0:
            # In short pieces: while the machine sleeps, or is told another time, a long wait falls behind.
            if event.wait(min(left, 60.0)):
                return True
        return event.is_set()

    def of_machine(self, moment: datetime) -> datetime:
        """Give the same (C3)."""
        return moment


class EvenClock(SystemClock):
    """A time that begins with the machine's, then runs evenly and never back: for how long things last.

    Whatever the machine's clock is set to meanwhile is seen by the next one of these. Time in which the
    machine sleeps counts.
    """

    def __init__(self, machine: Clock | None = None, seconds: Callable[[], float] | None = None) -> None:
        """Begin.

        Args:
            machine: tells the time to begin with.
            seconds: counts them from any moment on, never back; by default since the machine was started.
        """
        self._seconds = seconds or _since_boot
        self._machine = machine or SystemClock()
        self._begun = self._machine.now()
        self._first = self._seconds()

    def now(self) -> datetime:
        """Give the time (C1)."""
        return _milliseconds(self._begun + timedelta(seconds=self._seconds() - self._first))

    def of_machine(self, moment: datetime) -> datetime:
        """Add what the machine's clock was set back by since this one began (C3)."""
        back = self.now() - self._machine.now()
        return moment if abs(back) < _NOT_SET else _milliseconds(moment + back)


_NOT_SET = timedelta(seconds=1)
"""What two clocks of one machine may differ by though nobody set one."""


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


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

    def of_machine(self, moment: datetime) -> datetime:
        """Give the same (C3)."""
        return moment


def wire_time(value: datetime) -> str:
    """Write a time as the service does: ISO 8601, ``Z``, milliseconds with trailing zeros dropped."""
    text = value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    return text.rstrip("0").rstrip(".") + "Z"


def parse_time(text: str) -> datetime:
    """Read what ``wire_time`` wrote."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    microsecond = int(fraction.ljust(6, "0")) if fraction else 0
    return datetime.fromisoformat(whole).replace(microsecond=microsecond, tzinfo=timezone.utc)
