"""What a task's processes are started with on a node of Slurm's."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.engines.environments import add_toolkit, own_environment
from batchai_scenario.emulator.engines.gpu import Gpu, Proof, decide_gpus
from batchai_scenario.emulator.engines.subnets import LOOPBACK, LOOPBACK_MPI
from batchai_scenario.emulator.launch.environment import gpu_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from batchai_scenario.emulator.launch.plan import NodeTask


def task_environment(
    task: NodeTask, known: Mapping[str, Any], arguments: list[str], announce: Callable[[str], None]
) -> Mapping[str, str]:
    """Give a task's variables, after making its toolkit's environment where it needs one.

    ``known``: what is noted of its node. ``arguments``: command line of the program that makes environments.
    ``announce`` hears what the job should know. Which GPUs they are is Slurm's to say, on the node.
    """
    if task.image is not None:
        announce(
            f"image: {task.image.reference} is not used: the launcher 'process' runs the command directly"
        )
    devices = [str(index) for index in known.get("gpus") or ()]
    proof = decide_gpus(
        task.gpus,
        lambda: Proof(
            tuple(map(Gpu, devices)), "by Slurm's gres", "" if devices else "its row asks for no gres"
        ),
        announce,
    )
    values = {**task.environment, **gpu_variables([gpu.index for gpu in proof.gpus], task.environment)}
    if proof.gpus:
        for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
            if name not in task.environment:
                del values[name]
    if str(known.get("address")).startswith(LOOPBACK):  # several nodes on one machine
        values = {**LOOPBACK_MPI, **values}
    values.setdefault("PIP_USER", "1")
    if task.environment_program is not None:
        add_toolkit(values, task.toolkit, task.environment_program, arguments, announce)
    return values


def node_variables(disk: Path, python: str) -> dict[str, str]:
    """Give what a node's processes have besides: a home of the node's own, and a ``python``."""
    values = own_environment(disk / "home", lambda proxy: proxy)
    values.pop("CUDA_VISIBLE_DEVICES", None)
    folder = disk / "bin"
    folder.mkdir(exist_ok=True)
    names = ("python",) if python == "python3" else ("python", "python3")
    for name in names:
        program = folder / name
        draft = program.with_name(f".{name}.{os.getpid()}")
        draft.write_text(f'#!/bin/sh\nexec {shlex.quote(python)} "$@"\n')
        draft.chmod(0o755)
        draft.replace(program)
    values["PATH"] = f"{folder}:{values['PATH']}"
    return values
