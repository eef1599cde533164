"""Jobs of several nodes and processes: the model calls their programs once for each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchai_scenario.backends.base import BatchAIError
from batchai_scenario.backends.memory.world import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchai_scenario.backends.memory.world import ProgramCall
    from batchai_scenario.training.toolkits.base import Process


def each_node(call: ProgramCall, nodes: Sequence[str], program: Callable[[ProgramCall], Result]) -> Result:
    """Call a job's preparation on each node; gives the first result that failed, or the last.

    Each sees what those before it left in the folder that the nodes share.
    """
    shared = call.shared
    result = Result()
    for node in nodes:
        result = program(replace(call, node=node, shared=shared))
        shared |= result.shared
        if result.exit_code:
            said = "Job preparation failed with non-zero exit code"
            return replace(result, problem=BatchAIError("JobPreparationFailed", said))
    return replace(result, shared=shared)


def each_process(
    call: ProgramCall, processes: Sequence[Process], program: Callable[[ProgramCall], Result]
) -> Result:
    """Call a program once for each process of a job, with the process's own variables.

    Gives the first result that failed, servers aside, else the first, with the files of all.
    """
    results = [
        (process, program(replace(call, environment={**call.environment, **process.variables})))
        for process in processes
    ]
    outputs: dict[str, bytes] = {}
    streams: dict[str, str] = {}
    for process, result in results:
        outputs.update(result.outputs)
        streams[process.file_name("stdout")] = result.stdout
        streams[process.file_name("stderr")] = result.stderr
    failed = [result for process, result in results if result.exit_code and not process.server]
    return replace((failed or [results[0][1]])[0], outputs=outputs, streams=streams)
