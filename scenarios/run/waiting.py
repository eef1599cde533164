"""Waiting: for a time, for an answer, and no longer than the user wants."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from batchai_scenario.backends.errors import BackendError, Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
SHORTEST = 0.01
"""Seconds between two looks at something that has just begun."""


class Waiting:
    """Waits until asked to stop.

    Args:
        stop: Set by whoever wants the run to stop (Ctrl-C): every wait then raises Interrupted.
    """

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.stop = stop or threading.Event()

    def now(self) -> float:
        """Give seconds on a clock that is never set back."""
        return time.monotonic()

    def check(self) -> None:
        """Raise Interrupted if the run is to stop."""
        if self.stop.is_set():
            raise Interrupted("interrupted")

    def grace(self, seconds: float) -> Callable[[], None]:
        """Give a check that raises Interrupted once this time has passed: for work after a stop was asked."""
        end = self.now() + seconds

        def check() -> None:
            if self.now() > end:
                raise Interrupted(f"it takes longer than {seconds:g} s")

        return check

    def pause(self, seconds: float) -> None:
        """Wait; Interrupted if the run is to stop."""
        if self.stop.wait(seconds):
            self.check()


class PollInterval:
    """How long to wait between two looks: a part of the time that passed, up to what the backend asks for.

    What ends after 0.2 s is seen 0.02 s later; what takes an hour is not asked after every moment.
    """

    SHARE = 0.08

    def __init__(self, waiting: Waiting, longest: float) -> None:
        self._waiting = waiting
        self._longest = max(SHORTEST, longest)
        self._begin = waiting.now()

    def pause(self) -> None:
        """Wait until the next look."""
        passed = self._waiting.now() - self._begin
        self._waiting.pause(min(self._longest, max(SHORTEST, passed * self.SHARE)))


class Retrying:
    """Repeats what failed for a reason that may go away: a connection that was lost, a busy service.

    Args:
        waiting: Waits, and hears whether to stop.
        tell: Called once when a call begins to be repeated, with a sentence.
        longest: Seconds after which the error is raised.
    """

    def __init__(self, waiting: Waiting, tell: Callable[[str], None], longest: float = 300.0) -> None:
        self._waiting = waiting
        self._tell = tell
        self._longest = longest

    def __call__(self, work: Callable[[], T]) -> T:
        """Do the work; a transient BackendError is met with another try, any other is raised."""
        begin = self._waiting.now()
        delay = 0.1
        told = False
        while True:
            try:
                return work()
            except BackendError as error:
                if not error.transient or self._waiting.now() - begin > self._longest:
                    raise
                if not told:
                    self._tell(f"the backend does not answer ({error}); trying again")
                    told = True
            self._waiting.pause(delay * random.uniform(0.8, 1.2))  # noqa: S311 - only spreads retries
            delay = min(5.0, delay * 2)
