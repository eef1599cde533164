"""What a task's container is made with: its GPUs, its cores, its variables, and the files of its node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.control import (
    drop_control,
    give_back_command,
    open_command,
    write_control,
)
from batchai_scenario.emulator.engines.docker.containers import create_container
from batchai_scenario.emulator.engines.docker.cuda import cuda_of, too_old
from batchai_scenario.emulator.engines.docker.giveback import note_container
from batchai_scenario.emulator.engines.docker.gpuproofs import prove_gpus
from batchai_scenario.emulator.engines.gang import ready_gang
from batchai_scenario.emulator.engines.gpu import decide_gpus
from batchai_scenario.emulator.engines.gpunodes import noted
from batchai_scenario.emulator.engines.labels import labels
from batchai_scenario.emulator.engines.limits import read_limits
from batchai_scenario.emulator.engines.nodes import read_note, ready_tree
from batchai_scenario.emulator.engines.parts import (
    core_list,
    describe,
    part_of,
    part_variables,
    place_among,
)
from batchai_scenario.emulator.launch.environment import gpu_variables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchai_scenario.emulator.engines.control import Owner
    from batchai_scenario.emulator.engines.docker.api import Api, Facts
    from batchai_scenario.emulator.engines.docker.images import Images
    from batchai_scenario.emulator.launch.plan import NodeTask
    from batchai_scenario.emulator.state.home import Home


def create_for_task(
    api: Api,
    home: Home,
    facts: Facts,
    task: NodeTask,
    *,
    images: Images,
    control: Path,
    owner: Owner | None,
    init: bool,
    announce: Callable[[str], None],
) -> None:
    """Ready a task's files on its node, and make its container; nothing of it runs yet.

    ``control`` is its control folder, ``owner`` whose its files are in the end; ``announce`` hears what the
    job should know of its GPUs and cores.
    """
    index, nodes = place_among(home, task.cluster, task.node)
    limits = read_limits(home.limits_table, int(facts.info.get("MemTotal") or 0), nodes)
    cores = range(int(facts.info.get("NCPU") or 0)) if facts.info.get("CPUSet") else ()
    part = part_of(cores, index, nodes) if cores and limits.divided and nodes > 1 else ()
    image = images.resolve(task.image, task.node_image, announce).id
    marks = labels(home, task.cluster, node=task.node)
    disk = control.parent.parent
    note = read_note(disk)
    proof = decide_gpus(
        task.gpus,
        lambda: prove_gpus(api, facts, home, image=image, devices=noted(note), marks=marks),
        announce,
    )
    if proof.gpus:
        inspected = api.inspect_image(image)
        if old := too_old(cuda_of(inspected, inspected.get("RepoTags") or ()), proof.gpus):
            announce(f"gpus: {old}")
    ready_tree(disk, task)
    ready_gang(disk, task)
    drop_control(control)
    visible = [str(index) for index in range(len(proof.gpus))]
    environment = {**task.environment, **gpu_variables(visible, task.environment)}
    if part:
        announce(describe(part, cores))
        environment = {**part_variables(part, len(cores), nodes), **environment}
    write_control(control, task, environment, _ending(facts, task, owner), "alone")
    note_container(control, image, task.mounts)
    create_container(
        api,
        home,
        facts,
        task,
        image=image,
        control=control,
        address=str(note.get("address") or ""),
        gpus=proof.request,
        limits=limits,
        cores=core_list(part),
        init=init,
    )


def _ending(facts: Facts, task: NodeTask, owner: Owner | None) -> str:
    targets, beside = [mount.target for mount in task.mounts], [mount.target for mount in task.commands]
    if owner is not None:
        return give_back_command(owner, targets, beside)
    return open_command(targets, beside) if facts.rootless else ""
