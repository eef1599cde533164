"""What a task is started with on a node of Slurm's: its files there, and its variables."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.engines.control import write_control
from batchai_scenario.emulator.engines.environments import add_toolkit, own_environment
from batchai_scenario.emulator.engines.gang import ready_gang
from batchai_scenario.emulator.engines.gpu import Gpu, Proof, decide_gpus
from batchai_scenario.emulator.engines.nodes import link_volume, read_note, ready_tree
from batchai_scenario.emulator.engines.slurm.launchers import ending, write_launch
from batchai_scenario.emulator.engines.subnets import LOOPBACK, LOOPBACK_MPI
from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.launch.environment import gpu_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from batchai_scenario.emulator.engines.slurm.settings import SlurmSettings
    from batchai_scenario.emulator.engines.substitutes import PullPolicy
    from batchai_scenario.emulator.launch.plan import NodeTask
    from batchai_scenario.emulator.state.home import Home


def write_task(
    folder: Path, home: Home, task: NodeTask, settings: SlurmSettings, announce: Callable[[str], None], *,
    arguments: list[str], tables: Sequence[Path], pull: PullPolicy,
) -> None:  # fmt: skip
    """Write all that a task's step needs.

    Args:
        folder: the task's control folder, which is made last.
        home: whose task.
        task: what is to be done.
        settings: of this home; they say how a task with an image runs.
        announce: hears what the job should know.
        arguments: command line of the program that makes the toolkit's environment.
        tables: of substitutes for images.
        pull: whether nodes pull images that they do not have.

    Raises:
        EngineError: the task cannot be: its nodes are several machines, it has no environment, no image.
    """
    _refuse_apart(home, task)
    disk = folder.parent.parent
    known = read_note(disk)
    announce(f"node: {known['host']}, Slurm's job {known['job']}")
    contained = in_container(task, settings)
    values = task_environment(task, known, arguments, announce, contained=contained)
    ready_tree(disk, task)
    ready_gang(disk, task)
    if contained:
        gpus = values["AZ_BATCHAI_NUM_GPUS"] != "0"
        write_control(folder, task, values, ending(task), "held")
        write_launch(
            folder, home, task, settings.launcher, known, tables=tables, pull=pull, gpus=gpus
        )  # fmt: skip
    else:
        write_control(folder, task, values, "", "session")
        variables = node_variables(disk, settings.python)
        lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        (folder / "node").write_text("".join(f"{line}\n" for line in lines))
        root, *volumes = task.mounts
        for mount in volumes:
            link_volume(disk, mount.target.relative_to(root.target), mount.source)
    (folder / "step").touch()


def _refuse_apart(home: Home, task: NodeTask) -> None:
    """Refuse a job whose nodes are several machines: what they share are pipes, which end at each."""
    members = task.gang.members if task.gang else ()
    hosts = {read_note(home.nodes / task.cluster / each.node).get("host") for each in members}
    if len(hosts) > 1 and not all(each.address.startswith(LOOPBACK) for each in members):
        text = f"Jobs of several nodes do not run on several machines yet ({', '.join(map(str, hosts))})."
        raise EngineError(Problem("JobNotSupported", f"properties.nodeCount: {text}"))


def in_container(task: NodeTask, settings: SlurmSettings) -> bool:
    """Tell whether a task runs in a container: it names an image, and there is a launcher for some."""
    return task.image is not None and settings.launcher != "process"


def task_environment(
    task: NodeTask,
    known: Mapping[str, Any],
    arguments: list[str],
    announce: Callable[[str], None],
    *,
    contained: bool,
) -> Mapping[str, str]:
    """Give a task's variables, after making its toolkit's environment where it needs one.

    ``known``: what is noted of its node. ``arguments``: command line of the program that makes environments.
    ``announce`` hears what the job should know. ``contained``: it runs in its image, which has its toolkit,
    and there GPUs are numbered from 0; else which GPUs they are is Slurm's to say, on the node.
    """
    if task.image is not None and not contained:
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
    if proof.gpus and not contained:
        for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
            if name not in task.environment:
                del values[name]
    if str(known.get("address")).startswith(LOOPBACK):  # several nodes on one machine
        values = {**LOOPBACK_MPI, **values}
    if contained:
        return values
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
