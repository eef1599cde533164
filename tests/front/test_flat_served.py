"""The older API versions over real sockets: where the files of a real job are."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from batchai_scenario.emulator.identity import development
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings
from tests.front.conftest import CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUP = "/subscriptions/s1/resourceGroups/Group"
HERE = f"{GROUP}/providers/Microsoft.BatchAI"
SHARE = "$AZ_BATCHAI_MOUNT_ROOT/afs"


class Client:
    """As little of a client as there can be."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self.share = home / "storage" / development.ACCOUNT / "share"
        form = {
            "grant_type": "client_credentials",
            "client_id": development.CLIENT,
            "client_secret": development.SECRET,
        }
        where = f"{url}/{development.TENANT}/oauth2/token"
        with urllib.request.urlopen(where, urlencode(form).encode(), timeout=10) as answer:
            self._token = json.loads(answer.read())["access_token"]

    def ask(self, method: str, path: str, version: str, body: Any = None, **query: str) -> Any:
        where = f"{self.url}{path}?{urlencode({'api-version': version, **query})}"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(where, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def ended(self, path: str, version: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.ask("GET", path, version)["properties"]
            if found["executionState"] in ("succeeded", "failed"):
                return found
            time.sleep(0.02)
        raise TimeoutError(found)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    home = tmp_path_factory.mktemp("home")
    server = EmulatorServer(EmulatorSettings(home=home, engine="process", development_credentials=True))
    with contextlib.closing(server):
        client = Client(server.start().url, home)
        (client.share / "mine").mkdir(parents=True)
        client.ask("PUT", GROUP, "2018-05-01", {"location": "eastus"})
        yield client


@pytest.mark.usefixtures("exercise_process")
@pytest.mark.parametrize(
    ("version", "logs"), [("2017-09-01-preview", ""), ("2018-03-01", "stdouterr/")], ids=["preview", "march"]
)
def test_a_job_and_its_files(client: Client, version: str, logs: str) -> None:
    volume = {
        "accountName": development.ACCOUNT,
        "azureFileUrl": f"https://{development.ACCOUNT}.file.core.windows.net/share",
        "credentials": {"accountKey": development.ACCOUNT_KEY},
        "relativeMountPath": "afs",
    }
    cluster = {**CLUSTER, "nodeSetup": {"mountVolumes": {"azureFileShares": [volume]}}}
    client.ask("PUT", f"{HERE}/clusters/c.{version}", version, {"location": "eastus", "properties": cluster})
    job = {
        "cluster": {"id": f"{HERE}/clusters/c.{version}"},
        "nodeCount": 1,
        "stdOutErrPathPrefix": SHARE,
        "outputDirectories": [
            {"id": "NEW", "pathPrefix": SHARE, "pathSuffix": "made"},
            {"id": "MINE", "pathPrefix": SHARE, "pathSuffix": "mine", "createNew": False},
        ],
        "customToolkitSettings": {
            "commandLine": "echo hi; touch $AZ_BATCHAI_OUTPUT_NEW/new.txt $AZ_BATCHAI_OUTPUT_MINE/mine.txt"
        },
    }
    where = f"{HERE}/jobs/j.{version}"
    client.ask("PUT", where, version, {"location": "eastus", "properties": job})
    assert client.ended(where, version)["executionInfo"]["exitCode"] == 0
    for directory, names in (
        ("stdouterr", {"stderr.txt", "stdout.txt", *(["execution.log"] if logs else [])}),
        ("NEW", {"new.txt"}),
        ("MINE", {"mine.txt"}),
    ):
        listed = client.ask("POST", f"{where}/listOutputFiles", version, outputdirectoryid=directory)["value"]
        assert {one["name"] for one in listed} == names
    files = {str(path.relative_to(client.share)) for path in client.share.rglob("*") if path.is_file()}
    (segment,) = {name.rpartition("/outputs/")[0] for name in files if name.endswith("made/new.txt")}
    assert segment.startswith(f"s1/group/jobs/j.{version}/")
    assert files == {
        f"{segment}/outputs/made/new.txt",
        *(f"{segment}/{logs}{name}" for name in ("execution.log", "stderr.txt", "stdout.txt")),
        "mine/mine.txt",
    }
    for path in (where, f"{HERE}/clusters/c.{version}"):
        client.ask("DELETE", path, version)
    for path in files:
        (client.share / path).unlink()


NESTED = f"{HERE}/workspaces/w"


def _server() -> dict[str, Any]:
    account = {"adminUserName": "demo", "adminUserPassword": "x"}
    return {
        "vmSize": "STANDARD_D2",
        "sshConfiguration": {"userAccountSettings": account},
        "dataDisks": {
            "diskSizeInGB": 10,
            "diskCount": 1,
            "storageAccountType": "Premium_LRS",
        },
    }


@pytest.mark.usefixtures("exercise_process")
@pytest.mark.parametrize("version", ["2017-09-01-preview", "2018-03-01", "2018-05-01"])
def test_jobs_on_two_nodes_and_a_file_server(client: Client, version: str) -> None:
    flat = version != "2018-05-01"
    if not flat:
        client.ask("PUT", NESTED, version, {"location": "eastus"})
        client.ask("PUT", f"{NESTED}/experiments/e", version)
    home, jobs = (HERE, f"{HERE}/jobs") if flat else (NESTED, f"{NESTED}/experiments/e/jobs")
    name = f"two-{version}"
    more = {"location": "eastus"} if flat else {}
    server = f"{home}/fileServers/{name}"
    client.ask("PUT", server, version, {**more, "properties": _server()})
    mount = {"fileServer": {"id": server}, "relativeMountPath": "nfs"}
    cluster = {
        **CLUSTER,
        "vmSize": "STANDARD_NC12",
        "scaleSettings": {"manual": {"targetNodeCount": 2}},
        "nodeSetup": {"mountVolumes": {"fileServers": [mount]}},
    }
    client.ask("PUT", f"{home}/clusters/{name}", version, {**more, "properties": cluster})
    command = (
        "cat $AZ_BATCHAI_MPI_HOST_FILE; for host in ${AZ_BATCH_HOST_LIST//,/ }; do "
        "ssh $host 'cat $AZ_BATCHAI_JOB_TEMP/me >>$AZ_BATCHAI_MOUNT_ROOT/nfs/seen'; done; exit 3"
    )
    job = {
        "cluster": {"id": f"{home}/clusters/{name}"},
        "nodeCount": 2,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/nfs/logs",
        "jobPreparation": {"commandLine": "echo prepared >$AZ_BATCHAI_JOB_TEMP/me"},
        "customToolkitSettings": {"commandLine": command},
    }
    client.ask("PUT", f"{jobs}/{name}", version, {**more, "properties": job})
    ended = client.ended(f"{jobs}/{name}", version)
    assert ended["executionInfo"]["exitCode"] == 3
    (error,) = ended["executionInfo"]["errors"]
    assert [one["name"] for one in error["details"]] == ["Node"]
    (disk,) = (client.share.parents[2] / "servers").glob("*")
    assert (disk / "seen").read_text() == "prepared\nprepared\n"
    names = [path.name for path in disk.rglob("stdout*.txt")]
    assert sorted(name.partition("-tvm")[0] for name in names) == [
        "stdout-job_prep",
        "stdout-job_prep",
        "stdout.txt",
    ]
    (stdout,) = disk.rglob("stdout.txt")
    assert [line.split()[1] for line in stdout.read_text().splitlines()] == ["slots=2", "slots=2"]
    for path in (f"{jobs}/{name}", f"{home}/clusters/{name}", server):
        client.ask("DELETE", path, version)
    assert not disk.exists()
