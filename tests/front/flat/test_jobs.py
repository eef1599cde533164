"""Jobs and their output files in the flat API versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.errors import Problem
from tests.front.conftest import AI, BASE
from tests.front.fakes import FakeEntry
from tests.front.flat.conftest import HERE, HOME, MARCH, PREVIEW, body, job, names

if TYPE_CHECKING:
    from tests.front.conftest import Front


def test_a_job_as_it_is_read(old: Front, version: str) -> None:
    content = job(
        priority=-7,
        experimentName="ours",
        outputDirectories=[
            {"id": "A", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs"},
            {"id": "B", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "type": "Model", "createNew": False},
        ],
    )
    old.ask("PUT", f"{AI}/jobs/k", content, version=version)
    read = body(old.ask("GET", f"{AI}/jobs/k", version=version))
    properties = read.pop("properties")
    assert read == {"id": f"{HERE}/jobs/k", "name": "k", "type": "Microsoft.BatchAI/Jobs"}
    assert (properties["priority"], properties["experimentName"]) == (-7, "ours")
    assert properties["cluster"] == {"id": f"{HERE}/clusters/c"}
    assert properties["toolType"] == "custom"
    prefix = "$AZ_BATCHAI_MOUNT_ROOT/afs"
    assert properties["outputDirectories"] == [
        {"id": "A", "pathPrefix": prefix, "type": "custom", "createNew": True},
        {"id": "B", "pathPrefix": prefix, "type": "model", "createNew": False},
    ]
    retries = {"maxRetryCount": 0} if version == PREVIEW else {}
    assert properties["constraints"] == {"maxWallClockTime": "P7D", **retries}
    assert ("jobOutputDirectoryPathSegment" in properties) == (version == MARCH)
    assert not {"schedulingPriority", "older"} & set(properties)
    newer = body(old.ask("GET", f"{HOME}/experiments/migrated/jobs/k"))["properties"]
    assert newer["schedulingPriority"] == "low"
    assert newer["outputDirectories"][1] == {"id": "B", "pathPrefix": prefix}
    assert newer["constraints"] == {"maxWallClockTime": "P7D"}
    again = old.ask("PUT", f"{AI}/jobs/k", content, version=version)
    assert (again.status, body(again)["name"]) == (200, "k")


@pytest.mark.parametrize(
    ("code", "codes"),
    [
        ("JobFailed", {PREVIEW: "JobFailed", MARCH: "JobFailed"}),
        ("JobPreparationFailed", {PREVIEW: "JobNodePreparationFailed", MARCH: "JobPreparationFailed"}),
        ("JobTerminated", {PREVIEW: "JobTerminate", MARCH: "JobTerminate"}),
    ],
)
def test_codes_of_failures(old: Front, version: str, code: str, codes: dict[str, str]) -> None:
    text = "Job failed with non-zero exit code"
    old.clusters.finish("j", 1, Problem(code, text))
    found = body(old.ask("GET", f"{AI}/jobs/j", version=version))["properties"]["executionInfo"]
    assert found["exitCode"] == 1
    told = text if version == MARCH else " job failed with non-zero exit code"
    assert found["errors"] == [{"code": codes[version], "message": told}]
    newer = body(old.ask("GET", f"{HOME}/experiments/migrated/jobs/j"))["properties"]["executionInfo"]
    assert "totalJobNodeHours" not in found
    assert newer["errors"] == [{"code": code, "message": text, "category": "UserError"}]


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        (
            {"containerSettings": {"imageSourceRegistry": {"image": "x/y", "serverUrl": "127.0.0.1:5057"}}},
            "containerSettings.imageSourceRegistry.image",
        ),
        ({"environmentVariables": [{"name": "A", "value": "x" * 131_072}]}, "environmentVariables[0].value"),
        ({"customToolkitSettings": {"commandLine": "x" * 131_072}}, "customToolkitSettings.commandLine"),
    ],
)
def test_what_no_engine_can_start_is_refused_by_name(
    old: Front, version: str, changed: dict[str, Any], where: str
) -> None:
    error = old.refused("PUT", f"{AI}/jobs/x", job(**changed), version=version)
    assert (error.status, error.target) == (400, f"properties.{where}")
    assert old.ask("DELETE", f"{AI}/jobs/x", version=version).status == 204


def test_terminate_and_delete(old: Front, version: str) -> None:
    ended = old.ask("POST", f"{AI}/jobs/j/terminate", version=version)
    assert ended.status == 202
    old.clusters.finish("j", 0)
    assert body(old.ask("GET", ended.headers["Azure-AsyncOperation"]))["status"] == "Succeeded"
    assert old.ask("POST", f"{AI}/jobs/j/terminate", version=version).status == 200
    for path in ("jobs/j", "clusters/c"):
        going = old.ask("DELETE", f"{AI}/{path}", version=version)
        assert going.status == 202
        old.clusters.bury()
        assert body(old.ask("GET", going.headers["Azure-AsyncOperation"]))["status"] == "Succeeded"
        assert old.refused("GET", f"{AI}/{path}", version=version).code == "ResourceNotFound"


def test_remote_logins(old: Front, version: str) -> None:
    for path in ("clusters/c", "jobs/j"):
        found = body(old.ask("POST", f"{AI}/{path}/listRemoteLoginInformation", version=version))["value"]
        assert found == [{"nodeId": "tvm-1_1-20180606t120000z", "ipAddress": "127.0.0.1", "port": 50000}]


def test_output_files(old: Front, version: str) -> None:
    old.clusters.folders = {"stdouterr": ("acct", "share", "some")}
    old.files.entries["acct/share/some"] = [FakeEntry("sub", is_directory=True), FakeEntry("x.txt", size=3)]
    path = f"{AI}/jobs/j/listOutputFiles"
    listed = body(old.ask("POST", path, version=version, outputdirectoryid="stdouterr"))["value"]
    file = {
        "name": "x.txt",
        "downloadUrl": f"{BASE}/acct/share/some/x.txt?sig=x",
        "properties": {"lastModified": "2018-06-06T12:30:15Z", "contentLength": 3},
    }
    if version == PREVIEW:
        assert listed == [file]
        error = old.refused("POST", path, version=version, outputdirectoryid="stdouterr", directory="sub")
        assert error.target == "directory"
    else:
        assert listed == [{"name": "sub", "isDirectory": True}, file | {"isDirectory": False}]


def test_a_folder_of_a_container_is_listed_once(old: Front, version: str) -> None:
    """As a folder, or where there are no folders as an empty file; since 2018-05-01 twice (recorded)."""
    old.clusters.folders = {"stdouterr": ("acct", "_blob/c", "")}
    folders = [FakeEntry(name, is_directory=True) for name in ("sub", "x")]
    old.files.entries["acct/_blob/c/"] = [FakeEntry("sub"), FakeEntry("x", size=3), *folders]
    answer = old.ask("POST", f"{AI}/jobs/j/listOutputFiles", version=version, outputdirectoryid="stdouterr")
    kinds = [(one["name"], one.get("isDirectory", False)) for one in body(answer)["value"]]
    files = [("sub", False), ("x", False)]
    assert sorted(kinds) == ([("sub", True), ("x", False), ("x", True)] if version == MARCH else files)
    path = f"{HOME}/experiments/migrated/jobs/j/listOutputFiles"
    assert names(old.ask("POST", path, outputdirectoryid="stdouterr")) == ["sub", "sub", "x", "x"]
