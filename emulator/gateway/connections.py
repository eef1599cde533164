"""How many connections there may be, and how long one may keep us waiting."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

_MOST = 4096
_FOR_JOBS = 128
"""Descriptors kept for jobs, files and the engine, where the limit allows it."""


@dataclass(frozen=True, slots=True)
class ClientTimeouts:
    """Seconds that a client may take; whoever sends or reads a little in time may take longer altogether.

    ``head``: from the connection, or the first byte of a request, to the end of its head. ``body``: between
    two pieces of a body. ``answer``: to take a piece of an answer. ``idle``: between two requests, longer
    than clients keep idle connections, so that they close them and not we. ``head_bytes``: size of a head.
    """

    head: float = 30.0
    body: float = 60.0
    answer: float = 120.0
    idle: float = 75.0
    head_bytes: int = 64 * 1024


class Guest(Protocol):
    """A connection, as far as its place is concerned."""

    @property
    def waits_since(self) -> float | None:
        """Tell since when it waits for a request; None while one is under way."""
        ...

    def leave(self) -> None:
        """Close it."""
        ...


class ConnectionPlaces:
    """Places for connections: a new one may take that of the one that has been idle longest."""

    def __init__(self, places: int) -> None:
        self.places = places

    def admit(self, guests: Collection[Guest]) -> bool:
        """Make a place for one more; False if nobody can leave."""
        if len(guests) < self.places:
            return True
        waiting = [(guest.waits_since, guest) for guest in guests if guest.waits_since is not None]
        if not waiting:
            return False
        _, longest = min(waiting, key=lambda pair: pair[0])
        longest.leave()
        return True


def places(limit: int | None = None) -> int:
    """Tell how many connections leave room for jobs under a limit of descriptors; None: this process's."""
    if limit is None:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit == resource.RLIM_INFINITY:
            return _MOST
    return max(16, min(_MOST, limit - max(limit // 4, min(_FOR_JOBS, limit // 2))))
