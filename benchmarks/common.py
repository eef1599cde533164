"""What all benchmarks share: repeated timing, the load average, a table."""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def timed(action: Callable[[], object]) -> float:
    """Run ``action`` once; gives seconds."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def alternate(actions: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time several actions in turn (A B A B ...), so that a drift of the machine hits all alike; seconds."""
    for action in actions.values():
        action()  # a warm-up that is not counted
    results: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            results[name].append(timed(action))
    return results


def spread(values: list[float], unit: str = "ms") -> str:
    """Write median, minimum and maximum of seconds in ``unit``."""
    scale = {"ms": 1000.0, "s": 1.0}[unit]
    low, middle, high = (scale * f(values) for f in (min, statistics.median, max))
    return f"{middle:9.1f} {unit}  ({low:.1f} .. {high:.1f}, n={len(values)})"


def load() -> str:
    """Write the load average."""
    return "load average " + " ".join(f"{value:.2f}" for value in os.getloadavg())
