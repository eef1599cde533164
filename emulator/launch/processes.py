"""Several processes of a toolkit on one node, as one command for the node's shell.

Each has files and variables of its own. The command ends with 0 when every process that is no server has
ended with 0, on this node and, on the master, on all others that run some; it ends with the code of the first
process that fails. What still runs then, servers above all, the supervisor ends. Nothing but a POSIX shell
with ``sleep`` and ``rm`` is needed.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from batchai_scenario.emulator.launch.plan import Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import PurePosixPath

    from batchai_scenario.training.toolkits.base import Process

_FAILED = "$AZ_BATCHAI_JOB_TEMP/.failed"
_ENDED = "$AZ_BATCHAI_SHARED_JOB_TEMP/.ended-{}"


def node_step(processes: Sequence[Process], node: int, logs: PurePosixPath) -> Step | None:
    """Give what runs on node number ``node``; None if nothing does.

    Args:
        processes: all processes of the job.
        node: the node's number; 0 is the master.
        logs: the folder of their output files, as the node sees it.
    """
    here = [process for process in processes if process.node == node]
    if not here:
        return None
    others = sorted({one.node for one in processes if one.node != 0 and not one.server}) if node == 0 else []
    is_watched = node != 0 and not all(process.server for process in here)
    first = here[0]
    stdout, stderr = logs / first.file_name("stdout"), logs / first.file_name("stderr")
    if len(here) == 1 and not others and not is_watched:
        return Step(first.command, stdout, stderr)
    lines = [f'rm -f "{_FAILED}"', f'rm -f "{_ENDED.format(node)}"', "waited="]
    lines += [line for process in here for line in _begin(process, logs, is_first=process is first)]
    lines += _watch(is_watched=is_watched, node=node, others=others)
    return Step("\n".join(lines), stdout, stderr)


def own_variables(processes: Sequence[Process], node: int) -> Mapping[str, str]:
    """Give the variables of a node's only process; with several, each has its own in the command."""
    here = [process for process in processes if process.node == node]
    return here[0].variables if len(here) == 1 else {}


def _begin(process: Process, logs: PurePosixPath, *, is_first: bool) -> Iterable[str]:
    """Start a process in the background; its code goes into a file if it is not 0."""
    yield "("
    for name, value in process.variables.items():
        yield f"export {name}={shlex.quote(value)}"
    if not is_first:
        out, err = (shlex.quote(str(logs / process.file_name(name))) for name in ("stdout", "stderr"))
        yield f"exec >{out} 2>{err}"
    yield "("
    yield process.command
    yield ")"
    yield "code=$?"
    if process.server:
        # A server that ends by itself, and badly, is a failure; one that ends well is done.
        yield f'[ "$code" = 0 ] || echo "$code" >>"{_FAILED}"'
    else:
        yield f'[ "$code" = 0 ] || echo "$code" >>"{_FAILED}"'
        yield 'exit "$code"'
    yield ") &"
    if not process.server:
        yield 'waited="$waited $!"'


def _watch(*, is_watched: bool, node: int, others: Sequence[int]) -> Iterable[str]:
    """Wait for the processes that are no servers, here and elsewhere; end at the first failure."""
    marks = " ".join(f'"{_ENDED.format(other)}"' for other in others)
    yield f'failed() {{ [ -s "{_FAILED}" ] && read -r code <"{_FAILED}" && exit "$code"; }}'
    yield "pause() { sleep 0.2 2>/dev/null || sleep 1; }"
    yield 'for pid in $waited; do while kill -0 "$pid" 2>/dev/null; do failed; pause; done; done'
    yield "failed"
    if is_watched:
        yield f'echo ended >"{_ENDED.format(node)}"'
        yield "wait"  # for the servers here, which the others may still need
    elif marks:
        yield f'for mark in {marks}; do until [ -e "$mark" ]; do failed; pause; done; done'
    yield "exit 0"
