"""The benches of our own backends: the model with its programs, and ``local`` with its probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.base import BackendOptions
from backends.memory import MemoryBackend, World, open_backend
from backends.testing.bench import Bench, plain_bench
from backends.testing.probes import LocalProbes, ModelProbes
from backends.testing.vocabulary import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backends.base import Backend
    from backends.testing.bench import Setting, Target


def memory_bench(target: Target, setting: Setting) -> Bench:
    """Set up the model: every client of it shares one world, and it knows the programs of the checks."""
    model = World()

    def opens(more: Mapping[str, str]) -> Backend:
        open_backend(BackendOptions(setting.folder, {**target.options, **more}))  # refuses what it must
        return MemoryBackend(PROGRAMS, model)

    return Bench(str(target), setting.folder, opens, ModelProbes(model), pause=lambda _: None)


def local_bench(target: Target, setting: Setting) -> Bench:
    """Set up ``local`` in a home of its own, with a look at shares, engine and process table."""
    bench = plain_bench(target, setting)
    bench.probes = LocalProbes(setting.folder / "home", engine=target.options.get("engine", "auto"))
    return bench
