"""A backend that answers late."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from batchai_scenario.backends.wrappers.base import Wrapper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from batchai_scenario.backends.base import Backend

T = TypeVar("T")


class SlowBackend(Wrapper):
    """Waits before every call: ``latency`` seconds, and up to ``jitter`` more, drawn with ``seed``."""

    name = "slow"

    def __init__(
        self,
        inner: Backend,
        latency: float,
        jitter: float = 0.0,
        seed: int = 0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(inner)
        self._latency, self._jitter = latency, jitter
        self._random = random.Random(seed)  # noqa: S311 - delays, not secrets
        self._lock = threading.Lock()
        self._pause = pause

    def details(self) -> Mapping[str, str]:
        """Say how late."""
        return {**super().details(), "latency": f"{self._latency} s + {self._jitter} s"}

    def _wait(self) -> None:
        with self._lock:
            seconds = self._latency + self._jitter * self._random.random()
        self._pause(seconds)

    def around(self, call: str, arguments: tuple[Any, ...], work: Callable[[], T]) -> T:  # noqa: ARG002
        """Wait, then do the call."""
        self._wait()
        return work()

    def reading(
        self,
        call: str,  # noqa: ARG002 - every call is late
        arguments: tuple[Any, ...],  # noqa: ARG002
        work: Callable[[], Iterator[bytes]],
    ) -> Iterator[bytes]:
        """Wait before the first bytes and after every block."""
        for block in _begun(self._wait, work):
            yield block
            self._wait()


def _begun(wait: Callable[[], None], work: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    wait()
    yield from work()
