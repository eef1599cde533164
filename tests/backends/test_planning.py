"""A plan is what would be sent, in order, without a secret, and nothing is sent."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.backends.base import ClusterSpec, JobSpec, Upload
from batchai_scenario.backends.errors import InvalidSpec, UserError
from batchai_scenario.backends.planning import planned_requests

if TYPE_CHECKING:
    from pathlib import Path

    from batchai_scenario.backends.base import Backend, BackendOptions, Place, PlannedRequest

VOLUME = {
    "accountName": "$STORAGE_ACCOUNT",
    "azureFileUrl": "$STORAGE_URL/data",
    "credentials": {"accountKey": "$STORAGE_KEY"},
    "relativeMountPath": "afs",
}


def calls(place: Place, folder: Path, backend: Backend) -> None:
    source = folder / "data.bin"
    source.write_bytes(b"x" * 5_000_000)
    assert backend.ensure_place(place) is True
    backend.ensure_share("data")
    backend.upload([Upload(source, "data", "in/data.bin")])
    user = {"adminUserName": "a", "adminUserPassword": "hunter2-password"}
    properties = {
        "vmSize": "STANDARD_NC6",
        "userAccountSettings": user,
        "scaleSettings": {"manual": {"targetNodeCount": 1}},
        "nodeSetup": {"mountVolumes": {"azureFileShares": [VOLUME]}},
    }
    assert backend.create_cluster(ClusterSpec(place, "nodes", properties)).nodes["idle"] == 1
    body = {
        "nodeCount": 1,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
        "customToolkitSettings": {"commandLine": "true"},
        "secrets": [{"name": "TOKEN", "value": "hunter2-token"}],
    }
    job = backend.submit(JobSpec(place, "train", "nodes", body))
    assert backend.get_job(job.id).state.final
    assert backend.list_outputs(job.id, "stdouterr") == []
    backend.terminate(job.id)
    backend.delete_job(job.id)
    backend.delete_cluster(place, "nodes")
    backend.delete_place(place)


def lines(plan: list[PlannedRequest]) -> list[str]:
    return [f"{request.method} {request.url.split('?')[0]}" for request in plan]


@pytest.mark.parametrize("name", ["azure", "local"])
def test_a_plan_has_every_request_and_no_secret(
    name: str, options: BackendOptions, place: Place, tmp_path: Path
) -> None:
    plan = planned_requests(name, options, lambda backend: calls(place, tmp_path, backend))
    shown = json.dumps([[item.url, item.body, dict(item.headers)] for item in plan])
    assert "hunter2" not in shown
    assert options.environment["AZURE_STORAGE_KEY"] not in shown
    assert "authorization" not in shown.lower()
    assert "<storage key>" in shown
    assert "<secret TOKEN>" in shown
    assert "<adminUserPassword>" in shown
    changing = [line.rpartition("/")[2] for line in lines(plan) if line.startswith(("PUT", "POST", "DELETE"))]
    assert changing == [
        *("group", "workspace", "experiment", "data", "in", "data.bin", "data.bin", "data.bin", "data.bin"),
        *(
            "nodes",
            "train",
            "listOutputFiles",
            "terminate",
            "train",
            "nodes",
            "experiment",
            "workspace",
            "group",
        ),
    ]
    base = "https://management.azure.com/" if name == "azure" else "http://127.0.0.1:<port>/"
    assert plan[0].url.startswith(f"{base}subscriptions/")
    assert list(tmp_path.iterdir()) == [tmp_path / "data.bin"]  # no home was made


def test_missing_settings_stand_as_their_variables(
    options: BackendOptions, place: Place, tmp_path: Path
) -> None:
    bare = replace(options, environment={"AZURE_STORAGE_ACCOUNT": "mine"})
    plan = planned_requests("azure", bare, lambda backend: calls(place, tmp_path, backend))
    assert plan[0].url.startswith("https://management.azure.com/subscriptions/AZURE_SUBSCRIPTION_ID/")
    assert any(request.url.startswith("https://mine.file.core.windows.net/data") for request in plan)


def test_choices_go_with_the_cluster_alone(options: BackendOptions, place: Place, tmp_path: Path) -> None:
    chosen = replace(options, values={"engine": "process", "gpus": "none"})
    plan = planned_requests("local", chosen, lambda backend: calls(place, tmp_path, backend))
    told = [item for item in plan if "x-scenario-engine" in item.headers]
    assert [(item.method, item.headers["x-scenario-gpus"]) for item in told] == [("PUT", "none")]
    assert "/clusters/nodes" in told[0].url


def test_a_refusal_is_a_refusal_in_a_plan_too(options: BackendOptions, place: Place) -> None:
    spec = ClusterSpec(place, "nodes", {"vmSise": "x"})
    with pytest.raises(InvalidSpec):
        planned_requests("azure", options, lambda backend: backend.create_cluster(spec))
    with pytest.raises(UserError):
        planned_requests("local", replace(options, values={"engine": "podman"}), lambda _: None)
    with pytest.raises(UserError):
        planned_requests("aws", options, lambda _: None)


def test_a_backend_without_requests_has_an_empty_plan(options: BackendOptions, place: Place) -> None:
    assert planned_requests("memory", replace(options, values={}), lambda it: it.ensure_share("x")) == []
