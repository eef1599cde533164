"""States that last until they were seen: a client that is slow to ask still sees what it has brought about.

On the service a new job was ``queued`` and a new or resized cluster ``resizing`` for a while, and programs
look for that. Here both may be over before the client that asked for them can look, so (our decision) they
last until somebody has looked once, and for no longer than a given time if nobody does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta

    from batchai_scenario.emulator.cluster.loop import Loop, Timer
    from batchai_scenario.emulator.state.clock import Clock


class Unseen:
    """Clusters and jobs (by id) that stay as they are until they were seen, or their time is over.

    Everything but ``seen`` is for the loop's thread.
    """

    def __init__(self, loop: Loop, clock: Clock, longest: timedelta) -> None:
        self._loop = loop
        self._clock = clock
        self._longest = longest
        self._waiting: dict[str, tuple[Timer, Callable[[], None]]] = {}

    def __contains__(self, of: str) -> bool:
        return of in self._waiting

    def hold(self, of: str, then: Callable[[], None]) -> bool:
        """Hold something until it was seen; ``then`` is done after that. False: nothing is ever held."""
        if not self._longest:
            return False
        self.drop(of)
        timer = self._loop.at(self._clock.now() + self._longest, lambda: self._let_go(of))
        self._waiting[of] = timer, then
        return True

    def drop(self, of: str) -> None:
        """Hold something no longer, and do nothing about it."""
        held = self._waiting.pop(of, None)
        if held is not None:
            self._loop.cancel(held[0])

    def seen(self, ids: Iterable[str]) -> None:
        """Note that a client has seen these as they are. From any thread."""
        for of in ids:
            if of in self._waiting:
                self._loop.post(lambda of=of: self._let_go(of))  # type: ignore[misc]

    def _let_go(self, of: str) -> None:
        held = self._waiting.pop(of, None)
        if held is not None:
            self._loop.cancel(held[0])
            held[1]()
