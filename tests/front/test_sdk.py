"""The published clients against a served emulator: azure-mgmt-batchai 7.0.0 and azure-mgmt-resource."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.batchai import BatchAI
from azure.mgmt.batchai.models import JobsListOutputFilesOptions
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.storage.file import FileService

from batchai_scenario.emulator.identity import development

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchai_scenario.emulator.server import Address

SUBSCRIPTION = development.SUBSCRIPTION


class Credential:
    """Signs in at the emulator's own token endpoint."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        form = {
            "grant_type": "client_credentials",
            "client_id": development.CLIENT,
            "client_secret": development.SECRET,
            "scope": "https://management.azure.com/.default",
        }
        where = f"{self._url}/{development.TENANT}/oauth2/v2.0/token"
        with urllib.request.urlopen(where, urlencode(form).encode(), timeout=10) as answer:
            reply = json.loads(answer.read())
        return AccessToken(reply["access_token"], int(time.time()) + reply["expires_in"])


class Bearer(SansIOHTTPPolicy[Any, Any]):
    """Puts the token on a request, over http too."""

    def __init__(self, credential: Credential) -> None:
        self._token = credential.get_token().token

    def on_request(self, request: Any) -> None:
        request.http_request.headers["Authorization"] = f"Bearer {self._token}"


def told(error: HttpResponseError) -> tuple[str, str]:
    """Give an error's code and target as the client read them."""
    assert error.error is not None
    return error.error.code or "", error.error.target or ""


def options(served: Address) -> dict[str, Any]:
    credential = Credential(served.url)
    return {
        "credential": credential,
        "subscription_id": SUBSCRIPTION,
        "base_url": served.url,
        "authentication_policy": Bearer(credential),
        "polling_interval": 0,
    }


@pytest.fixture(scope="module")
def batchai(served: Address) -> Iterator[Any]:
    with BatchAI(**options(served)) as client:
        yield client


@pytest.fixture(scope="module")
def resources(served: Address) -> Iterator[Any]:
    with ResourceManagementClient(**options(served)) as client:
        yield client


@pytest.fixture(scope="module")
def files(served: Address) -> Any:
    text = (
        f"DefaultEndpointsProtocol=http;AccountName={development.ACCOUNT};"
        f"AccountKey={development.ACCOUNT_KEY};FileEndpoint={served.url}/{development.ACCOUNT}"
    )
    service = FileService(connection_string=text)
    service.create_share("share")
    return service


@pytest.fixture
def place(resources: Any, batchai: Any) -> Iterator[tuple[str, str, str]]:
    """A group with a workspace and an experiment; all deleted afterwards."""
    resources.resource_groups.create_or_update("group", {"location": "eastus"})
    batchai.workspaces.begin_create("group", "ws", {"location": "eastus"}).result()
    batchai.experiments.begin_create("group", "ws", "ex").result()
    yield "group", "ws", "ex"
    resources.resource_groups.begin_delete("group").result()
    assert not resources.resource_groups.check_existence("group")


def cluster(nodes: int = 1) -> dict[str, Any]:
    return {
        "properties": {
            "vmSize": "STANDARD_NC6",
            "scaleSettings": {"manual": {"targetNodeCount": nodes}},
            "userAccountSettings": {"adminUserName": "demo", "adminUserPassword": "x"},
            "nodeSetup": {
                "mountVolumes": {
                    "azureFileShares": [
                        {
                            "accountName": development.ACCOUNT,
                            "azureFileUrl": f"https://{development.ACCOUNT}.file.core.windows.net/share",
                            "credentials": {"accountKey": development.ACCOUNT_KEY},
                            "relativeMountPath": "afs",
                        }
                    ]
                }
            },
        }
    }


def job(cluster_id: str, command: str) -> dict[str, Any]:
    return {
        "properties": {
            "cluster": {"id": cluster_id},
            "nodeCount": 1,
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
            "outputDirectories": [
                {"id": "OUT", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "pathSuffix": "files"}
            ],
            "customToolkitSettings": {"commandLine": command},
        }
    }


def wait(batchai: Any, name: str) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = batchai.jobs.get("group", "ws", "ex", name)
        if found.execution_state in ("succeeded", "failed"):
            return found
        time.sleep(0.02)
    raise TimeoutError(found)


def test_groups_and_providers(resources: Any) -> None:
    made = resources.resource_groups.create_or_update("sdk", {"location": "eastus", "tags": {"a": "b"}})
    assert (made.name, made.location, made.tags) == ("sdk", "eastus", {"a": "b"})
    assert "sdk" in [group.name for group in resources.resource_groups.list()]
    assert resources.resource_groups.check_existence("sdk")
    assert resources.providers.register("Microsoft.BatchAI").registration_state == "Registered"
    assert list(resources.resources.list_by_resource_group("sdk")) == []
    resources.resource_groups.begin_delete("sdk").result()
    assert not resources.resource_groups.check_existence("sdk")
    with pytest.raises(ResourceNotFoundError) as caught:
        resources.resource_groups.get("sdk")
    assert told(caught.value)[0] == "ResourceGroupNotFound"


@pytest.mark.usefixtures("place")
def test_workspaces_and_experiments(batchai: Any) -> None:
    assert [one.name for one in batchai.workspaces.list()] == ["ws"]
    assert batchai.workspaces.get("group", "ws").provisioning_state == "succeeded"
    assert batchai.workspaces.update("group", "ws", {"tags": {"a": "b"}}).tags == {"a": "b"}
    assert [one.name for one in batchai.experiments.list_by_workspace("group", "ws")] == ["ex"]
    with pytest.raises(HttpResponseError) as caught:
        batchai.workspaces.get("group", "nope")
    assert told(caught.value)[0] == "WorkspaceNotFound"
    assert len(list(batchai.usages.list("eastus"))) == 17
    assert len(list(batchai.operations.list())) > 10


@pytest.mark.usefixtures("place", "exercise_process")
def test_a_job_from_its_cluster_to_its_output(batchai: Any, files: Any) -> None:
    """The whole way of a quickstart: cluster, job, output files, their content, deletion."""
    made = batchai.clusters.begin_create("group", "ws", "c", cluster()).result()
    assert made.vm_size == "STANDARD_NC6"
    assert made.node_setup.mount_volumes.azure_file_shares[0].credentials.account_key is None
    command = "echo hello; echo trouble >&2; echo kept > $AZ_BATCHAI_OUTPUT_OUT/kept.txt; exit 3"
    queued = batchai.jobs.begin_create("group", "ws", "ex", "j", job(made.id, command)).result()
    assert queued.provisioning_state == "succeeded"
    ended = wait(batchai, "j")
    assert ended.execution_state == "failed"
    assert ended.execution_info.exit_code == 3
    assert ended.execution_info.errors[0].code == "JobFailed"
    assert ended.execution_info.start_time <= ended.execution_info.end_time

    def listed(directory: str, **more: Any) -> dict[str, Any]:
        asked = JobsListOutputFilesOptions(outputdirectoryid=directory, **more)
        found = batchai.jobs.list_output_files("group", "ws", "ex", "j", asked)
        return {one.name: one for one in found}

    streams = listed("stdouterr", max_results=1)  # one a page: the client follows nextLink
    assert {"stdout.txt", "stderr.txt", "execution.log"} <= set(streams)
    with urllib.request.urlopen(streams["stdout.txt"].download_url, timeout=10) as answer:
        assert answer.read() == b"hello\n"
    assert streams["stdout.txt"].content_length == 6
    assert listed("OUT")["kept.txt"].content_length == 5
    with pytest.raises(HttpResponseError) as caught:
        listed("NONE")
    assert told(caught.value)[0] == "OutputDirectoryNotFound"
    assert batchai.jobs.begin_terminate("group", "ws", "ex", "j").result() is None  # finished: nothing
    batchai.jobs.begin_delete("group", "ws", "ex", "j").result()
    with pytest.raises(ResourceNotFoundError):
        batchai.jobs.get("group", "ws", "ex", "j")
    batchai.clusters.begin_delete("group", "ws", "c").result()
    with pytest.raises(ResourceNotFoundError):
        batchai.clusters.get("group", "ws", "c")


@pytest.mark.usefixtures("place", "files", "exercise_process")
def test_a_running_job_is_terminated(batchai: Any) -> None:
    made = batchai.clusters.begin_create("group", "ws", "c", cluster()).result()
    batchai.jobs.begin_create("group", "ws", "ex", "j", job(made.id, "sleep 600")).result()
    batchai.jobs.begin_terminate("group", "ws", "ex", "j").result()
    ended = batchai.jobs.get("group", "ws", "ex", "j")
    assert ended.execution_state == "failed"
    assert ended.execution_info.exit_code is None
    assert ended.execution_info.errors[0].code == "JobTerminated"


@pytest.mark.usefixtures("place", "files", "exercise_process")
def test_a_group_is_deleted_with_a_job_that_runs(batchai: Any, resources: Any) -> None:
    made = batchai.clusters.begin_create("group", "ws", "c", cluster()).result()
    batchai.jobs.begin_create("group", "ws", "ex", "j", job(made.id, "sleep 600")).result()
    resources.resource_groups.begin_delete("group").result()
    resources.resource_groups.create_or_update("group", {"location": "eastus"})
    assert list(batchai.workspaces.list_by_resource_group("group")) == []


@pytest.mark.usefixtures("place", "files")
def test_a_cluster_is_resized(batchai: Any) -> None:
    batchai.clusters.begin_create("group", "ws", "c", cluster(0)).result()
    changed = batchai.clusters.update(
        "group", "ws", "c", {"scale_settings": {"manual": {"target_node_count": 1}}}
    )
    assert changed.scale_settings.manual.target_node_count == 1
    wrong = {"minimum_node_count": 2, "maximum_node_count": 1}
    with pytest.raises(HttpResponseError) as caught:
        batchai.clusters.update("group", "ws", "c", {"scale_settings": {"auto_scale": wrong}})
    assert told(caught.value) == (
        "InvalidPropertyValue",
        "properties.scaleSettings.autoScale.minimumNodeCount",
    )


@pytest.mark.usefixtures("place", "files", "exercise_process")
def test_a_cluster_grows_for_a_job_and_returns_to_nothing(batchai: Any) -> None:
    content = cluster()
    content["properties"]["scaleSettings"] = {"autoScale": {"minimumNodeCount": 0, "maximumNodeCount": 2}}
    made = batchai.clusters.begin_create("group", "ws", "auto", content).result()
    assert (made.current_node_count, made.scale_settings.auto_scale.maximum_node_count) == (0, 2)
    batchai.jobs.begin_create("group", "ws", "ex", "j", job(made.id, "echo hi")).result()
    assert wait(batchai, "j").execution_state == "succeeded"
    ended = time.monotonic()
    while batchai.clusters.get("group", "ws", "auto").current_node_count:
        assert time.monotonic() - ended < 30
        time.sleep(0.1)


@pytest.mark.usefixtures("place", "files", "exercise_process")
def test_jobs_run_in_parallel_one_on_each_node(batchai: Any) -> None:
    """Each waits for the other: neither could end before both run."""
    made = batchai.clusters.begin_create("group", "ws", "two", cluster(2)).result()
    for mine, other in (("a", "b"), ("b", "a")):
        meet = "$AZ_BATCHAI_MOUNT_ROOT/afs/meeting"
        command = f"mkdir -p {meet}; touch {meet}/{mine}; until [ -e {meet}/{other} ]; do sleep 0.05; done"
        batchai.jobs.begin_create("group", "ws", "ex", mine, job(made.id, command)).result()
    for name in ("a", "b"):
        assert wait(batchai, name).execution_state == "succeeded"
    with pytest.raises(HttpResponseError) as caught:
        batchai.jobs.begin_create("group", "ws", "ex", "j", job("/nowhere", "true")).result()
    assert told(caught.value)[1] == "properties.cluster.id"


def test_a_wrong_password_is_told_apart(served: Address) -> None:
    form = {"grant_type": "client_credentials", "client_id": development.CLIENT, "client_secret": os.devnull}
    where = f"{served.url}/{development.TENANT}/oauth2/token"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(where, urlencode(form).encode(), timeout=10)
    with caught.value as error:
        assert error.code == 401
        assert json.loads(error.read())["error_codes"] == [7000215]
