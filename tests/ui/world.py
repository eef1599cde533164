"""An emulator with a cluster, and jobs that a test makes: what the page's tests look at."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from batchai_scenario.emulator.credentials import Credentials
from batchai_scenario.emulator.identity import development
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings
from batchai_scenario.emulator.state.home import Home
from batchai_scenario.emulator.state.own import OwnCredentials
from tests.front.signed_in import CLIENT, SECRET, SignedIn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchai_scenario.emulator.server import Address
    from batchai_scenario.emulator.ui.ports import RunBook

SHARE = "data"
GROUP = f"/subscriptions/{development.SUBSCRIPTION}/resourceGroups/rg"
WORKSPACE = f"{GROUP}/providers/Microsoft.BatchAI/workspaces/ws"
CLUSTER = f"{WORKSPACE}/clusters/crew"
EXPERIMENT = f"{WORKSPACE}/experiments/ex"
SECONDS = 120.0


class World:
    """An emulator on the process engine; ``start`` and ``stop`` may be called again and again."""

    def __init__(self, home: Path, runs: RunBook | None = None) -> None:
        self.home = Home(home)
        self.runs = runs
        self.share = home / "storage" / development.ACCOUNT / SHARE
        self.server: EmulatorServer | None = None
        self.address: Address
        self.arm: SignedIn
        self.fine = self.broken = ""

    def start(self) -> Address:
        known = Credentials.read([], [f"{CLIENT}:{SECRET}"])
        settings = EmulatorSettings(home=self.home.root, engine="process", credentials=known, runs=self.runs)
        self.server = EmulatorServer(settings)
        self.address = self.server.start()
        self.arm = SignedIn(self.address.url, "2018-05-01")
        return self.address

    def stop(self, *, clean: bool = False) -> None:
        """Stop serving; ``clean``: delete the cluster first, so that nothing of its nodes is left."""
        if self.server is not None:
            if clean and self.arm.ask("DELETE", CLUSTER).status_code < 300:
                self.until(lambda: self.arm.ask("GET", CLUSTER).status_code == 404)
            self.arm.session.close()
            self.server.close()
            self.server = None

    def make_cluster(self, nodes: int = 1, **node_setup: Any) -> None:
        """Make group, workspace, experiment, and a cluster that mounts the share."""
        self.share.mkdir(parents=True, exist_ok=True)
        self.ask("PUT", GROUP, {"location": "eastus"})
        self.ask("PUT", WORKSPACE, {"location": "eastus"})
        self.ask("PUT", EXPERIMENT)
        key = OwnCredentials.at(self.home.credentials).account_key
        volume = {
            "accountName": development.ACCOUNT,
            "azureFileUrl": f"https://{development.ACCOUNT}.file.core.windows.net/{SHARE}",
            "credentials": {"accountKey": key},
            "relativeMountPath": "afs",
        }
        properties = {
            "vmSize": "STANDARD_NC6",
            "scaleSettings": {"manual": {"targetNodeCount": nodes}},
            "userAccountSettings": {"adminUserName": "demo", "adminUserPassword": "pass word"},
            "nodeSetup": {"mountVolumes": {"azureFileShares": [volume]}, **node_setup},
        }
        self.ask("PUT", CLUSTER, {"properties": properties})

    def submit(self, name: str, command: str, **more: Any) -> str:
        """Submit a job; gives its id as the page has it."""
        properties = {
            "cluster": {"id": CLUSTER},
            "nodeCount": 1,
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
            "outputDirectories": [
                {"id": "OUT", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "pathSuffix": "out"}
            ],
            "customToolkitSettings": {"commandLine": command},
            **more,
        }
        path = f"{EXPERIMENT}/jobs/{name}"
        self.ask("PUT", path, {"properties": properties})
        return path.lower()

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = self.arm.ask(method, path, body)
        assert answer.status_code < 300, answer.text
        return dict(answer.json()) if answer.content else {}

    def wait(self, job: str, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of some states (by default: has ended)."""
        wanted = states or ("succeeded", "failed")
        found: dict[str, Any] = {}

        def has_come() -> bool:
            found.update(self.ask("GET", job)["properties"])
            return found["executionState"] in wanted

        self.until(has_come, lambda: [found, self.ask("GET", CLUSTER)["properties"]])
        return found

    @staticmethod
    def until(look: Callable[[], Any], instead: Callable[[], Any] = list) -> Any:
        """Look until something is there; a failure tells what is there instead."""
        deadline = time.monotonic() + SECONDS
        while not (found := look()):
            assert time.monotonic() < deadline, f"it did not come to be: {instead()}"
            time.sleep(0.05)
        return found


class Visitor:
    """Speaks to the page without a browser; ``cookie`` is what the printed address gave."""

    def __init__(self, address: Address) -> None:
        self.url = urlsplit(address.url)
        self.cookie = ""
        status, headers, _ = self.get(f"/ui?token={address.page_token}")
        assert (status, headers["location"]) == (303, "/ui/")
        self.cookie = headers["set-cookie"].partition(";")[0]
        self.set_cookie = headers["set-cookie"]

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        return self.send("GET", path, None, headers)

    def send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request; gives status, headers (names in lower case) and body."""
        given = {"Cookie": self.cookie} if self.cookie else {}
        with closing(http.client.HTTPConnection(self.url.hostname or "", self.url.port, timeout=20)) as line:
            line.request(method, path, body, {**given, **(headers or {})})
            answer = line.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def api(self, where: str, **query: Any) -> Any:
        """Ask the interface for JSON."""
        status, _, body = self.get(f"/ui/api/{where}?{urlencode(query)}")
        assert status == 200, body
        return json.loads(body)

    def refused(self, where: str, **query: Any) -> tuple[int, str]:
        """Ask for what must be refused; gives status and sentence."""
        status, _, body = self.get(f"/ui/api/{where}?{urlencode(query)}")
        return status, json.loads(body)["error"]["message"]

    def change(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Change something, as the page's own script does."""
        own = {"Origin": f"http://{self.url.netloc}", "Content-Type": "application/json"}
        status, _, data = self.send("POST", f"/ui/api/{path}", json.dumps(body).encode(), own)
        return status, json.loads(data)
