"""Jobs over containers: mounted on the cluster and for one job, their outputs listed and read as blobs."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.mgmt.batchai import BatchAI
from azure.mgmt.batchai.models import JobsListOutputFilesOptions
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.storage.blob import BlobServiceClient

from batchai_scenario.emulator.errors import EngineError
from batchai_scenario.emulator.identity import development
from batchai_scenario.emulator.server import Address, EmulatorServer, EmulatorSettings
from tests.front.test_sdk import options
from tests.storage.serving import ACCOUNT, KEY, Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.blob.serving import BlobServing

JOB = ("group", "ws", "ex", "j")


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that jobs run on."""
    request.node.user_properties.append(("engine", request.param))
    return str(request.param)


@pytest.fixture
def emulator(tmp_path: Path, engine: str) -> Iterator[Address]:
    """An emulator with that engine, a workspace and an experiment."""
    with ExitStack() as held:
        server = EmulatorServer(
            EmulatorSettings(tmp_path / "home", engine=engine, development_credentials=True)
        )
        address = server.start()
        held.callback(server.close)
        client: Any = held.enter_context(BatchAI(**options(address)))
        with ResourceManagementClient(**options(address)) as resources:
            resources.resource_groups.create_or_update("group", {"location": "eastus"})
            client.workspaces.begin_create("group", "ws", {"location": "eastus"}).result()
            client.experiments.begin_create("group", "ws", "ex").result()
            yield address
            resources.resource_groups.begin_delete("group").result()


@pytest.fixture
def batchai(emulator: Address) -> Iterator[Any]:
    with BatchAI(**options(emulator)) as client:
        yield client


@pytest.fixture
def blobs(emulator: Address) -> Iterator[BlobServiceClient]:
    account = f"{emulator.url}/blob/{development.ACCOUNT}"
    with BlobServiceClient(account, _credential(), retry_total=0) as client:
        client.create_container("data")
        client.create_container("results")
        yield client


def _credential() -> dict[str, str]:
    return {"account_name": development.ACCOUNT, "account_key": development.ACCOUNT_KEY}


def _volume(container: str, path: str) -> dict[str, Any]:
    volume = {
        "accountName": development.ACCOUNT,
        "containerName": container,
        "credentials": {"accountKey": development.ACCOUNT_KEY},
        "relativeMountPath": path,
        "mountOptions": "--use-https=true",
    }
    return {"azureBlobFileSystems": [volume]}


def _cluster(container: str) -> dict[str, Any]:
    return {
        "properties": {
            "vmSize": "STANDARD_NC6",
            "scaleSettings": {"manual": {"targetNodeCount": 1}},
            "userAccountSettings": {"adminUserName": "demo", "adminUserPassword": "x"},
            "nodeSetup": {"mountVolumes": _volume(container, "bfs")},
        }
    }


def _until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise TimeoutError


def _listed(batchai: Any, directory: str) -> list[tuple[str, str, Any]]:
    asked = JobsListOutputFilesOptions(outputdirectoryid=directory)
    found = batchai.jobs.list_output_files(*JOB, asked)
    return [(one.name, one.file_type, one) for one in found]


def test_a_job_reads_and_writes_containers(
    batchai: Any, blobs: BlobServiceClient, engine: str, request: pytest.FixtureRequest
) -> None:
    blobs.get_blob_client("data", "in/words.txt").upload_blob(b"from a blob\n")
    made = batchai.clusters.begin_create("group", "ws", "c", _cluster("data")).result()
    (echoed,) = made.node_setup.mount_volumes.azure_blob_file_systems
    assert (echoed.container_name, echoed.mount_options) == ("data", "--use-https=true")
    assert echoed.credentials.account_key is None
    command = (
        "cat $AZ_BATCHAI_MOUNT_ROOT/bfs/in/words.txt; cd $AZ_BATCHAI_OUTPUT_OUT; "
        r"mkdir made; echo x > made/file; echo x > $(printf 'caf\351'); exec 3> open.txt; echo half >&3; "
        "echo go > closed.txt; "
        "while ! test -e $AZ_BATCHAI_MOUNT_ROOT/bfs/stop; do sleep 0.05; done"
    )
    image = request.getfixturevalue("docker_image") if engine == "docker" else "ubuntu:16.04"
    job = {
        "properties": {
            "cluster": {"id": made.id},
            "containerSettings": {"imageSourceRegistry": {"image": image}},
            "nodeCount": 1,
            "mountVolumes": _volume("results", "res"),
            "stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_MOUNT_ROOT/res",
            "outputDirectories": [
                {"id": "OUT", "pathPrefix": "$AZ_BATCHAI_JOB_MOUNT_ROOT/res", "pathSuffix": "files"}
            ],
            "customToolkitSettings": {"commandLine": command},
        }
    }
    batchai.jobs.begin_create(*JOB, job).result()
    _until(lambda: any(name == "closed.txt" for name, _, _ in _listed(batchai, "OUT")))
    during = [(name, kind) for name, kind, _ in _listed(batchai, "OUT")]
    assert during == [("closed.txt", "file"), ("made", "file"), ("made", "directory")]
    assert "stdout.txt" not in [name for name, _, _ in _listed(batchai, "stdouterr")]
    blobs.get_blob_client("data", "stop").upload_blob(b"")
    ended = _until(lambda: _final(batchai.jobs.get(*JOB)))
    assert ended.execution_state == "succeeded"
    (opened,) = [one for name, _, one in _listed(batchai, "OUT") if name == "open.txt"]
    assert "sr=b" in opened.download_url
    assert requests.get(opened.download_url, timeout=10).content == b"half\n"
    (stdout,) = [one for name, _, one in _listed(batchai, "stdouterr") if name == "stdout.txt"]
    part = requests.get(stdout.download_url, headers={"Range": "bytes=5-"}, timeout=10)
    assert (part.status_code, part.content) == (206, b"a blob\n")
    (log,) = [one for name, _, one in _listed(batchai, "stdouterr") if name.startswith("execution")]
    text = requests.get(log.download_url, timeout=10).text
    assert "1 output has a name that no listing can tell" in text
    below = ended.job_output_directory_path_segment
    names = [item.name for item in blobs.get_container_client("results").list_blobs(f"{below}/outputs")]
    assert f"{below}/outputs/files/made/file" in names


def _final(job: Any) -> Any:
    return job if job.execution_state in ("succeeded", "failed") else None


@pytest.mark.parametrize("engine", ["process"], indirect=True)
@pytest.mark.usefixtures("blobs")
def test_a_container_that_is_not_there_is_told(batchai: Any) -> None:
    batchai.clusters.begin_create("group", "ws", "c", _cluster("nothere")).result()
    errors = _until(lambda: batchai.clusters.get("group", "ws", "c").errors)
    assert (errors[0].code, errors[0].message) == ("BFSMountError", "unable to mount blob fuse file system")
    assert errors[0].details[0].value == "Azure Blob Container 'nothere' doesn't exist"


@pytest.mark.parametrize(
    ("account", "container", "key", "reason"),
    [
        ("nobody", "data", KEY, "no storage account 'nobody'"),
        (ACCOUNT, "nothere", KEY, "Container 'nothere' doesn't exist"),
        (ACCOUNT, "../data", KEY, "doesn't exist"),
        (ACCOUNT, "", KEY, "doesn't exist"),
        (ACCOUNT, "$root", KEY, "doesn't exist"),
        (ACCOUNT, "data", "AAAA", "not one of account"),
        (ACCOUNT, "data", "no base64", "not one of account"),
    ],
)
def test_a_mount_that_cannot_be_is_refused(  # noqa: PLR0917 - the table's columns
    serving: BlobServing, served: Served, account: str, container: str, key: str, reason: str
) -> None:
    assert served.home.storage.is_dir()
    with pytest.raises(EngineError) as refused:
        serving.blobs.mount_source(account, container, key)
    assert refused.value.problem.code == "BFSMountError"
    ((_, text),) = refused.value.problem.details
    assert reason in text
