"""What the front's tests share: a resource manager over stand-ins, and emulators that really listen."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.arm.manager import ResourceManager
from batchai_scenario.emulator.arm.operations import Operations
from batchai_scenario.emulator.batchai.provider import BatchAIProvider
from batchai_scenario.emulator.cluster.servers import ServerDisks
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.server import Address, EmulatorServer, EmulatorSettings
from batchai_scenario.emulator.state.clock import ManualClock
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store
from tests.front.fakes import FakeClusters, FakeFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchai_scenario.emulator.arm.messages import ArmResponse

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
BASE = "http://127.0.0.1:8888"


@dataclass
class Front:
    """The resource manager over fakes, spoken to without HTTP."""

    store: Store
    clock: ManualClock
    clusters: FakeClusters
    files: FakeFiles
    home: Home
    strict: bool = False
    unmountable: dict[str, str] = field(default_factory=dict)
    manager: ResourceManager = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Put everything together anew over the same store, as a new process does."""
        operations = Operations(self.store, self.clock, strict=self.strict)
        provider = BatchAIProvider(
            self.store,
            self.clock,
            self.clusters,
            operations,
            self.files,
            servers=ServerDisks(self.home),
            mount_refusal=lambda _, command: self.unmountable.get(command, ""),
        )
        self.manager = ResourceManager(
            self.store,
            self.clock,
            [provider],
            tenant="t",
            subscription=SUBSCRIPTION,
            retry_after=operations.retry_after,
        )

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str = "2018-05-01",
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> ArmResponse:
        """Send a request; ``path`` may be below the test subscription or begin with ``/``."""
        if path.startswith("http"):
            path, _, rest = path.removeprefix(BASE).partition("?api-version=")
            version = rest
        full = path if path.startswith("/") else f"/subscriptions/{SUBSCRIPTION}/{path}"
        all_query = {**({"api-version": version} if version else {}), **query}
        return self.manager.handle(
            method, full, query=all_query, headers=headers or {}, body=body, base_url=BASE
        )

    def refused(self, method: str, path: str, body: Any = None, **more: Any) -> ServiceError:
        """Send a request that must fail; gives the error."""
        with pytest.raises(ServiceError) as caught:
            self.ask(method, path, body, **more)
        return caught.value


RG = "resourceGroups/rg"
AI = f"{RG}/providers/Microsoft.BatchAI"
WS = f"{AI}/workspaces/ws"
CLUSTER_ID = f"/subscriptions/{SUBSCRIPTION}/{WS}/clusters/c"

CLUSTER = {
    "vmSize": "Standard_NC6",
    "scaleSettings": {"manual": {"targetNodeCount": 1}},
    "userAccountSettings": {"adminUserName": "demo", "adminUserPassword": "pass word"},
    "nodeSetup": {
        "mountVolumes": {
            "azureFileShares": [
                {
                    "accountName": "acct",
                    "azureFileUrl": "https://acct.file.core.windows.net/share",
                    "credentials": {"accountKey": "key of the account"},
                    "relativeMountPath": "afs",
                }
            ]
        }
    },
}
JOB = {
    "cluster": {"id": CLUSTER_ID},
    "nodeCount": 1,
    "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
    "customToolkitSettings": {"commandLine": "echo hi"},
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def front(tmp_path: Path, clock: ManualClock) -> Iterator[Front]:
    """A resource manager with nothing in it."""
    store = Store(tmp_path / "state.sqlite3", Seal.at(tmp_path / "seal.key"))
    yield Front(store, clock, FakeClusters(clock), FakeFiles(), Home(tmp_path / "home"))
    store.close()


@pytest.fixture
def populated(front: Front) -> Front:
    """The same with group ``rg``, workspace ``ws``, experiment ``ex``, cluster ``c`` and job ``j``."""
    front.ask("PUT", RG, {"location": "eastus"})
    front.ask("PUT", WS, {"location": "eastus"})
    front.ask("PUT", f"{WS}/experiments/ex")
    front.ask("PUT", f"{WS}/clusters/c", {"properties": CLUSTER})
    front.ask("PUT", f"{WS}/experiments/ex/jobs/j", {"properties": JOB})
    return front


@pytest.fixture
def cluster_body() -> dict[str, Any]:
    """The body of a cluster's PUT, to be changed."""
    copy: dict[str, Any] = json.loads(json.dumps({"properties": CLUSTER}))
    return copy


@pytest.fixture
def job_body() -> dict[str, Any]:
    """The body of a job's PUT, to be changed."""
    copy: dict[str, Any] = json.loads(json.dumps({"properties": JOB}))
    return copy


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """An emulator that listens, on the process engine; one for a module."""
    home = tmp_path_factory.mktemp("home")
    server = EmulatorServer(EmulatorSettings(home=home, engine="process", development_credentials=True))
    yield server.start()
    server.close()
