"""One thread that owns every transition, and worker threads that block in its stead."""

from __future__ import annotations

import errno
import heapq
import itertools
import logging
import sqlite3
import threading
import time
from collections import deque
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, Union

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import datetime

    from batchai_scenario.emulator.state.clock import Clock

T = TypeVar("T")
Outcome = Union[T, Exception]  # noqa: UP007 - an alias with a variable, on Python 3.10 too

_log = logging.getLogger(__name__)

RETRY = timedelta(seconds=5)
"""How long we wait before we try again what the machine (engine, disk) did not let us do."""


class LoopClosed(Exception):
    """The loop does not run: it was not started yet, or is closed."""


@dataclass(slots=True)
class Timer:
    """An action of the future; ``action`` None: it was cancelled."""

    when: datetime
    action: Callable[[], object] | None


class Loop:
    """Runs actions one after another on a thread of its own.

    An action that the disk refuses (full, locked) is tried again later: an event is never lost. Any
    other exception is a bug: it goes to whoever asked, or to the log, and the loop goes on.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._actions: deque[Callable[[], object]] = deque()
        self._timers: list[tuple[datetime, int, Timer]] = []
        self._cancelled = 0
        self._numbers = itertools.count()
        self._asked: set[Future[Any]] = set()
        self._wake = threading.Event()
        self._turned = threading.Condition()
        self._open = False
        self._thread = threading.Thread(target=self._run, name="cluster", daemon=True)

    def start(self) -> None:
        """Begin to run actions."""
        self._open = True
        self._thread.start()

    def close(self, timeout: float = 1.0) -> None:
        """Stop after the action that runs now; what is queued is dropped (it is found again on disk)."""
        with self._turned:
            self._open = False
            self._turned.notify_all()
            for answer in tuple(self._asked):
                answer.cancel()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def post(self, action: Callable[[], object]) -> None:
        """Run an action soon; dropped if the loop is closed."""
        self._actions.append(action)
        self._wake.set()

    def ask(self, action: Callable[[], T]) -> T:
        """Run an action on the loop's thread and give its result, or raise what it raised."""
        answer: Future[T] = Future()

        def reply() -> None:
            if not answer.set_running_or_notify_cancel():
                return  # the loop was closed meanwhile, and whoever asked knows
            try:
                answer.set_result(action())
            except Exception as error:  # noqa: BLE001 - whoever asked gets it
                answer.set_exception(error)

        with self._turned:
            if not self._open:
                raise LoopClosed("the cluster service does not run")
            self._asked.add(answer)
            self.post(reply)
        try:
            return answer.result()
        except CancelledError:
            raise LoopClosed("the cluster service was closed") from None
        finally:
            self._asked.discard(answer)

    def at(self, when: datetime, action: Callable[[], object]) -> Timer:
        """Run an action once the clock shows ``when``. Call it from an action."""
        timer = Timer(when, action)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def cancel(self, timer: Timer) -> None:
        """Forget an action of the future; nothing if it ran already. Call it from an action."""
        if timer.action is None:
            return
        timer.action = None
        self._cancelled += 1
        if self._cancelled > len(self._timers) // 2:
            self._timers = [entry for entry in self._timers if entry[2].action is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def later(self, action: Callable[[], object]) -> None:
        """Run an action when it is time to try again (RETRY). Call it from an action."""
        self.at(self._clock.now() + RETRY, action)

    def wait_until(self, condition: Callable[[], T | None], timeout: float) -> T:
        """Wait for a condition, looked at after every action; TimeoutError after ``timeout`` seconds."""
        with self._turned:
            found: list[T] = []

            def look() -> bool:
                value = condition()
                if value:
                    found.append(value)
                return bool(found)

            if not self._turned.wait_for(look, timeout):
                raise TimeoutError(f"the condition did not come true within {timeout} s")
            return found[0]

    def _run(self) -> None:
        while self._open:
            self._clock.wait(self._wake, self._timers[0][0] if self._timers else None)
            self._wake.clear()
            while self._timers and self._timers[0][0] <= self._clock.now():
                self._fire(heapq.heappop(self._timers)[2])
            while self._actions and self._open:
                self._turn(self._actions.popleft())

    def _fire(self, timer: Timer) -> None:
        if timer.action is None:
            self._cancelled -= 1
            return
        self._actions.append(timer.action)
        timer.action = None

    def _turn(self, action: Callable[[], object]) -> None:
        try:
            action()
        except sqlite3.OperationalError:
            _log.exception("the state could not be written; trying again in %s", RETRY)
            self.later(action)
        except Exception:  # noqa: BLE001 - logged; the loop must go on
            _log.exception("a bug of ours in %s", getattr(action, "__qualname__", action))
        with self._turned:
            self._turned.notify_all()


def daemon(run: Callable[[], None], name: str) -> threading.Thread:
    """Make a thread that does not keep the process alive."""
    return threading.Thread(target=run, name=name, daemon=True)


class Workers:
    """Runs blocking calls on threads of their own, at most one for each key; posts how they ended.

    ``begin``, ``busy`` and every ``done`` are for the loop's thread only. Threads are daemons: an engine
    call that blocks for days does not keep the process alive, and is found again after a restart. A thread
    that cannot be had ends a call with OSError (EAGAIN), which is worth another try.
    """

    def __init__(
        self, loop: Loop, make_thread: Callable[[Callable[[], None], str], threading.Thread] = daemon
    ) -> None:
        self._loop = loop
        self._make_thread = make_thread
        self._threads: dict[Hashable, threading.Thread] = {}

    def busy(self, key: Hashable) -> bool:
        """Tell whether a call runs under this key."""
        return key in self._threads

    def begin(self, key: Hashable, work: Callable[[], T], done: Callable[[Outcome[T]], None]) -> None:
        """Run ``work`` unless the key is busy; ``done`` gets its result, or the exception it raised."""
        if key in self._threads:
            return

        def run() -> None:
            outcome: Outcome[T]
            try:
                outcome = work()
            except LoopClosed:
                return
            except Exception as error:  # noqa: BLE001 - handed over, never swallowed
                outcome = error
            self._loop.post(lambda: self._end(key, outcome, done))

        name = "-".join(map(str, key)) if isinstance(key, tuple) else str(key)
        thread = self._make_thread(run, name)
        self._threads[key] = thread
        try:
            thread.start()
        except (MemoryError, RuntimeError):
            short = OSError(errno.EAGAIN, "no thread can be started")
            self._loop.post(lambda: self._end(key, short, done))

    def join(self, but: str, timeout: float) -> None:
        """Give calls a moment to end, but not those whose key begins with ``but``.

        For the thread that closed the loop; ``timeout``: seconds in all.
        """
        end = time.monotonic() + timeout
        for key, thread in list(self._threads.items()):
            if thread.ident is not None and not (isinstance(key, tuple) and key[0] == but):
                thread.join(max(0.0, end - time.monotonic()))

    def _end(self, key: Hashable, outcome: Outcome[T], done: Callable[[Outcome[T]], None]) -> None:
        thread = self._threads.pop(key)
        try:
            done(outcome)
        except sqlite3.OperationalError:
            self._threads[key] = thread  # still busy: the loop tries again to write what we know
            raise
