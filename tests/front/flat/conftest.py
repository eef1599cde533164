"""What tests of the flat API versions share: the versions, and a group with a flat cluster and job."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.front.conftest import AI, CLUSTER, JOB, RG, SUBSCRIPTION

if TYPE_CHECKING:
    from batchai_scenario.emulator.arm.messages import ArmResponse
    from tests.front.conftest import Front


PREVIEW, MARCH, MAY = "2017-09-01-preview", "2018-03-01", "2018-05-01"
HERE = f"/subscriptions/{SUBSCRIPTION}/{AI}"
HOME = f"{AI}/workspaces/migrated-eastus"
DISKS = {"diskSizeInGB": 10, "diskCount": 2, "storageAccountType": "Standard_LRS"}
SERVER = {
    "location": "eastus",
    "tags": {"a": "b"},
    "properties": {
        "vmSize": "Standard_DS14",
        "sshConfiguration": {
            "userAccountSettings": {"adminUserName": "demo", "adminUserPassword": "pass word"}
        },
        "dataDisks": DISKS,
    },
}


def body(answer: ArmResponse) -> dict[str, Any]:
    assert answer.body is not None
    return dict(answer.body)


def names(answer: ArmResponse) -> list[str]:
    return [one["name"] for one in body(answer)["value"]]


def cluster(**more: Any) -> dict[str, Any]:
    properties = copy.deepcopy(CLUSTER)
    properties["userAccountSettings"]["adminUserSSHPublicKey"] = "ssh-rsa AAAA"  # type: ignore[index]
    return {"location": "East US", "properties": properties, **more}


def job(location: str = "eastus", **more: Any) -> dict[str, Any]:
    properties = {**JOB, "cluster": {"id": f"{HERE}/clusters/c"}, **more}
    return {"location": location, "properties": properties}


@pytest.fixture(params=[PREVIEW, MARCH])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def old(front: Front, version: str) -> Front:
    """Group ``rg`` with the flat cluster ``c`` and job ``j``."""
    front.ask("PUT", RG, {"location": "eastus"})
    for path, content in ((f"{AI}/clusters/c", cluster(tags={"a": "b"})), (f"{AI}/jobs/j", job())):
        made = front.ask("PUT", path, content, version=version)
        assert (made.status, made.body) == (202, None)
        operation = made.headers["Azure-AsyncOperation"]
        assert operation.endswith(f"?api-version={version}")
        assert "/locations/eastus/operationresults/" in operation
        # The preview had one URL for both (recorded).
        same = operation if version == PREVIEW else operation.replace("results", "statuses")
        assert made.headers["Location"] == same
        status = body(front.ask("GET", operation))
        assert status["properties"] == {"resourceId": f"{SUBSCRIPTION}$rg${path[-1]}"}
    return front
