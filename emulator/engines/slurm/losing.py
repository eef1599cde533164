"""Nodes that Slurm takes away from a cluster, wants back, or that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.base import NODE_TAKEN, Lost
from batchai_scenario.emulator.engines.nodes import disks, read_note
from batchai_scenario.emulator.errors import NodeTaken, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from batchai_scenario.emulator.engines.slurm.allocations import Allocations
    from batchai_scenario.emulator.state.home import Home

_TAKEN = ("CANCELLED", "TIMEOUT", "PREEMPTED", "DEADLINE", "REVOKED", "COMPLETED")
"""States of a holding job whose node somebody took away; others that end it are failures of the node."""


def lost_of(home: Home, cluster: str, allocations: Allocations) -> Lost:
    """List the nodes of a cluster that were placed and are lost, or are to be given back."""
    noted = {disk.name: read_note(disk) for disk in disks(home, cluster)}
    placed = {node: known for node, known in noted.items() if known.get("engine") == "slurm"}
    if not placed:
        return Lost()
    jobs = {(each.job, each.mark): each for each in allocations.look()}
    taken, failed, wanted = [], [], []
    for node, known in placed.items():
        job, host = str(known["job"]), str(known["host"])
        found = jobs.get((job, allocations.mark(cluster, node)))
        if found is None or taken_away(job, found.state, host, allocations):
            taken.append(node)
        elif not found.there:
            failed.append(node)
        elif host in allocations.draining():
            wanted.append(node)
    return Lost(tuple(taken), tuple(failed), tuple(wanted))


def taken_away(job: str, state: str, host: str, allocations: Allocations) -> str:
    """Say that somebody took a node away, whose holding job ended so; empty: that was something else.

    Slurm calls a node that its administrator sets down failed, as one that does not answer.
    """
    why = ""
    if state == "NODE_FAIL":
        node = allocations.became_of(host)
        why = f", for the node was set down: {node.reason}" if node is not None and node.set_down else ""
    return f"Slurm took node {host} away: its job {job} is {state}{why}." if why or state in _TAKEN else ""


def refuse_taken(folder: Path, allocations: Allocations) -> None:
    """Raise NodeTaken if the node of a task (by its control folder) is no more; nothing of it has begun."""
    disk = folder.parent.parent
    known = read_note(disk)
    job, host = str(known.get("job")), str(known.get("host"))
    found = next((each for each in allocations.look() if each.job == job), None)
    if found is None or not found.held:
        state = found.state if found else "forgotten"
        taken = taken_away(job, state, host, allocations)
        failed = f"Slurm's job {job}, which held node {host}, is {state}."
        raise NodeTaken(Problem(NODE_TAKEN, taken or failed), disk.name)
