"""Workspaces, experiments, clusters and jobs over the wire: codes, headers, bodies, operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from batchai_scenario.emulator.arm.messages import ArmResponse
    from tests.front.conftest import Front

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
BASE = "http://127.0.0.1:8888"
RG = "resourceGroups/rg"
WS = f"{RG}/providers/Microsoft.BatchAI/workspaces/ws"
CLUSTER = f"{WS}/clusters/c"
EX = f"{WS}/experiments/ex"
JOB = f"{EX}/jobs/j"
ID = f"/subscriptions/{SUBSCRIPTION}/{WS}"


def body(answer: ArmResponse) -> dict[str, Any]:
    assert answer.body is not None
    return dict(answer.body)


def done(front: Front, answer: ArmResponse) -> bool:
    """Poll a long-running operation once, by both of its URLs."""
    assert answer.status == 202
    assert answer.body is None
    status = body(front.ask("GET", answer.headers["Azure-AsyncOperation"]))
    final = front.ask("GET", answer.headers["Location"])
    succeeded: bool = status["status"] == "Succeeded"
    assert final.status == (200 if succeeded else 202)
    assert ("endTime" in status) == succeeded
    return succeeded


def test_workspaces(front: Front) -> None:
    front.ask("PUT", RG, {"location": "eastus"})
    made = front.ask("PUT", WS, {"location": "East US"})
    assert made.status == 200
    assert made.headers["ETag"].startswith('"0x8D5')
    assert made.headers["Last-Modified"] == "Wed, 06 Jun 2018 12:00:00 GMT"
    assert body(made) == {
        "id": ID,
        "name": "ws",
        "type": "Microsoft.BatchAI/workspaces",
        "properties": {
            "creationTime": "2018-06-06T12:00:00Z",
            "provisioningState": "succeeded",
            "provisioningStateTransitionTime": "2018-06-06T12:00:00Z",
        },
        "location": "eastus",
    }
    front.clock.advance(seconds=5)
    again = front.ask("PUT", WS.replace("/ws", "/WS"), {"location": "eastus"})
    assert again == made
    tagged = front.ask("PATCH", WS, {"tags": {"a": "b"}})
    assert body(tagged)["tags"] == {"a": "b"}
    assert tagged.headers["ETag"] != made.headers["ETag"]
    assert front.refused("PUT", WS, {"location": "westeurope"}).status == 409
    assert (
        front.refused("PUT", WS.replace("/ws", "/w.s"), {"location": "eastus"}).code == "InvalidResourceName"
    )
    assert front.refused("PUT", WS, {}).code == "LocationRequired"
    for where in (f"{RG}/providers/Microsoft.BatchAI/workspaces", "providers/Microsoft.BatchAI/workspaces"):
        assert [one["name"] for one in body(front.ask("GET", where))["value"]] == ["ws"]


def test_experiments_are_created_without_a_body_and_again(populated: Front) -> None:
    first = populated.ask("GET", EX)
    populated.clock.advance(seconds=5)
    assert populated.ask("PUT", EX) == first
    assert body(first)["type"] == "Microsoft.BatchAI/workspaces/experiments"
    assert [one["name"] for one in body(populated.ask("GET", f"{WS}/experiments"))["value"]] == ["ex"]


def test_a_cluster_is_accepted_then_read_with_its_defaults_and_without_secrets(populated: Front) -> None:
    read = body(populated.ask("GET", CLUSTER.replace("/c", "/C")))
    assert read["id"] == f"{ID}/clusters/c"
    assert read["type"] == "Microsoft.BatchAI/workspaces/clusters"
    assert set(read) == {"id", "name", "type", "properties"}
    properties = read["properties"]
    assert properties["vmSize"] == "STANDARD_NC6"
    assert properties["vmPriority"] == "dedicated"
    assert properties["scaleSettings"] == {
        "manual": {"targetNodeCount": 1, "nodeDeallocationOption": "requeue"}
    }
    assert properties["virtualMachineConfiguration"]["imageReference"] == {
        "publisher": "Canonical",
        "offer": "UbuntuServer",
        "sku": "16.04-LTS",
        "version": "latest",
    }
    assert properties["userAccountSettings"] == {"adminUserName": "demo"}
    assert properties["nodeSetup"]["mountVolumes"]["azureFileShares"] == [
        {
            "accountName": "acct",
            "azureFileUrl": "https://acct.file.core.windows.net/share",
            "credentials": {},
            "relativeMountPath": "afs",
            "fileMode": "0777",
            "directoryMode": "0777",
        }
    ]
    assert properties["currentNodeCount"] == 1
    assert properties["nodeStateCounts"] == {
        "idleNodeCount": 1,
        "runningNodeCount": 0,
        "preparingNodeCount": 0,
        "unusableNodeCount": 0,
        "leavingNodeCount": 0,
    }
    assert "errors" not in properties
    assert populated.clusters.secrets[f"{ID}/clusters/c".lower()] == {
        "/nodeSetup/mountVolumes/azureFileShares/0/credentials/accountKey": "key of the account",
        "/userAccountSettings/adminUserPassword": "pass word",
    }


def test_a_patch_that_says_nothing_changes_nothing(populated: Front) -> None:
    """What the client 2.0.0 sends for ``clusters.update(...)`` without arguments."""
    before = populated.ask("GET", CLUSTER)
    nothings: list[dict[str, Any]] = [{}, {"properties": {}}, {"properties": {"scaleSettings": None}}]
    for nothing in nothings:
        assert populated.ask("PATCH", CLUSTER, nothing) == before


def test_creating_is_a_long_running_operation(populated: Front, cluster_body: dict[str, Any]) -> None:
    answer = populated.ask("PUT", f"{WS}/clusters/c2", cluster_body)
    guid = answer.headers["Location"].partition("?")[0].rpartition("/")[2]
    where = f"{BASE}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI/locations/eastus"
    assert answer.headers == {
        "Azure-AsyncOperation": f"{where}/operationresults/{guid}?api-version=2018-05-01",
        "Location": f"{where}/operationstatuses/{guid}?api-version=2018-05-01",
        "Retry-After": "0",
    }
    poll = populated.ask("GET", answer.headers["Azure-AsyncOperation"])
    assert (poll.status, poll.headers["Retry-After"]) == (200, "0")
    assert body(poll) == {
        "id": f"{where}/operationresults/{guid}",
        "name": guid,
        "status": "Succeeded",
        "startTime": "2018-06-06T12:00:00Z",
        "endTime": "2018-06-06T12:00:00Z",
        "properties": {"resourceId": f"{SUBSCRIPTION}$rg$ws$c2"},
    }
    assert populated.refused("GET", f"{where}/operationresults/nope?api-version=2018-05-01").status == 404


def test_strict_keeps_the_services_pace(front: Front) -> None:
    front.strict = True
    front.restart()
    front.ask("PUT", RG, {"location": "eastus"})
    front.ask("PUT", WS, {"location": "eastus"})
    assert front.ask("DELETE", WS).headers["Retry-After"] == "15"


def test_putting_the_same_again_answers_200_and_another_409(
    populated: Front, cluster_body: dict[str, Any], job_body: dict[str, Any]
) -> None:
    same = populated.ask("PUT", CLUSTER, cluster_body)
    assert same == populated.ask("GET", CLUSTER)
    cluster_body["properties"]["vmSize"] = "STANDARD_D1"
    other = populated.refused("PUT", CLUSTER, cluster_body)
    assert (other.status, other.target) == (409, "properties.vmSize")
    assert populated.ask("PUT", JOB, job_body) == populated.ask("GET", JOB)
    job_body["properties"]["customToolkitSettings"]["commandLine"] = "echo ho"
    assert populated.refused("PUT", JOB, job_body).target == "properties.customToolkitSettings"


def test_a_cluster_is_scaled(populated: Front) -> None:
    before = populated.ask("GET", CLUSTER).headers["ETag"]
    populated.clock.advance(seconds=1)
    answer = populated.ask(
        "PATCH", CLUSTER, {"properties": {"scaleSettings": {"manual": {"targetNodeCount": 0}}}}
    )
    assert answer.status == 200
    assert body(answer)["properties"]["scaleSettings"]["manual"]["targetNodeCount"] == 0
    assert answer.headers["ETag"] != before
    wrong = populated.refused("PATCH", CLUSTER, {"properties": {"vmSize": "STANDARD_D1"}})
    assert wrong.target in ("properties.vmSize", "properties.scaleSettings")


def test_who_gets_or_lists_has_seen_and_who_creates_has_not(populated: Front) -> None:
    looks = populated.clusters.looks
    looks.clear()
    for path in (CLUSTER, CLUSTER.rpartition("/")[0], JOB, JOB.rpartition("/")[0]):
        assert populated.ask("GET", path).status == 200
    assert [one.rpartition("/")[2] for one in looks] == ["c", "c", "j", "j"]


def test_a_cluster_scales_by_itself(populated: Front) -> None:
    automatic = {"autoScale": {"minimumNodeCount": 0, "maximumNodeCount": 4}}
    answer = populated.ask("PATCH", CLUSTER, {"properties": {"scaleSettings": automatic}})
    assert body(answer)["properties"]["scaleSettings"] == {
        "autoScale": {"minimumNodeCount": 0, "maximumNodeCount": 4, "initialNodeCount": 0}
    }
    wrong = {"autoScale": {"minimumNodeCount": 5, "maximumNodeCount": 4}}
    error = populated.refused("PATCH", CLUSTER, {"properties": {"scaleSettings": wrong}})
    assert error.target == "properties.scaleSettings.autoScale.minimumNodeCount"


def test_engine_and_gpus_are_chosen_by_header(populated: Front, cluster_body: dict[str, Any]) -> None:
    chosen = {"x-scenario-engine": "docker", "x-scenario-gpus": "none"}
    populated.ask("PUT", f"{WS}/clusters/c2", cluster_body, headers=chosen)
    cluster = populated.clusters.clusters[f"{ID}/clusters/c2".lower()]
    assert (cluster.engine, cluster.gpus) == ("docker", "none")
    wrong = populated.refused(
        "PUT", f"{WS}/clusters/c3", cluster_body, headers={"x-scenario-engine": "podman"}
    )
    assert wrong.target == "x-scenario-engine"


@pytest.mark.parametrize("path", [JOB, CLUSTER, EX, WS])
def test_deleting_ends_when_it_is_gone_and_then_answers_204(populated: Front, path: str) -> None:
    answer = populated.ask("DELETE", path)
    assert not done(populated, answer)
    populated.restart()
    assert not done(populated, answer)
    for _ in range(2):  # a workspace's clusters and jobs, then nothing
        populated.clusters.bury()
    assert done(populated, answer)
    assert populated.ask("DELETE", path).status == 204
    assert populated.refused("GET", path).status == 404


def test_a_cluster_can_be_deleted_while_its_jobs_deletion_is_pending(populated: Front) -> None:
    first, second = populated.ask("DELETE", JOB), populated.ask("DELETE", CLUSTER)
    populated.clusters.bury()
    assert done(populated, first)
    assert done(populated, second)


def test_nothing_is_created_in_what_is_being_deleted(
    populated: Front, cluster_body: dict[str, Any], job_body: dict[str, Any]
) -> None:
    populated.ask("DELETE", WS)
    for path, content in ((EX, None), (CLUSTER, cluster_body), (JOB, job_body), (WS, {"location": "eastus"})):
        error = populated.refused("PUT", path, content)
        assert (error.status, error.code) == (409, "Conflict")


def test_one_of_the_same_name_does_not_hold_up_a_deletion(populated: Front, job_body: dict[str, Any]) -> None:
    answer = populated.ask("DELETE", JOB)
    populated.clusters.bury()
    populated.ask("PUT", JOB, job_body)
    assert done(populated, answer)


def test_what_is_not_there_is_said_to_be_missing_by_its_own_name(
    populated: Front, cluster_body: dict[str, Any], job_body: dict[str, Any]
) -> None:
    for method, path, content, code, name in (
        ("GET", WS + "2", None, "WorkspaceNotFound", "workspace ws2"),
        ("GET", EX + "2", None, "ExperimentNotFound", "experiment ex2"),
        ("GET", CLUSTER + "2", None, "ClusterNotFound", "cluster c2"),
        ("GET", JOB + "2", None, "JobNotFound", "job j2"),
        ("POST", f"{JOB}2/terminate", None, "JobNotFound", "job j2"),
        ("PUT", f"{WS}2/clusters/c", cluster_body, "WorkspaceNotFound", "workspace ws2"),
        ("PUT", f"{EX}2/jobs/j", job_body, "ExperimentNotFound", "experiment ex2"),
        ("GET", f"{WS}/fileServers/f", None, "FileServerNotFound", "file server f"),
    ):
        error = populated.refused(method, path, content)
        assert (error.status, error.code) == (404, code)
        assert error.message == f"The specified {name} is not found"
    job_body["properties"]["cluster"]["id"] += "2"
    assert populated.refused("PUT", f"{EX}/jobs/j2", job_body).code == "ClusterNotFound"
    assert populated.refused("POST", f"{JOB}/restart").status == 405


def test_lists_are_paged(populated: Front, job_body: dict[str, Any]) -> None:
    for name in ("a", "b"):
        populated.ask("PUT", f"{EX}/jobs/{name}", job_body)
    first = body(populated.ask("GET", f"{EX}/jobs", maxresults="2"))
    assert [one["name"] for one in first["value"]] == ["j", "a"]
    token = first["nextLink"].rpartition("skiptoken=")[2].partition("&")[0]
    second = body(populated.ask("GET", f"{EX}/jobs", maxresults="2", **{"$skiptoken": token}))
    assert [one["name"] for one in second["value"]] == ["b"]
    assert len(body(populated.ask("GET", f"{WS}/clusters"))["value"]) == 1


def test_usages_count_clusters_and_cores(populated: Front, cluster_body: dict[str, Any]) -> None:
    cluster_body["properties"] |= {"vmSize": "STANDARD_D1", "vmPriority": "LowPriority"}
    populated.ask("PUT", f"{WS}/clusters/c2", cluster_body)
    found = body(populated.ask("GET", "providers/Microsoft.BatchAI/locations/eastus/usages"))["value"]
    assert len(found) == 17
    assert found[0] == {
        "unit": "Count",
        "currentValue": 2,
        "limit": 20,
        "name": {"value": "Clusters", "localizedValue": "Clusters"},
    }
    used = {one["name"]["value"]: one["currentValue"] for one in found if one["currentValue"]}
    assert used == {
        "Clusters": 2,
        "Total Cluster Dedicated Regional vCPUs": 6,
        "Standard NC Family Cluster Dedicated vCPUs": 6,
        "Total Cluster LowPriority Regional vCPUs": 1,
        "Standard D Family Cluster LowPriority vCPUs": 1,
    }
    assert found[9]["name"]["localizedValue"] == "Total Cluster Low Priority Regional vCPUs"
    elsewhere = body(populated.ask("GET", "providers/Microsoft.BatchAI/locations/westus2/usages"))["value"]
    assert elsewhere[0]["currentValue"] == 0


def test_operations_are_listed(front: Front) -> None:
    found = body(front.ask("GET", "/providers/Microsoft.BatchAI/operations"))["value"]
    assert "Microsoft.BatchAI/workspaces/experiments/jobs/write" in {one["name"] for one in found}


def test_times_in_bodies_have_no_trailing_zeros(front: Front) -> None:
    front.clock.advance(milliseconds=470)
    front.ask("PUT", RG, {"location": "eastus"})
    made = body(front.ask("PUT", WS, {"location": "eastus"}))
    assert made["properties"]["creationTime"] == "2018-06-06T12:00:00.47Z"
