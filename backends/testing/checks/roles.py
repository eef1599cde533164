"""Checks of toolkits whose jobs have roles or ranks: a shell script in the place of a training script."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.base import JobState
from batchai_scenario.backends.testing.verdicts import holds, same
from batchai_scenario.backends.testing.vocabulary import PLACE, ROLES, TELLS

if TYPE_CHECKING:
    from batchai_scenario.backends.base import JobStatus
    from batchai_scenario.backends.testing.world import World

NODES, WORKERS, RANKS = 2, 3, 3


def t_1_workers_and_servers_have_files(world: World) -> None:
    """Run three workers and two servers on two nodes, and list what they left."""
    job = _tensorflow(world)
    wanted = {f"{stream}-{role}.txt" for stream in ("stdout", "stderr") for role in _roles()}
    same(_streams(world, job), wanted, "files of standard streams")


def t_2_workers_and_servers_know_one_another(world: World) -> None:
    """Let each worker and server tell its variables."""
    job = _tensorflow(world)
    told = {role: _told(world, job, role) for role in _roles()}
    first = told["wk-0"]
    hosts = {"ps": first["servers"].split(","), "worker": first["workers"].split(",")}
    same([len(set(hosts["ps"])), len(set(hosts["worker"]))], [NODES, WORKERS], "numbers of hosts")
    same(len({*hosts["ps"], *hosts["worker"]}), NODES + WORKERS, "addresses, each with a port of its own")
    for role, said in told.items():
        kind, _, index = role.partition("-")
        same(said["index"], index, f"AZ_BATCHAI_TASK_INDEX of {role}")
        same((said["servers"], said["workers"]), (first["servers"], first["workers"]), f"hosts of {role}")
        config = json.loads(said["config"])
        same(config["cluster"], hosts, f"cluster in TF_CONFIG of {role}")
        task = {"type": "ps" if kind == "ps" else "worker", "index": int(index)}
        same(config["task"], task, f"task in TF_CONFIG of {role}")


def t_3_ranks_are_counted_from_0(world: World) -> None:
    """Run three ranks on two nodes, and let each tell its own."""
    job = _pytorch(world, processCount=RANKS)
    wanted = {f"{stream}-{rank}.txt" for stream in ("stdout", "stderr") for rank in range(RANKS)}
    same(_streams(world, job), wanted, "files of standard streams")
    ranks = [_told(world, job, str(rank))["index"] for rank in range(RANKS)]
    same(ranks, [str(rank) for rank in range(RANKS)], "AZ_BATCHAI_TASK_INDEX of the ranks")


def t_4_ranks_meet_at_one_place(world: World) -> None:
    """Let each rank tell where it is to meet the others, and how."""
    job = _pytorch(world, processCount=RANKS)
    told = [_told(world, job, str(rank)) for rank in range(RANKS)]
    same({said["backend"] for said in told}, {"gloo"}, "AZ_BATCHAI_PYTORCH_BACKEND")
    methods = [said["method"] for said in told]
    for method in methods:
        holds("://" in method, f"AZ_BATCHAI_PYTORCH_INIT_METHOD is {method!r}, which is no URL")
    places = {said[PLACE] for said in told}
    holds(not any(place.startswith("/") for place in places), f"a folder of {methods} is not there")
    same(len(places), 1, f"places to meet, of {methods}")


def t_5_one_process_on_each_node(world: World) -> None:
    """Say nothing of the number of ranks."""
    job = _pytorch(world)
    same(len(_streams(world, job)), 2 * NODES, "files of standard streams")


def _roles() -> list[str]:
    return [f"wk-{index}" for index in range(WORKERS)] + [f"ps-{index}" for index in range(NODES)]


def _tensorflow(world: World) -> JobStatus:
    counts = {"workerCount": WORKERS, "parameterServerCount": NODES}
    arguments = {"parameterServerCommandLineArgs": "serve"}
    return _ended(world, "tensorFlowSettings", {**counts, **arguments})


def _pytorch(world: World, **more: object) -> JobStatus:
    return _ended(world, "pyTorchSettings", {"communicationBackend": "gloo", **more})


def _ended(world: World, toolkit: str, settings: dict[str, Any]) -> JobStatus:
    """Run the script in all roles of a toolkit to its end, on two nodes."""
    world.cluster(NODES)
    world.put(f"data/{ROLES}", world.bench.commands[ROLES])
    script = {"pythonScriptFilePath": f"$AZ_BATCHAI_INPUT_DATA/{ROLES}", "pythonInterpreterPath": "sh"}
    spec = world.job("succeed", "roles", nodeCount=NODES)
    body = {name: value for name, value in spec.properties.items() if name != "customToolkitSettings"}
    job = world.end(world.backend.submit(replace(spec, properties={**body, toolkit: {**script, **settings}})))
    same((job.state, job.errors), (JobState.SUCCEEDED, ()), "state and errors")
    return job


def _streams(world: World, job: JobStatus) -> set[str]:
    """List the files of standard streams."""
    return {
        file.path
        for file in world.backend.list_outputs(job.id, "stdouterr")
        if file.path.startswith(("stdout", "stderr"))
    }


def _told(world: World, job: JobStatus, role: str) -> dict[str, str]:
    """Give what a process told of its variables."""
    lines = world.text(job, f"stdout-{role}.txt").splitlines()
    told = dict(line.partition("=")[::2] for line in lines)
    same(tuple(told), (*TELLS, PLACE), f"what {role} tells")
    return told
