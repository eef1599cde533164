"""What part of this machine a node gets: the nodes of a cluster share it, so that they do not fight for it.

The cores are divided by the nodes that the cluster has; each gets at least one, so several share one where
there are more nodes than cores. A cluster of one node has the whole machine. ``cores: all`` in the table of
limits divides nothing.
"""

from __future__ import annotations

import shutil
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.nodes import disks, read_note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchai_scenario.emulator.state.home import Home

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Variables by which libraries choose their number of threads; a job may set others."""


_UNBOUND = {
    "OMPI_MCA_hwloc_base_binding_policy": "none",  # Open MPI 2 to 4
    "PRTE_MCA_hwloc_default_binding_policy": "none",  # 5
}


def place_among(home: Home, cluster: str, node: str) -> tuple[int, int]:
    """Tell which node of a cluster this is, counted from 0 by address, and how many the cluster has."""
    found = []
    for disk in disks(home, cluster):
        found.append((int(IPv4Address(read_note(disk).get("address") or "0.0.0.0")), disk.name))  # noqa: PERF401, S104 - no address to listen on
    names = [name for _, name in sorted(found)]
    return (names.index(node), len(names)) if node in names else (0, 1)


def part_of(cores: Sequence[int], index: int, count: int) -> tuple[int, ...]:
    """Give the cores of node number ``index`` of ``count``."""
    have = len(cores)
    if count >= have:
        return (cores[index % have],)
    return tuple(cores[index * have // count : (index + 1) * have // count])


def part_variables(part: Sequence[int], cores: int, nodes: int) -> dict[str, str]:
    """Give what tells libraries how many threads to run, and Open MPI where.

    It binds its processes by itself, on every node from the first core on: all nodes would have the same. So
    it is told not to, and they keep to their node's part. Where nodes share a core, they do not keep it busy
    while they wait.
    """
    values = {**dict.fromkeys(THREADS, str(len(part))), **_UNBOUND}
    return {**values, "OMPI_MCA_mpi_yield_when_idle": "1"} if nodes > cores else values


def core_list(part: Sequence[int]) -> str:
    """Write cores as the kernel's tools do: ``0,1``."""
    return ",".join(str(core) for core in part)


def describe(part: Sequence[int], cores: Sequence[int]) -> str:
    """Say for ``execution.log`` what a node got."""
    word = "core" if len(part) == 1 else "cores"
    return f"machine: the node has {word} {core_list(part)} of {len(cores)}; OMP_NUM_THREADS is {len(part)}"


def held_to(part: Sequence[int]) -> list[str]:
    """Give the words before a command that is to run on these cores alone; none where that cannot be said."""
    return ["taskset", "--cpu-list", core_list(part)] if part and shutil.which("taskset") else []
