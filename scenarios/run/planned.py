"""The plan of a run: its uploads, and the exact requests that it would send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.base import ClusterSpec, JobSpec
from batchai_scenario.backends.planning import planned_requests, whereabouts
from batchai_scenario.scenarios.definition.bodies import directory_ids, own_shares, with_user_account
from batchai_scenario.scenarios.definition.uploads import uploads_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchai_scenario.backends.base import Backend, PlannedRequest
    from batchai_scenario.backends.offers import Whereabouts
    from batchai_scenario.scenarios.definition.scenario import Resolved
    from batchai_scenario.scenarios.record.model import RunRecord
    from batchai_scenario.scenarios.run.launch import Target


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do: ``uploads`` as ``scenario plan --json`` gives them."""

    backend: str
    uploads: Sequence[dict[str, Any]]
    requests: Sequence[PlannedRequest]
    where: Whereabouts


def plan_run(resolved: Resolved, record: RunRecord, target: Target) -> Plan:
    """Plan a run; nothing is sent. Data sets that are yet to be made are uploads without requests.

    Raises:
        UserError: the backend or an option is unknown, cannot be planned for, or refused a body.
    """
    uploads = [
        {
            "share": item.share,
            "path": item.path,
            "from": str(item.file) if item.file else f"dataset:{item.dataset}",
            "size": item.file.stat().st_size if item.file else None,
        }
        for item in resolved.uploads
    ]
    requests = planned_requests(target.backend, target.options, _calls(resolved, record))
    return Plan(target.backend, uploads, requests, whereabouts(target.backend, target.options))


def _calls(resolved: Resolved, record: RunRecord) -> Callable[[Backend], None]:
    """Give the calls of a run in their order; what a run asks again and again is asked once."""
    place = record.place.place
    files = uploads_of([item for item in resolved.uploads if item.file is not None], {})

    def calls(backend: Backend) -> None:
        backend.ensure_place(place)
        for share in dict.fromkeys(
            [item.share for item in resolved.uploads] + own_shares(resolved.cluster, *resolved.jobs.values())
        ):
            backend.ensure_share(share)
        backend.upload(files)
        cluster = record.cluster.name
        backend.create_cluster(ClusterSpec(place, cluster, with_user_account(resolved.cluster)))
        backend.get_cluster(place, cluster)
        jobs = []
        for name, body in resolved.jobs.items():
            job = backend.submit(JobSpec(place, name, cluster, body))
            backend.get_job(job.id)
            for directory in directory_ids(body):
                backend.list_outputs(job.id, directory)
            jobs.append(job.id)
        if record.keep:
            return
        for job_id in jobs:
            backend.delete_job(job_id)
        backend.delete_cluster(place, cluster)
        if record.place.ours:
            backend.delete_place(place)

    return calls
