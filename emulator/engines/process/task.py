"""What a task's processes are started with: variables, GPUs, and the cores of their node."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.environments import (
    add_node_python,
    add_toolkit,
    lacking_programs,
)
from batchai_scenario.emulator.engines.gpu import Proof, decide_gpus, machine_gpus
from batchai_scenario.emulator.engines.gpunodes import noted
from batchai_scenario.emulator.engines.limits import read_limits
from batchai_scenario.emulator.engines.nodes import read_note
from batchai_scenario.emulator.engines.parts import describe, part_of, part_variables, place_among
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
    devices = noted(read_note(home.nodes / task.cluster / task.node))
    proof = decide_gpus(task.gpus, lambda: _proof(devices), announce)
    visible = [gpu.index for gpu in proof.gpus]
    values = {**task.environment, **gpu_variables(visible, task.environment)}
    part, nodes = part_of_node(home, task)
    if part:
        cores = sorted(os.sched_getaffinity(0))
        announce(describe(part, cores))
        values = {**part_variables(part, len(cores), nodes), **values}
    add_node_python(values, home.nodes / task.cluster / task.node, announce)
    if task.environment_program is not None:
        add_toolkit(values, task.toolkit, task.environment_program, arguments, announce)
    if lacking := lacking_programs(values):
        announce(f"this machine lacks programs that the service's nodes had: {', '.join(lacking)}")
    return values


def _proof(devices: tuple[str, ...] | None) -> Proof:
    """Tell which of the machine's GPUs a task has; ``devices``: its node's, None: all."""
    if devices is not None and not devices:
        return Proof(why="its node has no GPU")
    found = machine_gpus()
    return Proof(tuple(gpu for gpu in found if devices is None or gpu.index in devices))


def part_of_node(home: Home, task: NodeTask) -> tuple[tuple[int, ...], int]:
    """Give the cores of the task's node, none: it has them all; and how many nodes share the machine."""
    index, count = place_among(home, task.cluster, task.node)
    if count == 1 or not read_limits(home.limits_table).divided:
        return (), count
    return part_of(sorted(os.sched_getaffinity(0)), index, count), count
