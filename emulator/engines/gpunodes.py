"""Which GPUs are a node's own: as many as its size has, and none of them another node's of this home."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.engines.nodes import disks, read_note
from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.schema.sizes import gpus_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from batchai_scenario.emulator.launch.plan import GpuMode
    from batchai_scenario.emulator.state.home import Home

GPUS_TAKEN = "AccountCoreQuotaReached"
"""What the service said where a cluster could not have its nodes (recorded notebooks); the text is ours."""

_OWN, _SHARED = "gpus", "gpusShared"


@dataclass(frozen=True, slots=True)
class GpuWish:
    """What a cluster's nodes are to have: as many GPUs as its ``vmSize``, unless the mode is ``none``."""

    mode: GpuMode
    size: str


def noted(note: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Give the GPUs in a node's note; None if nothing was said of them, and it may have what there is."""
    return tuple(note[_OWN]) if _OWN in note else None


def keep(note: Mapping[str, Any]) -> dict[str, Any]:
    """Give what stands of GPUs in a node's note."""
    return {key: note[key] for key in (_OWN, _SHARED) if key in note}


def take(
    home: Home, cluster: str, node: str, wish: GpuWish | None, machine_gpus: Callable[[], Sequence[str]]
) -> dict[str, Any]:
    """Choose a node's GPUs, or give those that it has; for its note.

    A node of a size with more GPUs than the machine has gets all of them.

    Args:
        home: whose nodes these are.
        cluster: guid of the node's cluster.
        node: its id.
        wish: what it is to have; None: what its note says.
        machine_gpus: lists the GPUs that the engine could give; asked only where that matters.

    Raises:
        EngineError: other nodes have them, or nobody knows how many its size has.
    """
    known = keep(read_note(home.nodes / cluster / node))
    if known or wish is None:
        return known
    count = 0 if wish.mode == "none" else gpus_of(wish.size, read_sizes(home.sizes_table))
    machine = machine_gpus() if count != 0 else ()
    if not machine:
        return {_OWN: []}
    if count is None:
        text = (
            f"properties.vmSize: it is not known how many GPUs {wish.size} has. Say so in {home.sizes_table} "
            f"('{wish.size}: 1'), or create the cluster with '--gpus none'."
        )
        raise EngineError(Problem("InvalidPropertyValue", text))
    count = min(count, len(machine))
    others = [read_note(disk) for disk in disks(home) if disk.parts[-2:] != (cluster, node)]
    if wish.mode == "shared":
        first = sum(bool(note.get(_OWN)) for note in others)
        return {_OWN: [machine[(first + index) % len(machine)] for index in range(count)], _SHARED: True}
    taken = {gpu for note in others if not note.get(_SHARED) for gpu in note.get(_OWN) or ()}
    free = [gpu for gpu in machine if gpu not in taken]
    if len(free) < count:
        raise _too_few(wish.size, count, len(machine), len(free))
    return {_OWN: free[:count]}


def _too_few(size: str, count: int, machine: int, free: int) -> EngineError:
    has = f"{machine} GPU" if machine == 1 else f"{machine} GPUs"
    left = "none is" if free == 0 else f"{free} {'is' if free == 1 else 'are'}"
    text = (
        f"A node of {size} has {count} of its own; this machine has {has}, of which {left} free. Ask for "
        "fewer nodes, or let nodes share GPUs with '--gpus shared'."
    )
    return EngineError(Problem(GPUS_TAKEN, text))


def read_sizes(file: Path) -> dict[str, int]:
    """Read the user's own table of sizes, ``STANDARD_NC8: 1``; empty if there is none.

    Raises:
        EngineError: ``InvalidSizes``, naming the file and the entry.
    """
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise EngineError(Problem("InvalidSizes", f"{file}: cannot be read: {error}")) from error
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise EngineError(Problem("InvalidSizes", f"{file}: must be a mapping of vmSize to a number of GPUs"))
    for name, count in content.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            text = f"{file}: {name}: '{count}' is no number of GPUs"
            raise EngineError(Problem("InvalidSizes", text))
    return {str(name).upper(): count for name, count in content.items()}
