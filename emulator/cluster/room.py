"""What the parts of the cluster room share, and the small things that they all ask."""

from __future__ import annotations

import dataclasses
import errno
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.transitions import NODE
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.emulator.cluster.keeping import ResourceRecords
    from batchai_scenario.emulator.cluster.lasting import Unseen
    from batchai_scenario.emulator.cluster.loop import Loop, Workers
    from batchai_scenario.emulator.cluster.ports import FileShares
    from batchai_scenario.emulator.cluster.transitions import NodeEvent
    from batchai_scenario.emulator.engines.base import Engine
    from batchai_scenario.emulator.state.clock import Clock

_log = logging.getLogger(__name__)

_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
_ENGINES_OWN = "too many open files"


@dataclass(frozen=True, slots=True)
class Room:
    """The world of the cluster room.

    ``settle`` looks at a cluster (by id): its size, its nodes, and what could start on them; ``look`` at a
    job (by id). Both do what is due, and nothing about anything else. ``lose`` lets nodes of a cluster (by
    id) leave that the engine has no more.
    """

    records: ResourceRecords
    clock: Clock
    loop: Loop
    workers: Workers
    engines: Callable[[str], Engine]
    shares: FileShares
    settle: Callable[[str], None]
    look: Callable[[str], None]
    lose: Callable[[str, list[str]], None]
    unseen: Unseen

    def move_nodes(self, cluster: str, moves: Mapping[str, NodeEvent], job: str | None = None) -> None:
        """Write what an event makes of each of some nodes; ``job``: whose they are from now on."""
        nodes = self.records.nodes[cluster]
        moved = [
            dataclasses.replace(
                node, state=NODE.move(node.state, event), job=node.job if job is None else job
            )
            for node, event in ((nodes[id_], event) for id_, event in moves.items())
        ]
        self.records.save_nodes(cluster, moved)


def shortage(error: BaseException) -> str:
    """Say what the machine was short of for a moment, if that is where an error comes from; else nothing.

    Descriptors, memory, threads and processes come back when others give them back: what needed them is
    worth another try.
    """
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, OSError) and found.errno in _SHORT:
            return os.strerror(found.errno or 0)
        if isinstance(found, MemoryError):
            return os.strerror(errno.ENOMEM)
        if isinstance(found, EngineError) and _ENGINES_OWN in found.problem.message.lower():
            return f"{os.strerror(errno.EMFILE)} (the container engine's)"
        waiting += [found.__cause__, found.__context__, *found.args]
    return ""


def passing(error: BaseException) -> str:
    """Say what may be over when a launch is tried again: a shortage, an engine's silence; else nothing."""
    if isinstance(error, EngineUnavailable) and error.silent:
        return error.problem.message
    return shortage(error)


def problem_in(error: EngineError) -> Problem:
    """Take out of an engine's error what a cluster or job shows; a remedy stands in the text."""
    short = shortage(error)
    if short:
        return Problem("InternalError", f"This machine is short of what that needs: {short}.")
    if isinstance(error, EngineUnavailable):
        return Problem(error.problem.code, str(error), error.problem.details)
    return error.problem


def problem_of(error: Exception, doing: str) -> Problem:
    """Put an exception into the words of a cluster's or job's ``errors``; a remedy stands in the text.

    It stands in the emulator's log, too. ``doing``: what could not be done, as ``launching job x``.
    """
    short = shortage(error)
    if short:
        _log.warning("%s: the machine is short of what that needs: %s", doing, short)
        return Problem("InternalError", f"This machine is short of what that needs: {short}.")
    if isinstance(error, EngineError):
        _log.warning("%s: %s", doing, error)
        return problem_in(error)
    # Only the type: the text of an unforeseen exception could quote a secret.
    _log.error("a bug of ours in %s", doing, exc_info=error)
    text = f"The emulator failed in {doing} ({type(error).__name__}); 'scenario emulator logs' shows where."
    return Problem("InternalError", text)
