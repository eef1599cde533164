"""The benches of our own backends: the model with its programs, ``local`` with its probes, and ``azure``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.base import BackendOptions
from batchai_scenario.backends.memory import MemoryBackend, MemoryWorld, open_backend
from batchai_scenario.backends.testing.bench import Bench, plain_bench
from batchai_scenario.backends.testing.probes import LocalProbes, ModelProbes
from batchai_scenario.backends.testing.vocabulary import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.backends.testing.bench import BenchSetting, BenchTarget


def memory_bench(target: BenchTarget, setting: BenchSetting) -> Bench:
    """Set up the model: every client of it shares one world, and it knows the programs of the checks."""
    model = MemoryWorld()

    def opens(more: Mapping[str, str]) -> Backend:
        open_backend(BackendOptions(setting.folder, {**target.options, **more}))  # refuses what it must
        return MemoryBackend(PROGRAMS, model)

    return Bench(
        str(target),
        setting.folder,
        opens,
        ModelProbes(model),
        pause=lambda _: None,
        unseen={"folder": "the model's shares are no folders"},
        note="the reference model: jobs are Python functions, and no time passes",
    )


def local_bench(target: BenchTarget, setting: BenchSetting) -> Bench:
    """Set up ``local`` in a home of its own, with a look at shares, engine and process table."""
    bench = plain_bench(target, setting)
    bench.unseen = {}
    bench.note = "an emulator of Batch AI and Azure Files in the suite's own process"
    bench.probes = LocalProbes(setting.folder / "home", engine=target.options.get("engine", "auto"))
    return bench


def azure_bench(target: BenchTarget, setting: BenchSetting) -> Bench:
    """Set up ``azure``: its shares and nodes are the service's, where the suite cannot look."""
    bench = plain_bench(target, setting)
    reason = "shares and nodes stand behind the service, out of sight"
    bench.unseen = dict.fromkeys(("folder", "traces"), reason)
    return bench
