"""How often Slurm is asked: at most twice in any second, however many want to know."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from batchai_scenario.emulator.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

QUESTIONS = ("squeue", "sinfo", "scontrol")
"""Commands that ask the controller, and order nothing."""

AT_ONCE, SECONDS = 2, 1.0
"""So many questions in so many seconds."""


class Pace:
    """Lets questions pass, no more than AT_ONCE in any SECONDS; safe to call from several threads.

    Args:
        clock: tells seconds that never go back.
        sleep: waits for so many of them.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._passed: deque[float] = deque(maxlen=AT_ONCE)

    def turn(self) -> None:
        """Wait until one more may pass."""
        with self._lock:
            if len(self._passed) == AT_ONCE:
                self._sleep(max(0.0, self._passed[0] + SECONDS - self._clock()))
            self._passed.append(self._clock())


class Shared(Generic[T]):
    """A question whose answer is everybody's who wanted it before it was asked; safe for several threads.

    Args:
        ask: asks it; an EngineError that it raises is an answer too.
    """

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._answer: tuple[float, T | EngineError] | None = None

    def answer(self, within: float = 0.0) -> T:
        """Give what was said since this was called, or to a question of at most ``within`` seconds before."""
        wanted = time.monotonic() - within
        with self._lock:
            if self._answer is None or self._answer[0] < wanted:
                asked = time.monotonic()
                self._answer = asked, self._heard()
            found = self._answer[1]
        if isinstance(found, EngineError):
            raise dataclasses.replace(found)
        return found

    def _heard(self) -> T | EngineError:
        try:
            return self._ask()
        except EngineError as error:
            return error
