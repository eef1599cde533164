"""Rooms that are built when somebody first knocks, so that the door opens sooner."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T_co = TypeVar("T_co", covariant=True)


class Lazy(Generic[T_co]):
    """Gives what ``make`` gives: made on the first call, once, whichever thread calls.

    What ``make`` raises goes to the caller; the next one tries again.
    """

    def __init__(self, make: Callable[[], T_co]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[T_co] = []

    def __call__(self) -> T_co:
        """Give it; blocks while it is made."""
        if not self._made:
            with self._lock:
                if not self._made:
                    self._made.append(self._make())
        return self._made[0]

    async def wait(self) -> T_co:
        """Give it, without holding up the event loop while it is made."""
        if not self._made:
            from anyio import to_thread

            return await to_thread.run_sync(self)
        return self._made[0]
