"""How the suite sets this backend up: only for backends that run no shell, or that have probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.base import BackendOptions
from batchai_scenario.backends.memory import MemoryWorld
from batchai_scenario.backends.testing.bench import Bench
from batchai_scenario.backends.testing.probes import ModelProbes
from batchai_scenario.backends.testing.vocabulary import PROGRAMS
from notebook_backend import NotebookBackend, options_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.backends.testing.bench import BenchSetting, BenchTarget


def make_bench(target: BenchTarget, setting: BenchSetting) -> Bench:
    """Let all clients share one world that knows the programs of the checks."""
    world = MemoryWorld()

    def opens(more: Mapping[str, str]) -> Backend:
        options = BackendOptions(setting.folder, {**target.options, **more}, setting.environment)
        return NotebookBackend(options_of(options), PROGRAMS, world)

    return Bench(
        str(target),
        setting.folder,
        opens,
        ModelProbes(world),
        pause=lambda _: None,
        unseen={"folder": "a notebook's shares are dictionaries"},
        note="jobs are Python functions of the suite's own process",
    )
