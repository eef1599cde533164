"""A body reaches the service as it was written; what the service would not read is refused by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends.base import ClusterSpec, JobSpec
from batchai_scenario.backends.bodies import check, filled
from batchai_scenario.backends.errors import InvalidSpec
from batchai_scenario.backends.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.backends.base import Place

CLUSTER: dict[str, Any] = {
    "vmSize": "STANDARD_NC6",
    "vmPriority": "lowpriority",
    "scaleSettings": {"manual": {"targetNodeCount": 0, "nodeDeallocationOption": "requeue"}},
    "virtualMachineConfiguration": {
        "imageReference": {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "16.04-LTS"}
    },
    "nodeSetup": {
        "setupTask": {
            "commandLine": "apt-get update",
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
            "environmentVariables": [{"name": "A", "value": ""}],
            "secrets": [{"name": "S", "value": "$STORAGE_KEY"}],
        },
        "mountVolumes": {
            "azureFileShares": [
                {
                    "accountName": "a",
                    "azureFileUrl": "https://a/s",
                    "relativeMountPath": "afs",
                    "fileMode": "0777",
                    "credentials": {"accountKey": "a2V5"},
                }
            ],
            "unmanagedFileSystems": [{"mountCommand": "mount", "relativeMountPath": "u"}],
        },
    },
    "userAccountSettings": {"adminUserName": "admin", "adminUserSshPublicKey": "ssh-rsa AAA"},
    "subnet": {
        "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/s"
    },
}
JOB: dict[str, Any] = {
    "schedulingPriority": "high",
    "nodeCount": 2,
    "containerSettings": {
        "imageSourceRegistry": {"image": "x", "credentials": {"username": "u", "password": "p"}},
        "shmSize": "2g",
    },
    "cntkSettings": {"pythonScriptFilePath": "a.py", "commandLineArgs": "  two  spaces ", "processCount": 2},
    "jobPreparation": {"commandLine": "true"},
    "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
    "inputDirectories": [{"id": "IN", "path": "$AZ_BATCHAI_MOUNT_ROOT/in"}],
    "outputDirectories": [{"id": "OUT", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/out", "pathSuffix": "x"}],
    "environmentVariables": [{"name": "A", "value": "1"}],
    "constraints": {"maxWallClockTime": "PT1H30M"},
}


@pytest.mark.parametrize("kind", ["Cluster", "Job"])
def test_what_is_written_is_what_is_sent(kind: str, scripted: Callable[..., Any], place: Place) -> None:
    refusal = {"error": {"code": "x"}}
    backend, script = scripted(lambda request: (404 if request.method == "GET" else 400, {}, refusal))
    calls = {
        "Cluster": lambda: backend.create_cluster(ClusterSpec(place, "nodes", CLUSTER)),
        "Job": lambda: backend.submit(JobSpec(place, "job", "nodes", JOB)),
    }
    with pytest.raises(InvalidSpec):
        calls[kind]()
    sent = json.loads(script.sent[-1].body)["properties"]
    if kind == "Job":
        assert sent.pop("cluster")["id"].endswith("/workspaces/workspace/clusters/nodes")
        assert sent == JOB
    else:
        secret = sent["nodeSetup"]["setupTask"]["secrets"][0]
        assert secret["value"] != "$STORAGE_KEY"
        secret["value"] = "$STORAGE_KEY"
        assert sent == CLUSTER


@pytest.mark.parametrize(
    ("kind", "properties", "path", "hint"),
    [
        ("Cluster", {"vmsize": "STANDARD_NC6"}, "properties.vmsize", "vmSize"),
        ("Cluster", {"currentNodeCount": 1}, "properties.currentNodeCount", ""),
        (
            "Cluster",
            {"nodeSetup": {"setupTask": {**CLUSTER["nodeSetup"]["setupTask"], "stdOutErrPathSuffix": "x"}}},
            "properties.nodeSetup.setupTask.stdOutErrPathSuffix",
            "stdOutErrPathPrefix",
        ),
        ("Job", {"inputDirectories": {"id": "x"}}, "properties.inputDirectories", ""),
        ("Job", {"inputDirectories": [{"id": 1, "path": "/a"}]}, "properties.inputDirectories[0].id", ""),
        ("Job", {"nodeCount": True}, "properties.nodeCount", ""),
        ("Job", {"nodeCount": "1"}, "properties.nodeCount", ""),
        ("Job", {"constraints": {"maxWallClockTime": "1h"}}, "properties.constraints.maxWallClockTime", ""),
        ("Job", {"constraints": {"maxWallClockTime": "P"}}, "properties.constraints.maxWallClockTime", ""),
        ("Job", {"containerSettings": "ubuntu"}, "properties.containerSettings", ""),
    ],
)
def test_what_would_be_dropped_or_bent_is_refused_by_path(
    kind: str, properties: dict[str, Any], path: str, hint: str
) -> None:
    with pytest.raises(InvalidSpec) as refused:
        check(kind, {**(CLUSTER if kind == "Cluster" else JOB), **properties})
    assert refused.value.field == path
    assert hint in refused.value.hint


def test_a_misspelt_name_is_said_once_and_not_as_missing_too() -> None:
    misspelt = {"vmsize" if name == "vmSize" else name: value for name, value in CLUSTER.items()}
    with pytest.raises(InvalidSpec) as refused:
        check("Cluster", misspelt)
    assert refused.value.field == "properties.vmsize"
    assert "vmSize" in refused.value.hint


def test_everything_that_is_wrong_is_said_at_once() -> None:
    wrong = {
        **JOB,
        "nodeCount": 0,
        "stdOutErrPathPrefix": "logs",
        "environmentVariables": [{"name": "A B", "value": "x"}, {"name": "OK", "value": 5}],
        "constraints": {"maxWallClockTime": "P1M"},
        "customToolkitSettings": {"commandLine": " "},
    }
    with pytest.raises(InvalidSpec) as refused:
        check("Job", wrong)
    for path in (
        "properties",
        "properties.nodeCount",
        "properties.stdOutErrPathPrefix",
        "properties.environmentVariables[0].name",
        "properties.environmentVariables[1].value",
        "properties.constraints.maxWallClockTime",
        "properties.customToolkitSettings.commandLine",
    ):
        assert f"{path}: " in str(refused.value)


def test_weeks_are_a_duration_like_any() -> None:
    check("Job", {**JOB, "constraints": {"maxWallClockTime": "P1W"}})


def test_null_counts_as_not_given() -> None:
    check("Job", {**JOB, "containerSettings": None, "jobPreparation": None})


def test_placeholders_are_filled_wherever_they_stand() -> None:
    values = {"ACCOUNT": "acct", "KEY": "a2V5", "URL": "https://acct"}
    given = {"a": ["$STORAGE_URL/share", {"b": "$STORAGE_ACCOUNT"}], "c": "$STORAGE_ACCOUNTS", "d": 1}
    found = filled(given, values)
    assert found == {"a": ["https://acct/share", {"b": "acct"}], "c": "$STORAGE_ACCOUNTS", "d": 1}


def test_the_storage_key_goes_only_where_the_service_hides_it() -> None:
    values = {"ACCOUNT": "acct", "KEY": "a2V5", "URL": "https://acct"}
    hidden = {"secrets": [{"name": "K", "value": "key=$STORAGE_KEY"}]}
    assert filled(hidden, values) == {"secrets": [{"name": "K", "value": "key=a2V5"}]}
    with pytest.raises(InvalidSpec) as refused:
        filled({"customToolkitSettings": {"commandLine": "echo $STORAGE_KEY"}}, values)
    assert refused.value.field == "properties.customToolkitSettings.commandLine"


def test_a_job_for_another_cluster_is_refused(scripted: Callable[..., Any], place: Place) -> None:
    backend, script = scripted(lambda _: (404, {}, {"error": {"code": "x"}}))
    with pytest.raises(InvalidSpec) as refused:
        backend.submit(JobSpec(place, "job", "nodes", {**JOB, "cluster": {"id": "/another"}}))
    assert refused.value.field == "properties.cluster"
    assert script.sent == []


REGISTRY = "properties.containerSettings.imageSourceRegistry"


def with_registry(image: str, server: str) -> dict[str, Any]:
    registry = {"image": image, "serverUrl": server, "credentials": {"username": "u", "password": "p"}}
    return {**JOB, "containerSettings": {"imageSourceRegistry": registry}}


@pytest.mark.parametrize(
    ("image", "server"),
    [
        ("127.0.0.1:5058/team/train:1.0", "127.0.0.1:5057"),
        ("team/train:1.0", "127.0.0.1:5057"),
        ("train", "https://demo.azurecr.io"),
        ("demo.azurecr.io.example.com/train", "demo.azurecr.io"),
        ("demo.azurecr.io/train", "docker.io"),
        ("demo.azurecr.io", "demo.azurecr.io"),
        ("localhost/train", "localhost:5000"),
    ],
)
def test_credentials_go_to_their_own_registry_alone(image: str, server: str) -> None:
    with pytest.raises(InvalidSpec, match="must begin with the host of serverUrl") as caught:
        check("Job", with_registry(image, server))
    assert caught.value.field == f"{REGISTRY}.image"


@pytest.mark.parametrize(
    ("image", "server"),
    [
        ("127.0.0.1:5057/team/train:1.0", "127.0.0.1:5057"),
        ("demo.azurecr.io/train", "https://demo.azurecr.io/"),
        ("Demo.azurecr.io/train", "https://demo.azurecr.io:443/v2"),
        ("team/train:1.0", "https://index.docker.io/v1/"),
        ("docker.io/team/train", "docker.io"),
        ("team/train", ""),
    ],
)
def test_an_image_of_the_named_registry_is_taken(image: str, server: str) -> None:
    check("Job", with_registry(image, server))


@pytest.mark.parametrize("backend", ["azure", "memory"])
@pytest.mark.parametrize(
    ("changed", "where"),
    [
        (with_registry("team/train:1.0", "127.0.0.1:5057"), "containerSettings.imageSourceRegistry.image"),
        ({"environmentVariables": [{"name": "A", "value": "x" * 131_072}]}, "environmentVariables[0].value"),
    ],
)
def test_no_backend_submits_what_no_engine_can_start(
    backend: str, changed: dict[str, Any], where: str, scripted: Callable[..., Any], place: Place
) -> None:
    azure, script = scripted(lambda _: (404, {}, {"error": {"code": "x"}}))
    memory = MemoryBackend()
    memory.ensure_place(place)
    job = JobSpec(place, "job", "nodes", {**JOB, **changed})
    with pytest.raises(InvalidSpec) as refused:
        {"azure": azure, "memory": memory}[backend].submit(job)
    assert refused.value.field == f"properties.{where}"
    assert (script.sent, memory.list_jobs(place)) == ([], [])


def test_what_linux_cannot_start_is_refused_by_name() -> None:
    long = "x" * 131_072
    variables = [{"name": "A", "value": "1"}, {"name": "B", "value": long}]
    many = [{"name": f"V{number}", "value": "y" * 131_000} for number in range(15)]
    for changed, where in (
        ({"environmentVariables": variables}, "environmentVariables[1].value"),
        (
            {"environmentVariables": [{"name": "B", "value": "x" * (131_072 - 2)}]},
            "environmentVariables[0].value",
        ),
        ({"secrets": variables}, "secrets[1].value"),
        ({"environmentVariables": many}, "environmentVariables"),
        (
            {"cntkSettings": {"pythonScriptFilePath": "a.py", "commandLineArgs": long}},
            "cntkSettings.commandLineArgs",
        ),
        ({"jobPreparation": {"commandLine": f"echo {long}"}}, "jobPreparation.commandLine"),
        ({"jobPreparation": {"commandLine": "x" * 130_048}}, "jobPreparation.commandLine"),
    ):
        with pytest.raises(InvalidSpec, match="Linux") as caught:
            check("Job", {**JOB, **changed})
        assert caught.value.field == f"properties.{where}"
    check("Job", {**JOB, "environmentVariables": [{"name": "B", "value": "x" * (131_072 - 3)}]})
    check("Job", {**JOB, "jobPreparation": {"commandLine": "x" * 130_047}})
