"""What a task's processes are started with: variables, GPUs, and the cores of their node."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.environments import add_node_python, add_toolkit, lacking_programs
from batchai_scenario.emulator.engines.gpu import decide_gpus, machine_gpus
from batchai_scenario.emulator.engines.limits import read_limits
from batchai_scenario.emulator.engines.parts import describe, part_of, place_among, thread_variables
from batchai_scenario.emulator.launch.environment import gpu_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.emulator.launch.plan import NodeTask
    from batchai_scenario.emulator.state.home import Home


def task_environment(
    home: Home, task: NodeTask, arguments: list[str], no_layer: str, announce: Callable[[str], None]
) -> Mapping[str, str]:
    """Give a task's variables, after making its toolkit's environment where it needs one.

    ``arguments``: command line of the program that makes environments. ``no_layer``: why the job of root
    changes this machine itself; empty: it does not. ``announce`` hears what the job should know.
    """
    if task.image is not None:
        announce(
            f"image: {task.image.reference} is not used: the process engine runs the command directly "
            "on this machine"
        )
    if os.geteuid() == 0 and no_layer:
        announce(f"the job is root's and changes this machine itself: {no_layer}")
    count = decide_gpus(task.gpus, machine_gpus, announce)
    values = {**task.environment, **gpu_variables(count)}
    if task.gpus == "none":
        values["CUDA_VISIBLE_DEVICES"] = ""
    if part := part_of_node(home, task):
        announce(describe(part, sorted(os.sched_getaffinity(0))))
        values = {**thread_variables(part), **values}
    add_node_python(values, home.nodes / task.cluster / task.node, announce)
    if task.environment_program is not None:
        add_toolkit(values, task.toolkit, task.environment_program, arguments, announce)
    if lacking := lacking_programs(values):
        announce(f"this machine lacks programs that the service's nodes had: {', '.join(lacking)}")
    return values


def part_of_node(home: Home, task: NodeTask) -> tuple[int, ...]:
    """Give the cores of the task's node; none: it has them all."""
    index, count = place_among(home, task.cluster, task.node)
    if count == 1 or not read_limits(home.limits_table).divided:
        return ()
    return part_of(sorted(os.sched_getaffinity(0)), index, count)
