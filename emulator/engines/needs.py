"""What jobs and toolkits need of an engine before anything of theirs can start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.engines.base import Need
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.launch.build import NODE_SYSTEM, image_request
from batchai_scenario.training.toolkits.registry import delivered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_PASSWORD = "/containerSettings/imageSourceRegistry/credentials/password"  # noqa: S105 - where it stands


def toolkit_needs() -> dict[str, Need]:
    """Give what jobs that name no image need, by ``toolType``, of every toolkit that is emulated."""
    return {
        toolkit.tool_type: Need(
            toolkit.tool_type, toolkit.environment_program, None, toolkit.node_image or NODE_SYSTEM
        )
        for toolkit in delivered()
    }


def job_needs(jobs: Iterable[Mapping[str, Any]]) -> list[Need]:
    """Give what jobs (``properties`` of 2018-05-01) need, each once; one that is wrong is left out."""
    toolkits = delivered()
    found: dict[Need, None] = {}
    for job in jobs:
        given = [name for name in toolkits.names if job.get(name) is not None]
        if len(given) != 1 or given[0] not in toolkits:
            continue
        toolkit = toolkits[given[0]]
        try:
            registry = (job.get("containerSettings") or {}).get("imageSourceRegistry") or {}
            password = str((registry.get("credentials") or {}).get("password") or "")
            image = image_request(job, {_PASSWORD: password})
        except (ServiceError, AttributeError):
            continue
        settings = job[given[0]]
        found[
            Need(
                toolkit.tool_type,
                toolkit.environment_for(settings),
                image,
                toolkit.node_image or NODE_SYSTEM,
                "" if job.get("jobPreparation") else toolkit.program_for(settings),  # which may install it
            )
        ] = None
    return list(found)
