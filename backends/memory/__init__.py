"""The backend ``memory``: a model of a Batch AI without a service, for tests and as a reference.

Jobs run Python callables that a test hands in, one step at each look at a job; no time passes and
nothing outlives the process. Opened by name it knows no program, and refuses every job by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.memory.backend import MemoryBackend
from batchai_scenario.backends.memory.world import MemoryWorld, Program, ProgramCall, Result
from batchai_scenario.backends.offers import Whereabouts, offer_of, offered

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.backends.base import Backend, BackendOptions, PlannedRequest

__all__ = ["MemoryBackend", "MemoryWorld", "Program", "ProgramCall", "Result", "open_backend"]


class MemoryPlans:
    """Plans of a backend that sends nothing: the calls are tried on a model of their own."""

    def requests(self, options: BackendOptions, calls: Callable[[Backend], object]) -> list[PlannedRequest]:
        """Give no request."""
        calls(open_backend(options))
        return []

    def whereabouts(self, options: BackendOptions) -> Whereabouts:
        """Say that there is no place."""
        del options
        return Whereabouts()


@offered("a model without a service, for tests", plans=MemoryPlans)
def open_backend(options: BackendOptions) -> Backend:
    """Open an empty model that knows no program.

    Raises:
        UserError: any option; there are none.
    """
    offer_of(open_backend).check("memory", options)
    return MemoryBackend()
