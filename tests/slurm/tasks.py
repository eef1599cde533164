"""Tasks for Slurm's nodes, planned as a job of the toolkit custom is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.launch.build import JobToPlan, plan_job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from batchai_scenario.emulator.engines.base import NodePlace
    from batchai_scenario.emulator.launch.plan import GpuMode, NodeTask
    from batchai_scenario.emulator.state.home import Home


def share_of(home: Home) -> Path:
    """Give the share that the tasks write to."""
    return home.storage / "account" / "share"


def custom_task(
    home: Home,
    place: NodePlace,
    name: str,
    command: str,
    image: Mapping[str, Any] | None = None,
    *,
    gpus: GpuMode = "none",
) -> NodeTask:
    """Plan the task of a job of one node, as ``custom_tasks``."""
    return custom_tasks(home, [place], name, command, image, gpus=gpus)[0]


def custom_tasks(
    home: Home,
    places: Sequence[NodePlace],
    name: str,
    command: str,
    image: Mapping[str, Any] | None = None,
    *,
    gpus: GpuMode = "none",
) -> tuple[NodeTask, ...]:
    """Plan the tasks of a job; its streams are in ``segment/stdouterr`` on the share.

    ``image``: the job's ``imageSourceRegistry``.
    """
    share_of(home).mkdir(parents=True, exist_ok=True)
    prefix = "$AZ_BATCHAI_MOUNT_ROOT/share"
    definition: dict[str, Any] = {
        "nodeCount": len(places),
        "stdOutErrPathPrefix": prefix,
        "customToolkitSettings": {"commandLine": command},
    }
    secrets = {}
    if image is not None:
        definition["containerSettings"] = {"imageSourceRegistry": image}
        secrets["/containerSettings/imageSourceRegistry/credentials/password"] = "pass-word"
    plan = plan_job(
        JobToPlan(
            job_guid=name,
            workspace="ws",
            experiment="exp",
            job=name,
            segment="segment",
            definition=definition,
            secrets=secrets,
            nodes=places,
            cluster_mounts=[("share", share_of(home))],
            job_mounts=[],
            gpus=gpus,
        )
    )
    return plan.tasks
