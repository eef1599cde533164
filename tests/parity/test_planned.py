"""A plan is what a run sends: the same calls, planned, and sent to the reference model by Azure's wire."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.base import BackendOptions, JobSpec, Upload
from batchai_scenario.backends.planning import planned_requests
from batchai_scenario.schema.secrets import redacted
from tests.parity.azure_service import ENVIRONMENT, Service
from tests.parity.test_azure_http import BODY, CLUSTER, PLACE, azure

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from batchai_scenario.backends.base import Backend

Asked = tuple[str, str, Any]


def calls(backend: Backend, folder: Path) -> None:
    """Do what a run does where nothing exists yet, and delete all of it."""
    source = folder / "data.bin"
    source.write_bytes(b"0123456789" * 500_000)
    assert backend.ensure_place(PLACE) is True
    backend.ensure_share("share")
    assert backend.upload([Upload(source, "share", "in/deeper/data.bin")]).sent == 1
    assert backend.create_cluster(CLUSTER).nodes["idle"] == 1
    secret = {"name": "TOKEN", "value": "hunter2-token"}
    job = backend.submit(JobSpec(PLACE, "train", "nodes", {**BODY, "secrets": [secret]}))
    while not job.state.final:
        job = backend.get_job(job.id)
    assert [it.id for it in backend.list_jobs(PLACE)] == [job.id]
    backend.terminate(job.id)
    backend.delete_job(job.id)
    backend.delete_cluster(PLACE, "nodes")
    backend.delete_place(PLACE)


def without_polls(requests: Iterable[Asked]) -> list[Asked]:
    """Leave out looks at operations and at what came of them, and looks repeated until something is so."""
    kept: list[Asked] = []
    polled = False
    for method, url, body in requests:
        if "/operationresults/" in url:
            polled = True
            continue
        came_of_it = polled and method == "GET" and kept[-1][:2] == ("PUT", url)
        polled = False
        if not came_of_it:
            kept.append((method, url, body))
    return [asked for asked, _ in groupby(kept)]


def shown(body: str | bytes | None) -> Any:
    """Write a body as plans do: names in the place of secrets; None for the bytes of a file."""
    text = body.decode() if isinstance(body, bytes) else body or ""
    if not text.startswith("{"):
        return None
    read = json.loads(text.replace(ENVIRONMENT["AZURE_STORAGE_KEY"], "$STORAGE_KEY"))
    return json.loads(json.dumps(redacted(read)).replace("$STORAGE_KEY", "<storage key>"))


def test_a_plan_is_what_is_sent(tmp_path: Path) -> None:
    options = BackendOptions(tmp_path, {}, ENVIRONMENT)
    planned = planned_requests("azure", options, lambda backend: calls(backend, tmp_path))
    service = Service()
    with azure(service, tmp_path) as backend:
        calls(backend, tmp_path)
    sent = [(str(it.method), str(it.url), shown(it.body)) for it in service.sent]
    told = [(it.method, it.url, it.body) for it in planned]
    assert without_polls(sent) == without_polls(told)
    assert len(without_polls(sent)) > 15
