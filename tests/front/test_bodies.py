"""What a body may say: unknown, wrong and not yet emulated properties are refused by their JSON path."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.gateway.rendering import service_error_body
from batchai_scenario.schema.names import normal_size
from tests.front.wrongbodies import CLUSTERS, COMPONENT, DELETE, JOBS, KEY_VAULT, SCRIPT

if TYPE_CHECKING:
    from tests.front.conftest import Front

WS = "resourceGroups/rg/providers/Microsoft.BatchAI/workspaces/ws"


def change(body: dict[str, Any], path: str, value: Any) -> None:
    """Set (or delete) a property by a path such as ``properties.a[0].b``; missing objects are made."""
    parts = path.replace("[", ".[").split(".")
    place: Any = body
    for part in parts[:-1]:
        place = place[int(part[1:-1])] if part.startswith("[") else place.setdefault(part, {})
    last = parts[-1]
    key: Any = int(last[1:-1]) if last.startswith("[") else last
    if value is DELETE:
        del place[key]
    else:
        place[key] = value


def put_cluster(front: Front, body: dict[str, Any]) -> Any:
    return front.refused("PUT", f"{WS}/clusters/new", body)


@pytest.mark.parametrize(("path", "value", "code", "target"), CLUSTERS)
def test_wrong_clusters(
    populated: Front, cluster_body: dict[str, Any], *, path: str, value: Any, code: str, target: str
) -> None:
    change(cluster_body, path, value)
    error = put_cluster(populated, cluster_body)
    assert (error.status, error.code, error.target) == (400, code, target)
    assert "key of the account" not in str(error)
    assert populated.refused("GET", f"{WS}/clusters/new").status == 404


@pytest.mark.parametrize(("path", "value", "code", "target"), JOBS)
def test_wrong_jobs(
    populated: Front, job_body: dict[str, Any], *, path: str, value: Any, code: str, target: str
) -> None:
    if path.endswith("Settings") and path != "properties.containerSettings":
        del job_body["properties"]["customToolkitSettings"]
    change(job_body, path, value)
    error = populated.refused("PUT", f"{WS}/experiments/ex/jobs/new", job_body)
    assert (error.status, error.code, error.target) == (400, code, target)


@pytest.mark.parametrize(
    "extra", [{}, {"cntkSettings": SCRIPT, "customToolkitSettings": {"commandLine": "x"}}]
)
def test_a_job_has_exactly_one_toolkit(
    populated: Front, job_body: dict[str, Any], extra: dict[str, Any]
) -> None:
    del job_body["properties"]["customToolkitSettings"]
    job_body["properties"] |= extra
    error = populated.refused("PUT", f"{WS}/experiments/ex/jobs/new", job_body)
    assert (error.code, error.target) == ("InvalidPropertyValue", "properties")


def test_cntk_gets_its_language_and_process_count(populated: Front, job_body: dict[str, Any]) -> None:
    properties = job_body["properties"]
    del properties["customToolkitSettings"]
    for settings, language in (
        (SCRIPT, "Python"),
        ({**SCRIPT, "languageType": "PYTHON"}, "Python"),
        ({"configFilePath": "x.cntk"}, "BrainScript"),
    ):
        properties["cntkSettings"] = settings
        name = f"{WS}/experiments/ex/jobs/{language}{len(settings)}"
        populated.ask("PUT", name, job_body)
        read = populated.ask("GET", name).body
        assert read is not None
        assert read["properties"]["toolType"] == "cntk"
        assert read["properties"]["cntkSettings"]["languageType"] == language
        assert read["properties"]["cntkSettings"]["processCount"] == 1


def test_secrets_keep_their_names_only(populated: Front, job_body: dict[str, Any]) -> None:
    job_body["properties"] |= {
        "environmentVariables": [{"name": "PLAIN", "value": 5}],
        "secrets": [{"name": "HIDDEN", "value": "s3cret"}],
        "containerSettings": {
            "imageSourceRegistry": {"image": "i", "credentials": {"username": "u", "password": "s3cret"}}
        },
    }
    populated.ask("PUT", f"{WS}/experiments/ex/jobs/s", job_body)
    read = populated.ask("GET", f"{WS}/experiments/ex/jobs/s").body
    assert read is not None
    assert "s3cret" not in str(read)
    assert read["properties"]["environmentVariables"] == [{"name": "PLAIN", "value": "5"}]
    assert read["properties"]["secrets"] == [{"name": "HIDDEN"}]
    assert read["properties"]["containerSettings"]["imageSourceRegistry"]["credentials"] == {"username": "u"}
    (key,) = [key for key in populated.clusters.secrets if key.endswith("/jobs/s")]
    assert populated.clusters.secrets[key] == {
        "/secrets/0/value": "s3cret",
        "/containerSettings/imageSourceRegistry/credentials/password": "s3cret",
    }


def test_what_get_gives_can_be_put_again_once_secrets_are_filled_in(
    populated: Front, job_body: dict[str, Any]
) -> None:
    for path in (f"{WS}/experiments/ex/jobs/j", f"{WS}/clusters/c"):
        read = copy.deepcopy(dict(populated.ask("GET", path).body or {}))
        if "nodeSetup" in read["properties"]:
            share = read["properties"]["nodeSetup"]["mountVolumes"]["azureFileShares"][0]
            share["credentials"] = {"accountKey": "k"}
            read["properties"]["userAccountSettings"]["adminUserPassword"] = "p"
        assert populated.ask("PUT", path, read).status == 200


def test_what_a_cluster_is_made_of_is_kept_and_its_secrets_are_not(
    populated: Front, cluster_body: dict[str, Any]
) -> None:
    subnet = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n"
    image = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/i"
    setup = {
        "commandLine": "apt-get install -y sl",
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
        "environmentVariables": [{"name": "A", "value": "b"}],
        "secrets": [{"name": "TOKEN", "value": "hunter2"}],
    }
    insights = {"component": {"id": COMPONENT}, "instrumentationKey": "hunter3"}
    properties = cluster_body["properties"]
    properties["subnet"] = {"id": subnet}
    reference = {"publisher": "p", "offer": "o", "sku": "s", "virtualMachineImageId": image}
    properties["virtualMachineConfiguration"] = {"imageReference": reference}
    properties["nodeSetup"]["setupTask"] = setup
    properties["nodeSetup"]["performanceCountersSettings"] = {"appInsightsReference": insights}
    assert populated.ask("PUT", f"{WS}/clusters/whole", cluster_body).status == 202
    read = dict(populated.ask("GET", f"{WS}/clusters/whole").body or {})["properties"]
    assert read["subnet"] == {"id": subnet}
    assert read["virtualMachineConfiguration"]["imageReference"] == {**reference, "version": "latest"}
    suffix = read["nodeSetup"]["setupTask"].pop("stdOutErrPathSuffix")
    assert suffix.startswith("11111111-2222-3333-4444-555555555555/rg/workspaces/ws/clusters/whole/")
    assert read["nodeSetup"]["setupTask"] == {**setup, "secrets": [{"name": "TOKEN"}]}
    shown = read["nodeSetup"]["performanceCountersSettings"]["appInsightsReference"]
    assert shown == {"component": {"id": COMPONENT}}


def test_names_are_read_in_any_case_and_null_is_absent(
    populated: Front, cluster_body: dict[str, Any]
) -> None:
    properties = cluster_body["properties"]
    properties["VMSIZE"] = properties.pop("vmSize")
    properties["subnet"] = None
    properties["userAccountSettings"]["adminUserSSHPublicKey"] = "ssh-rsa AAAA"
    populated.ask("PUT", f"{WS}/clusters/odd", cluster_body)
    read = populated.ask("GET", f"{WS}/clusters/odd").body
    assert read is not None
    assert read["properties"]["userAccountSettings"]["adminUserSshPublicKey"] == "ssh-rsa AAAA"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Standard_NC6", "STANDARD_NC6"),
        ("standard_nc24R", "STANDARD_NC24r"),
        ("STANDARD_NC6S_V3", "STANDARD_NC6s_v3"),
        ("STANDARD_D1", "STANDARD_D1"),
    ],
)
def test_vm_sizes_are_written_as_the_service_does(given: str, shown: str) -> None:
    assert normal_size(given) == shown


def test_a_missing_body_is_refused(populated: Front) -> None:
    assert populated.refused("PUT", f"{WS}/clusters/new").code == "InvalidRequestContent"


def test_everything_that_is_wrong_is_said_at_once(populated: Front, job_body: dict[str, Any]) -> None:
    job_body["properties"] |= {
        "nodeCount": 0,
        "nodeCounts": 1,
        "stdOutErrPathPrefix": "logs",
        "secrets": [{"name": "A", "valueSecretReference": KEY_VAULT}],
        "customToolkitSettings": {"commandLine": " "},
    }
    error = populated.refused("PUT", f"{WS}/experiments/ex/jobs/new", job_body)
    assert (error.status, error.code, error.target) == (400, "InvalidRequestContent", "properties.nodeCounts")
    assert {(one.code, one.target) for one in error.errors} == {
        ("InvalidRequestContent", "properties.nodeCounts"),
        ("InvalidPropertyValue", "properties.nodeCount"),
        ("InvalidPropertyValue", "properties.stdOutErrPathPrefix"),
        ("InvalidPropertyValue", "properties.customToolkitSettings.commandLine"),
        ("PropertyNotSupported", "properties.secrets[0].valueSecretReference"),
    }
    written = service_error_body(error)["error"]
    assert written["target"] == "properties.nodeCounts"
    assert [one["target"] for one in written["details"]] == [one.target for one in error.errors]


def said_at_once(
    front: Front, path: str, body: dict[str, Any], method: str = "PUT", **more: str
) -> list[str]:
    """Give the targets of all that is wrong with a body, as ``details`` lists them."""
    error = front.refused(method, path, body, **more)
    written = service_error_body(error)["error"]
    assert {name: written["details"][0][name] for name in ("code", "message", "target")} == {
        name: written[name] for name in ("code", "message", "target")
    }
    return [one["target"] for one in written["details"]]


def test_all_that_is_wrong_is_said_at_once_of_every_kind_of_body(populated: Front) -> None:
    wrong = {"locations": "eastus", "tag": {}, "tags": ["a"]}
    assert said_at_once(populated, "resourceGroups/new", wrong) == ["locations", "tag", "location", "tags"]
    assert said_at_once(populated, "resourceGroups/rg", wrong, "PATCH") == ["locations", "tag", "tags"]
    everything = {**wrong, "location": "eastus"}
    new = f"{WS.rpartition('/')[0]}/new"
    assert said_at_once(populated, new, everything) == ["locations", "tag", "tags"]
    assert said_at_once(populated, WS, wrong, "PATCH") == ["locations", "tag", "tags"]
    assert said_at_once(populated, f"{WS}/experiments/new", wrong) == ["locations", "tag", "tags"]
    server = {"vmSize": "STANDARD_A0", "sshConfiguration": {}, "dataDisks": {"diskCount": 0}, "x": 1}
    found = said_at_once(populated, f"{WS}/fileServers/new", {"properties": server})
    assert {"properties.x", "properties.dataDisks.diskCount"} <= set(found)
    flat = {"location": "eastus", "tags": "a", "properties": {"vmSize": 1, "y": 2}}
    for kind in ("clusters", "fileServers", "jobs"):
        path = f"resourceGroups/rg/providers/Microsoft.BatchAI/{kind}/new"
        for version in ("2018-03-01", "2017-09-01-preview"):
            found = said_at_once(populated, path, flat, version=version)
            assert {"tags", "properties.y"} <= set(found), (kind, version)


def test_a_single_fault_is_the_error_itself(populated: Front, job_body: dict[str, Any]) -> None:
    job_body["properties"]["nodeCount"] = 0
    error = populated.refused("PUT", f"{WS}/experiments/ex/jobs/new", job_body)
    assert set(service_error_body(error)["error"]) == {"code", "message", "target"}
