"""Workspaces, experiments, clusters and jobs over the wire: codes, headers, bodies, operations."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.errors import Problem

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


def test_a_job_goes_through_its_states(populated: Front) -> None:
    queued = populated.ask("GET", JOB)
    read = body(queued)
    assert read["type"] == "Microsoft.BatchAI/workspaces/experiments/jobs"
    properties = read["properties"]
    assert properties["experimentName"] == "ex"
    assert properties["toolType"] == "custom"
    assert properties["schedulingPriority"] == "normal"
    assert properties["constraints"] == {"maxWallClockTime": "P7D"}
    assert properties["executionState"] == "queued"
    assert "executionInfo" not in properties
    populated.clock.advance(seconds=2)
    populated.clusters.finish(
        "j", 3, Problem("JobFailed", "Job failed with non-zero exit code", (("a", "b"),))
    )
    failed = populated.ask("GET", JOB)
    assert body(failed)["properties"]["executionInfo"] == {
        "startTime": "2018-06-06T12:00:02Z",
        "endTime": "2018-06-06T12:00:02Z",
        "exitCode": 3,
        "totalJobNodeHours": 0.0,
        "errors": [
            {
                "category": "UserError",
                "code": "JobFailed",
                "message": "Job failed with non-zero exit code",
                "details": [{"name": "a", "value": "b"}],
            }
        ],
    }
    assert failed.headers["ETag"] == queued.headers["ETag"]  # the definition did not change


def test_the_hours_of_a_job_are_those_of_all_its_nodes(populated: Front) -> None:
    populated.clusters.finish("j", -1, Problem("AZFMountError", "Unable to mount Azure File"))
    ((key, job),) = populated.clusters.jobs.items()
    start = populated.clock.now() - timedelta(seconds=45)
    for nodes, hours in ((1, 0.0125), (2, 0.025)):  # the first is of a public report
        populated.clusters.jobs[key] = replace(job, started_at=start, nodes=("n",) * nodes)
        info = body(populated.ask("GET", JOB))["properties"]["executionInfo"]
        assert (info["totalJobNodeHours"], info["errors"][0]["category"]) == (hours, "UserError")


def test_terminating(populated: Front) -> None:
    answer = populated.ask("POST", f"{JOB}/terminate")
    assert not done(populated, answer)
    populated.restart()
    assert not done(populated, answer)
    populated.clusters.finish("j", None, Problem("JobTerminated", "..."))
    assert done(populated, answer)
    assert "exitCode" not in body(populated.ask("GET", JOB))["properties"]["executionInfo"]
    again = populated.ask("POST", f"{JOB}/terminate")
    assert (again.status, again.body, again.headers) == (200, None, {})


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


def test_output_files_are_listed_with_links_page_by_page(populated: Front) -> None:
    entry = type(populated.files).Entry
    populated.clusters.folders = {"stdouterr": ("acct", "share", "some/where"), "TEMP": None}
    populated.files.entries["acct/share/some/where"] = [
        entry("stdout.txt", size=5),
        entry("counters", is_directory=True),
        entry("stderr.txt"),
    ]
    populated.files.entries["acct/share/some/where/counters"] = [entry("x y.txt", size=1)]
    path = f"{JOB}/listOutputFiles"
    first = body(populated.ask("POST", path, outputdirectoryid="stdouterr", maxresults="2"))
    assert first["value"] == [
        {"name": "counters", "fileType": "directory"},
        {
            "name": "stderr.txt",
            "fileType": "file",
            "downloadUrl": f"{BASE}/acct/share/some/where/stderr.txt?sig=x",
            "properties": {"lastModified": "2018-06-06T12:30:15Z", "contentLength": 0},
        },
    ]
    assert first["nextLink"].startswith(f"{BASE}/subscriptions/{SUBSCRIPTION}/{path}?")
    for method in ("GET", "POST"):  # SDK 7.0.0 follows the link with GET, 2.0.0 with POST
        more: Any = {"outputdirectoryid": "stdouterr", "maxresults": "2", "$skiptoken": "stderr.txt"}
        second = body(populated.ask(method, path, **more))
        assert [one["name"] for one in second["value"]] == ["stdout.txt"]
        assert "nextLink" not in second
    below = populated.ask(
        "POST", path, outputdirectoryid="stdouterr", directory="./counters", linkexpiryinminutes="5"
    )
    assert [one["name"] for one in body(below)["value"]] == ["x y.txt"]
    assert populated.files.expires[-1] == populated.clock.now().replace(minute=5)
    empty = populated.ask("POST", path, outputdirectoryid="stdouterr", directory="none")
    assert body(empty) == {"value": []}


@pytest.mark.parametrize(
    ("query", "status", "target"),
    [
        ({}, 400, "outputdirectoryid"),
        ({"outputdirectoryid": "NONE"}, 404, "outputdirectoryid"),
        ({"outputdirectoryid": "TEMP"}, 400, "outputdirectoryid"),
        ({"outputdirectoryid": "stdouterr", "directory": "../up"}, 400, "directory"),
        ({"outputdirectoryid": "stdouterr", "directory": "a/../../up"}, 400, "directory"),
        ({"outputdirectoryid": "stdouterr", "linkexpiryinminutes": "4"}, 400, "linkexpiryinminutes"),
        ({"outputdirectoryid": "stdouterr", "linkexpiryinminutes": "soon"}, 400, "linkexpiryinminutes"),
        ({"outputdirectoryid": "stdouterr", "maxresults": "1001"}, 400, "maxresults"),
    ],
)
def test_wrong_questions_for_output_files(
    populated: Front, query: dict[str, str], status: int, target: str
) -> None:
    populated.clusters.folders = {"stdouterr": ("acct", "share", "some/where"), "TEMP": None}
    question: dict[str, Any] = dict(query)
    error = populated.refused("POST", f"{JOB}/listOutputFiles", **question)
    assert (error.status, error.target) == (status, target)


def test_lists_are_paged(populated: Front, job_body: dict[str, Any]) -> None:
    for name in ("a", "b"):
        populated.ask("PUT", f"{EX}/jobs/{name}", job_body)
    first = body(populated.ask("GET", f"{EX}/jobs", maxresults="2"))
    assert [one["name"] for one in first["value"]] == ["j", "a"]
    token = first["nextLink"].rpartition("skiptoken=")[2].partition("&")[0]
    second = body(populated.ask("GET", f"{EX}/jobs", maxresults="2", **{"$skiptoken": token}))
    assert [one["name"] for one in second["value"]] == ["b"]
    assert len(body(populated.ask("GET", f"{WS}/clusters"))["value"]) == 1


def test_remote_logins(populated: Front) -> None:
    for path in (CLUSTER, JOB):
        found = body(populated.ask("POST", f"{path}/listRemoteLoginInformation"))["value"]
        assert found == [{"nodeId": "tvm-1_1-20180606t120000z", "ipAddress": "127.0.0.1", "port": 50000}]


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


def test_file_servers(populated: Front) -> None:
    where = f"{WS}/fileServers/f"
    account = {"adminUserName": "demo", "adminUserSshPublicKey": "ssh-rsa AAAA"}
    properties = {
        "vmSize": "STANDARD_D2",
        "sshConfiguration": {"publicIPsToAllow": ["1.2.3.4"], "userAccountSettings": account},
        "dataDisks": {"diskSizeInGB": 10, "diskCount": 1, "storageAccountType": "Premium_LRS"},
    }
    made = populated.ask("PUT", where, {"properties": properties})
    assert done(populated, made)
    read = body(populated.ask("GET", where))
    assert read["properties"].pop("subnet")["id"].endswith("/subnets/Subnet-1")
    assert read["properties"] == {
        **properties,
        "dataDisks": {**properties["dataDisks"], "cachingType": "none"},  # type: ignore[dict-item]
        "creationTime": "2018-06-06T12:00:00Z",
        "provisioningState": "succeeded",
        "provisioningStateTransitionTime": "2018-06-06T12:00:00Z",
        "mountSettings": {
            "mountPoint": "/data",
            "fileServerPublicIP": "127.0.0.1",
            "fileServerInternalIP": "10.0.0.4",
        },
    }
    assert [one["name"] for one in body(populated.ask("GET", f"{WS}/fileServers"))["value"]] == ["f"]
    changed = {"properties": {**properties, "vmSize": "STANDARD_D3"}}
    assert populated.refused("PUT", where, changed).target == "properties.vmSize"
    for wrong, target in (
        ({**properties, "subnet": {"id": "x"}}, "properties.subnet.id"),
        ({**properties, "dataDisks": {}}, "properties.dataDisks.diskSizeInGB"),
        (
            {**properties, "sshConfiguration": {"userAccountSettings": {"adminUserName": "a"}}},
            "properties.sshConfiguration.userAccountSettings",
        ),
    ):
        assert populated.refused("PUT", f"{WS}/fileServers/g", {"properties": wrong}).target == target
    assert done(populated, populated.ask("DELETE", where))
    assert populated.refused("GET", where).code == "FileServerNotFound"
    assert populated.ask("DELETE", where).status == 204


def test_times_in_bodies_have_no_trailing_zeros(front: Front) -> None:
    front.clock.advance(milliseconds=470)
    front.ask("PUT", RG, {"location": "eastus"})
    made = body(front.ask("PUT", WS, {"location": "eastus"}))
    assert made["properties"]["creationTime"] == "2018-06-06T12:00:00.47Z"
