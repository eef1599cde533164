"""What is made when somebody first asks for it, once, however many threads ask at the same moment."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
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


class LazyProperty(cached_property[T]):
    """A ``functools.cached_property`` whose function never runs in two threads at once.

    The standard one has no lock since Python 3.12: two threads then make two of what is to be one (a lock, a
    pace), or try the same thing beside each other. What raises is tried again by the next who asks.
    """

    def __init__(self, func: Callable[[Any], T]) -> None:
        super().__init__(func)
        self._at_once = threading.RLock()

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> LazyProperty[T]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: object, owner: type[Any] | None = None) -> LazyProperty[T] | T:
        """Give the value; of the class, the property itself."""
        if instance is None:
            return self
        with self._at_once:
            # Who waited finds it made: on no Python does the standard one make it twice one after the other.
            return super().__get__(instance, owner)
