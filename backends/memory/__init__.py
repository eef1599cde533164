"""The backend ``memory``: a model of a Batch AI without a service, for tests and as a reference.

Jobs run Python callables that a test hands in, one step at each look at a job; no time passes and
nothing outlives the process. Opened by name it knows no program, and refuses every job by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.memory.backend import MemoryBackend
from batchai_scenario.backends.memory.world import Call, Program, Result, World
from batchai_scenario.backends.registry import refuse_unknown

if TYPE_CHECKING:
    from batchai_scenario.backends.base import Backend, BackendOptions

__all__ = ["Call", "MemoryBackend", "Program", "Result", "World", "open_backend"]


def open_backend(options: BackendOptions) -> Backend:
    """Open an empty model that knows no program.

    Raises:
        UserError: any option; there are none.
    """
    refuse_unknown("memory", options, ())
    return MemoryBackend()
