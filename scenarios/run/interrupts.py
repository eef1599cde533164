"""Ctrl-C: once to stop in order, twice to leave at once.

A signal finds the main thread anywhere, also in the middle of a line that it writes or holding the lock of an
event, where neither may be used again. So the handler only puts a note on a queue that is made for it, and a
thread of its own does what is to be done.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


_PATIENCE = 3.0
"""Seconds that the last words may take."""


class Interrupts:
    """Hears SIGINT and SIGTERM while a run goes on.

    Args:
        first: Called at the first one, in another thread, e.g. to say what happens now.
        second: Called at the next; the process then leaves at once with exit code 130. What runs goes on.
        leave: Ends the process; for tests.
    """

    def __init__(
        self, first: Callable[[], None], second: Callable[[], None], leave: Callable[[int], None] = os._exit
    ) -> None:
        self.stop = threading.Event()
        self._first = first
        self._second = second
        self._leave = leave
        self._heard: SimpleQueue[int | None] = SimpleQueue()

    def __call__(self, signum: int, _frame: FrameType | None = None) -> None:
        """Hear one; safe in a signal handler."""
        self._heard.put(signum)

    @contextmanager
    def heard(self) -> Iterator[Interrupts]:
        """Listen, in the main thread; what listened before does so again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        listener = threading.Thread(target=self._listen, name="interrupts", daemon=True)
        listener.start()
        before = {number: signal.signal(number, self) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._heard.put(None)
            listener.join()

    def _listen(self) -> None:
        while self._heard.get() is not None:
            if self.stop.is_set():
                self._last_words()
                return
            self.stop.set()
            self._first()

    def _last_words(self) -> None:
        """Say what is left and leave; a lock that saying so needs must not keep us here."""
        last = threading.Timer(_PATIENCE, self._leave, [130])
        last.daemon = True
        last.start()
        self._second()
        with suppress(OSError):
            sys.stdout.flush()
        last.cancel()
        self._leave(130)
