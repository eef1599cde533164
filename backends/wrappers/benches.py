"""Benches of the wrappers, for the contract suite: that of the backend inside, with the wrapper around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.backends.base import BackendOptions
from batchai_scenario.backends.testing.bench import Bench, BenchTarget, make_bench
from batchai_scenario.backends.wrappers import OWN_OPTIONS, inside, number
from batchai_scenario.backends.wrappers.faults import Rules
from batchai_scenario.backends.wrappers.faulty import FaultyBackend
from batchai_scenario.backends.wrappers.recording import RecordingBackend
from batchai_scenario.backends.wrappers.slow import SlowBackend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.backends.testing.bench import BenchSetting


def wrapper_bench(target: BenchTarget, setting: BenchSetting) -> Bench:
    """Set up a wrapper, ``NAME:of=BACKEND,option=value``; it is opened around what the inner bench opens."""
    of, rest, own = inside(target.name, BackendOptions(setting.folder, target.options))
    bench = make_bench(BenchTarget(of, rest.values), setting)
    opens = bench.open
    count = iter(range(1_000_000))

    def wrapped(more: Mapping[str, str]) -> Backend:
        mine = {**own, **{name: value for name, value in more.items() if name in OWN_OPTIONS[target.name]}}
        inner = opens({name: value for name, value in more.items() if name not in mine})
        if target.name == "slow":
            return SlowBackend(inner, number(mine, "latency", 0.001), number(mine, "jitter", 0))
        if target.name == "recording":
            return RecordingBackend(inner, setting.folder / f"bundle-{next(count)}")
        rules = Rules.parse(filter(None, mine.get("faults", "").split(";")), int(number(mine, "seed", 0)))
        return FaultyBackend(inner, rules, setting.folder / "faults.jsonl")

    bench.name, bench.open, bench.attach = str(target), wrapped, None
    bench.unseen = {**bench.unseen, "process": "a wrapper stands around an object of this process"}
    return bench
