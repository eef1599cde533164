"""A resource manager over fakes in which every operation of every API version can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.batchai.versions.registry import delivered
from tests.front.fakes import FakeEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.arm.messages import ArmResponse
    from tests.front.conftest import Front

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
NAMES = {
    "subscriptionId": SUBSCRIPTION,
    "resourceGroupName": "demo_resource_group",
    "workspaceName": "demo_workspace",
    "experimentName": "demo_experiment",
    "clusterName": "demo_cluster",
    "jobName": "demo_job",
    "fileServerName": "demo_nfs",
    "location": "eastus",
}
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{NAMES['resourceGroupName']}"

FILES = [
    FakeEntry("counters", is_directory=True),
    *(
        FakeEntry(f"{stream}{step}.txt", size=3)
        for stream in ("stdout", "stderr")
        for step in ("", "-job_prep")
    ),
    FakeEntry("execution.log", size=3),
]


class Specified:
    """One API version's front: operations are asked for by the paths of its published description."""

    def __init__(self, front: Front, version: str) -> None:
        self.front = front
        self.version = version
        front.ask("PUT", GROUP, {"location": "eastus"})
        front.clusters.folders = {
            "stdouterr": ("acct", "share", "some"),
            "OUTPUTS": ("acct", "share", "some"),
        }
        front.files.entries["acct/share/some"] = FILES

    @property
    def nested(self) -> bool:
        """Tell whether the version has workspaces."""
        return not delivered()[self.version].FLAT

    def ask(self, method: str, path: str, body: Any = None) -> ArmResponse:
        """Ask for an operation, with what it must have in its query."""
        more: Any = {"outputdirectoryid": "stdouterr"} if path.endswith("/listOutputFiles") else {}
        return self.front.ask(method, path.format_map(NAMES), body, version=self.version, **more)

    def path(self, kind: str) -> str:
        """Give the path of one resource by the last word of its type."""
        group = f"{GROUP}/providers/Microsoft.BatchAI"
        workspace = f"{group}/workspaces/{NAMES['workspaceName']}"
        experiment = f"{workspace}/experiments/{NAMES['experimentName']}"
        paths: Mapping[str, str] = {
            "workspaces": workspace,
            "experiments": experiment,
            "clusters": f"{workspace if self.nested else group}/clusters/{NAMES['clusterName']}",
            "fileServers": f"{workspace if self.nested else group}/fileServers/{NAMES['fileServerName']}",
            "jobs": f"{experiment if self.nested else group}/jobs/{NAMES['jobName']}",
        }
        return paths[kind]

    def bodies(self) -> dict[str, Any]:
        """Give small bodies of our own that create everything, in order."""
        account = {"adminUserName": "demo", "adminUserPassword": "x"}
        disks = {"diskSizeInGB": 10, "diskCount": 2, "storageAccountType": "Standard_LRS"}
        contents: dict[str, Any] = {
            "clusters": {"vmSize": "STANDARD_NC6", "userAccountSettings": account},
            "fileServers": {
                "vmSize": "STANDARD_D1",
                "sshConfiguration": {"userAccountSettings": account},
                "dataDisks": disks,
            },
            "jobs": {
                "cluster": {"id": self.path("clusters")},
                "nodeCount": 1,
                "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
                "customToolkitSettings": {"commandLine": "echo hi"},
            },
        }
        around = {} if self.nested else {"location": "eastus"}
        bodies = {kind: {**around, "properties": properties} for kind, properties in contents.items()}
        if not self.nested:
            return bodies
        return {"workspaces": {"location": "eastus"}, "experiments": None, **bodies}

    def create(self, bodies: Mapping[str, Any]) -> dict[str, int]:
        """Create everything; gives the status of each PUT."""
        return {kind: self.ask("PUT", self.path(kind), body).status for kind, body in bodies.items()}
