"""Clusters and jobs in the page's JSON: names in camel case, times in ISO 8601, no secret anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.cluster.model import ClusterKey, ExperimentKey, JobKey, WorkspaceKey
from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from batchai_scenario.emulator.cluster.model import Cluster, Job
    from batchai_scenario.emulator.errors import Problem


def when(moment: datetime | None) -> str | None:
    """Write a time."""
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cluster_summary(cluster: Cluster) -> dict[str, Any]:
    """Tell of a cluster what stands on the overview."""
    scale = cluster.definition.get("scaleSettings") or {}
    return {
        "id": cluster.key.id,
        "name": cluster.key.name,
        "workspace": cluster.key.workspace.workspace,
        "group": cluster.key.workspace.group,
        "state": cluster.provisioning_state.value,
        "allocation": cluster.allocation_state.value,
        "allocationChanged": when(cluster.allocation_changed_at),
        "vmSize": cluster.definition.get("vmSize", ""),
        "priority": cluster.definition.get("vmPriority", ""),
        "engine": cluster.engine,
        "gpus": cluster.gpus,
        "created": when(cluster.created_at),
        "target": (scale.get("manual") or {}).get("targetNodeCount"),
        "autoScale": scale.get("autoScale"),
        "nodes": [
            {"id": node.id, "state": node.state.value, "address": node.address, "job": node.job}
            for node in cluster.nodes
        ],
        "errors": [problem(entry) for entry in cluster.errors],
    }


def job_summary(job: Job, number: int) -> dict[str, Any]:
    """Tell of a job what stands in a list; ``number`` grows from job to job."""
    return {
        "number": number,
        "id": job.key.id,
        "name": job.key.name,
        "workspace": job.key.experiment.workspace.workspace,
        "experiment": job.key.experiment.name,
        "cluster": job.cluster.lower(),
        "state": job.execution_state.value,
        "provisioning": job.provisioning_state.value,
        "created": when(job.created_at),
        "started": when(job.started_at),
        "ended": when(job.ended_at),
        "changed": when(job.execution_changed_at),
        "exitCode": job.exit_code,
        "nodeCount": job.definition.get("nodeCount", 1),
        "nodes": list(job.nodes),
        "toolkit": _toolkit(job.definition),
        "errors": [problem(entry) for entry in job.errors],
    }


def problem(entry: Problem) -> dict[str, Any]:
    """Tell an error in the service's own words."""
    return {"code": entry.code, "message": entry.message, "details": [list(pair) for pair in entry.details]}


def with_secrets_named(definition: Mapping[str, Any], pointers: Iterable[str]) -> dict[str, Any]:
    """Copy a definition; where a secret was taken out stands its name: ``<accountKey>``."""
    shown: dict[str, Any] = _copy(definition)
    for pointer in pointers:
        place: Any = shown
        *path, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        for part in path:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        place[last] = f"<{place.get('name', last) if last == 'value' else last}>"
    return shown


def _copy(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if hasattr(value, "items"):
        return {name: _copy(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copy(item) for item in value]
    return value


def _toolkit(definition: Mapping[str, Any]) -> str:
    named = [name for name in definition if name.endswith("Settings") and name != "containerSettings"]
    return named[0].removesuffix("Settings") if named else ""


def cluster_key(id_: str) -> ClusterKey:
    """Read a cluster's id; ServiceError 400 if it is none."""
    found = _parts(id_, "clusters")
    return ClusterKey(WorkspaceKey(found[0], found[1], found[2]), found[3])


def job_key(id_: str) -> JobKey:
    """Read a job's id; ServiceError 400 if it is none."""
    found = _parts(id_, "experiments", "jobs")
    return JobKey(ExperimentKey(WorkspaceKey(found[0], found[1], found[2]), found[3]), found[4])


def _parts(id_: str, *kinds: str) -> Sequence[str]:
    """Take an id apart: subscription, group, workspace, and a name of each kind."""
    words = id_.split("/")
    wanted = ["subscriptions", "resourcegroups", "providers", "workspaces", *kinds]
    places = words[1::2], words[2::2]
    if (
        words[:1] != [""]
        or len(words) != 1 + 2 * len(wanted)
        or [word.lower() for word in places[0]] != wanted
        or places[1][2].lower() != "microsoft.batchai"
        or not all(places[1])
    ):
        what = f"a {kinds[-1].removesuffix('s')}"
        raise ServiceError(400, "InvalidParameter", f"'{id_[:300]}' is no id of {what}.", "id")
    return [place for number, place in enumerate(places[1]) if number != 2]  # noqa: PLR2004 - the provider's name
