"""What clients in other languages send, as their sources say: headers, order, polling; what they read.

The programs themselves are run in ``test_languages.py``, where their packages can be had. What cannot (the
fluent libraries for Java and .NET, Ruby's and R's own packages) is replayed here alone, and always.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests

from tests.front.signed_in import CLIENT, SECRET, signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.front.signed_in import SignedIn

AI, VERSION, GROUPS = "Microsoft.BatchAI", "2018-05-01", "2021-04-01"
GUID = "5a1b2c3d-0000-4000-8000-00000000000a"
MANAGEMENT = "https://management.core.windows.net/"
USER = {"adminUserName": "tirekicker", "adminUserPassword": "MyPassword"}
JSON = {"Content-Type": "application/json; charset=utf-8"}
LANGUAGE, REQUEST = {"accept-language": "en-US"}, {"x-ms-client-request-id": GUID}


@dataclass(frozen=True)
class Way:
    """How a library asks: the headers of each request, and those of its polls."""

    language: str
    headers: dict[str, str]
    polls: dict[str, str] = field(default_factory=dict)


JAVA = Way(
    "java",
    {
        **JSON,
        **LANGUAGE,
        **REQUEST,
        "x-ms-logging-context": "com.microsoft.azure.management.batchai.Clusters create",
        "User-Agent": "Azure-SDK-For-Java/1.22.0 OS:Linux/5.4 Java:1.8.0_202",
    },
    LANGUAGE,
)
DOTNET = Way(
    "dotnet",
    {
        **JSON,
        **LANGUAGE,
        **REQUEST,
        "User-Agent": "FxVersion/4.6.27019.06 Microsoft.Azure.Management.BatchAI.Fluent/1.22.0",
    },
    REQUEST,
)
GO = Way("go", {**JSON, "User-Agent": "Go/go1.19.8 go-autorest/v14.2.1 Azure-SDK-For-Go/v68.0.0 batchai"})
RUBY = Way(
    "ruby",
    {**JSON, **LANGUAGE, **REQUEST, "Accept": "application/json", "User-Agent": "ms_rest_azure/0.12.0"},
    {**JSON, **REQUEST, "Accept": "application/json"},
)
R = Way("r", {"User-Agent": "AzureR/AzureRMR httr"})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedIn]:
    with signed_in(tmp_path_factory.mktemp("replays"), VERSION) as found:
        yield found


class Replay:
    """Sends requests as a library does, and follows what is not done at once as it does."""

    def __init__(self, served: SignedIn, way: Way) -> None:
        self.url, self.way = served.url, way
        self.signed = {"Authorization": str(served.session.headers["Authorization"])}
        self.subscription = f"/subscriptions/{GUID}"
        self.group = f"{self.subscription}/resourcegroups/rg-{way.language}"
        self.provider = f"{self.subscription}/resourceGroups/rg-{way.language}/providers/{AI}"

    def ask(
        self, method: str, path: str, version: str = VERSION, body: Any = None, **query: str
    ) -> requests.Response:
        return requests.request(
            method,
            self.url + path,
            params={"api-version": version, **query},
            json=body,
            headers={**self.way.headers, **self.signed},
            timeout=20,
        )

    def follow(self, begun: requests.Response) -> None:
        """Poll as the libraries do: what Azure-AsyncOperation names, else what Location names."""
        assert begun.status_code in (200, 201, 202), begun.text
        status, location = (begun.headers.get(name) for name in ("Azure-AsyncOperation", "Location"))
        deadline = time.monotonic() + 30
        while begun.status_code == 202:
            assert time.monotonic() < deadline
            assert begun.headers["Retry-After"] == "0"
            polled = requests.get(
                status or location or "", headers={**self.way.polls, **self.signed}, timeout=20
            )
            if status is None and polled.status_code == 200:
                return
            if status is not None:
                told = polled.json()["status"]
                assert told in ("InProgress", "Succeeded")
                if told == "Succeeded":
                    return

    def put(self, path: str, version: str = VERSION, body: Any = None) -> Any:
        """PUT, poll, and GET what was made, as a client's future does."""
        self.follow(self.ask("PUT", path, version, body))
        return self.ask("GET", path, version).json()


@pytest.mark.parametrize("way", [JAVA, DOTNET, GO, RUBY], ids=lambda way: way.language)
def test_what_the_generated_clients_send(served: SignedIn, way: Way) -> None:
    """The steps of the published samples for Java and .NET, until the job waits for a node."""
    replay = Replay(served, way)
    assert replay.put(replay.group, body={"location": "westeurope"})["location"] == "westeurope"
    name = f"sa{way.language}"
    store = f"{replay.group}/providers/Microsoft.Storage/storageAccounts/{name}"
    wanted = {"sku": {"name": "Standard_GRS"}, "kind": "StorageV2", "location": "westeurope"}
    account = replay.put(store, "2018-11-01", {**wanted, "properties": {}})
    assert account["properties"]["provisioningState"] == "Succeeded"
    keys = replay.ask("POST", f"{store}/listKeys", "2018-11-01").json()["keys"]
    assert [key["keyName"] for key in keys] == ["key1", "key2"]
    space = f"{replay.provider}/workspaces/space"
    replay.put(space, body={"location": "westeurope", "tags": {}})
    replay.put(f"{space}/experiments/tries")  # these send no body
    root = "$AZ_BATCHAI_MOUNT_ROOT/azurefileshare"
    mount = {
        "accountName": name,
        "azureFileUrl": f"https://{name}.file.core.windows.net/fs",
        "credentials": {"accountKey": keys[0]["value"]},
        "relativeMountPath": "azurefileshare",
    }
    properties: dict[str, Any] = {
        "vmSize": "STANDARD_NC6",
        "userAccountSettings": USER,
        "scaleSettings": {"autoScale": {"minimumNodeCount": 0, "maximumNodeCount": 2}},
        "nodeSetup": {"mountVolumes": {"azureFileShares": [mount]}},
    }
    cluster = replay.put(f"{space}/clusters/nodes", body={"properties": properties})
    assert cluster["properties"]["scaleSettings"]["autoScale"]["initialNodeCount"] == 0
    shown = cluster["properties"]["nodeSetup"]["mountVolumes"]["azureFileShares"]
    assert keys[0]["value"] not in str(shown)
    path = f"{space}/experiments/tries/jobs/myJob"
    properties = {
        "cluster": {"id": cluster["id"]},
        "nodeCount": 1,
        "stdOutErrPathPrefix": root,
        "cntkSettings": {
            "pythonScriptFilePath": f"{root}/ConvNet_MNIST.py",
            "commandLineArgs": f"{root} $AZ_BATCHAI_OUTPUT_MODEL",
        },
        "outputDirectories": [{"id": "MODEL", "pathPrefix": f"{root}/model"}],
        "containerSettings": {"imageSourceRegistry": {"image": "microsoft/cntk:2.1-gpu-python3.5"}},
    }
    assert replay.put(path, body={"properties": properties})["properties"]["toolType"] == "cntk"
    listed = replay.ask("POST", f"{path}/listOutputFiles", outputdirectoryid="stdouterr")
    assert listed.json() == {"value": []}  # the other parameters have defaults
    replay.follow(replay.ask("POST", f"{path}/terminate"))
    assert replay.ask("GET", path).json()["properties"]["executionState"] == "failed"
    missing = replay.ask("GET", f"{path}x")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "JobNotFound")
    for gone in (path, replay.group):
        replay.follow(replay.ask("DELETE", gone))
    assert replay.ask("GET", replay.group).status_code == 404


def test_what_the_fluent_libraries_first_sent(served: SignedIn) -> None:
    """The first release spoke 2018-03-01: resources stand in the group, and say their location and tags."""
    replay = Replay(served, JAVA)
    replay.put(replay.group, body={"location": "westeurope"})
    cluster = f"{replay.provider}/clusters/nodes"
    scale = {"manual": {"targetNodeCount": 0}}
    properties = {"vmSize": "STANDARD_NC6", "userAccountSettings": USER, "scaleSettings": scale}
    wanted = {"location": "westeurope", "properties": properties}
    assert replay.put(cluster, "2018-03-01", wanted)["type"] == "Microsoft.BatchAI/Clusters"
    changed = replay.ask("PATCH", cluster, "2018-03-01", {"tags": {"tag1": "value1"}})
    assert changed.json()["tags"] == {"tag1": "value1"}
    replay.follow(replay.ask("DELETE", replay.group))


def test_how_adal_signs_in(served: SignedIn) -> None:
    """ADAL for .NET asks whether it may trust the authority; that for Java compares an id of its own."""
    authority = quote(f"https://login.microsoftonline.com/{GUID}/oauth2/authorize", safe="")
    query = f"api-version=1.1&authorization_endpoint={authority}"
    known = requests.get(f"{served.url}/common/discovery/instance?{query}", timeout=20)
    assert known.json()["tenant_discovery_endpoint"].endswith("/.well-known/openid-configuration")
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT,
        "client_secret": SECRET,
        "resource": MANAGEMENT,
    }
    told = {"x-client-SKU": "PCL.CoreCLR", "client-request-id": GUID, "return-client-request-id": "true"}
    where = f"{served.url}/{GUID}/oauth2/token"
    for method in ("POST", "GET"):  # Ruby's ms_rest_azure asks by GET, with the same form in the body
        answer = requests.request(method, where, data=form, headers=told, timeout=20)
        assert answer.json()["resource"] == MANAGEMENT
        assert int(answer.json()["expires_on"]) > 0
        assert answer.headers["client-request-id"] == GUID


def test_what_azurermr_asks(served: SignedIn) -> None:
    """It takes the first stable version that the provider tells, tags what it makes, waits by looking."""
    replay = Replay(served, R)
    (first, *_) = replay.ask("GET", "/subscriptions", GROUPS).json()["value"]
    assert {"subscriptionId", "displayName", "state"} <= set(first)
    tag = {"createdBy": "AzureR/AzureRMR"}
    replay.put(replay.group, GROUPS, {"location": "eastus", "tags": tag})
    for provider, kind in (
        (AI, "workspaces"),
        (AI, "workspaces/clusters"),
        ("Microsoft.Storage", "storageAccounts"),
    ):
        told = replay.ask("GET", f"{replay.subscription}/providers/{provider}", GROUPS).json()
        (versions,) = [
            one["apiVersions"] for one in told["resourceTypes"] if one["resourceType"].lower() == kind.lower()
        ]
        stable = [version for version in versions if "preview" not in version]
        assert stable == sorted(stable, reverse=True), kind
    body = {"location": "eastus", "tags": tag}
    assert replay.put(f"{replay.provider}/workspaces/space", body=body)["tags"] == tag
    replay.ask("DELETE", replay.group, GROUPS)
    deadline = time.monotonic() + 30
    while replay.ask("GET", replay.group, GROUPS).status_code < 300:
        assert time.monotonic() < deadline
