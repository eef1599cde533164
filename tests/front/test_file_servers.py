"""File servers have disks that clusters and jobs mount; ids of every API version lead to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.emulator.cluster.servers import ServerDisks
from batchai_scenario.emulator.errors import EngineError
from tests.front.conftest import CLUSTER, WS
from tests.front.test_provider import body, done

if TYPE_CHECKING:
    from pathlib import Path

    from tests.front.conftest import Front

ACCOUNT = {"adminUserName": "demo", "adminUserPassword": "x"}
SERVER = {
    "vmSize": "STANDARD_D2",
    "sshConfiguration": {"userAccountSettings": ACCOUNT},
    "dataDisks": {"diskSizeInGB": 10, "diskCount": 1, "storageAccountType": "Premium_LRS"},
}


def made(front: Front) -> tuple[str, ServerDisks]:
    assert done(front, front.ask("PUT", f"{WS}/fileServers/Data", {"properties": SERVER}))
    return body(front.ask("GET", f"{WS}/fileServers/Data"))["id"], ServerDisks(front.home)


def cluster_with(**mount: Any) -> dict[str, Any]:
    mount.setdefault("relativeMountPath", "nfs")
    return {"properties": {**CLUSTER, "nodeSetup": {"mountVolumes": {"fileServers": [mount]}}}}


def test_a_cluster_mounts_a_server_that_is_there(populated: Front) -> None:
    server, disks = made(populated)
    disks.find(server.upper(), "").joinpath("sets", "one").mkdir(parents=True)
    mount = {"fileServer": {"id": server}, "sourceDirectory": "/sets/one", "mountOptions": "rw"}
    assert done(populated, populated.ask("PUT", f"{WS}/clusters/with", cluster_with(**mount)))
    shown = body(populated.ask("GET", f"{WS}/clusters/with"))["properties"]["nodeSetup"]["mountVolumes"]
    assert shown["fileServers"] == [{**mount, "relativeMountPath": "nfs"}]


def test_a_cluster_stands_in_the_subnet_of_the_first_server_that_it_mounts(populated: Front) -> None:
    server, _ = made(populated)
    subnet = body(populated.ask("GET", f"{WS}/fileServers/Data"))["properties"]["subnet"]
    path, wanted = f"{WS}/clusters/with", cluster_with(fileServer={"id": server})
    for _ in range(2):
        assert populated.ask("PUT", path, wanted).status in (200, 202)
        assert body(populated.ask("GET", path))["properties"]["subnet"] == subnet
    populated.ask("DELETE", f"{WS}/fileServers/Data")
    assert populated.ask("PUT", path, wanted).status == 200
    own = f"{subnet['id'].rpartition('/')[0]}/own"
    wanted["properties"]["subnet"] = {"id": own}
    assert populated.refused("PUT", path, wanted).target == "properties.subnet"
    del wanted["properties"]["nodeSetup"], wanted["properties"]["subnet"]
    populated.ask("PUT", f"{WS}/clusters/without", wanted)
    assert "subnet" not in body(populated.ask("GET", f"{WS}/clusters/without"))["properties"]


@pytest.mark.parametrize(
    ("change", "target"),
    [
        ({"fileServer": {"id": "/some/thing"}}, "fileServer.id"),
        ({"fileServer": {"id": f"{WS}/fileServers/none"}}, "fileServer.id"),
        ({"sourceDirectory": "missing"}, "sourceDirectory"),
        ({"sourceDirectory": "../.."}, "sourceDirectory"),
    ],
)
def test_what_cannot_be_mounted_is_refused_by_name(
    populated: Front, change: dict[str, Any], target: str
) -> None:
    server, _ = made(populated)
    refusal = populated.refused(
        "PUT", f"{WS}/clusters/with", cluster_with(**{"fileServer": {"id": server}, **change})
    )
    assert refusal.target == f"properties.nodeSetup.mountVolumes.fileServers[0].{target}"
    assert refusal.code == "InvalidPropertyValue"


def test_all_mounts_that_cannot_be_are_told_at_once(populated: Front) -> None:
    server, _ = made(populated)
    wanted = cluster_with(fileServer={"id": server}, sourceDirectory="missing")
    mounts = wanted["properties"]["nodeSetup"]["mountVolumes"]["fileServers"]
    mounts.append({"fileServer": {"id": "/some/thing"}, "relativeMountPath": "other"})
    refusal = populated.refused("PUT", f"{WS}/clusters/with", wanted)
    where = "properties.nodeSetup.mountVolumes.fileServers"
    assert [one.target for one in refusal.errors] == [
        f"{where}[0].sourceDirectory",
        f"{where}[1].fileServer.id",
    ]


def test_a_servers_disk_goes_with_it_and_a_new_one_is_empty(populated: Front) -> None:
    server, disks = made(populated)
    (disks.find(server, "") / "file").write_text("x")
    populated.ask("DELETE", f"{WS}/fileServers/Data")
    with pytest.raises(EngineError, match="FileServerMountError"):
        disks.find(server, "")
    made(populated)
    assert list(disks.find(server, "").iterdir()) == []
    populated.ask("DELETE", WS)
    populated.ask("GET", WS)
    with pytest.raises(EngineError):
        disks.find(server, "")


def test_flat_and_nested_ids_lead_to_one_disk(tmp_path: Path) -> None:
    from batchai_scenario.emulator.state.home import Home

    disks = ServerDisks(Home(tmp_path))
    group = "/subscriptions/s/resourceGroups/g/providers/Microsoft.BatchAI"
    disks.make(f"{group}/workspaces/migrated-eastus/fileServers/f")
    assert disks.find(f"{group.lower()}/fileservers/F", "").is_dir()
    with pytest.raises(EngineError):
        disks.find(f"{group}/workspaces/other/fileServers/f", "")


def test_links_on_a_servers_disk_lead_nowhere_else(tmp_path: Path) -> None:
    from batchai_scenario.emulator.state.home import Home

    disks = ServerDisks(Home(tmp_path / "home"))
    server = "/subscriptions/s/resourceGroups/g/providers/Microsoft.BatchAI/fileServers/f"
    disks.make(server)
    (disks.find(server, "") / "out").symlink_to(tmp_path)
    with pytest.raises(EngineError) as caught:
        disks.find(server, "out")
    assert "it has no folder 'out'" in caught.value.problem.details[0][1]


def test_what_is_put_is_read_and_goes(populated: Front) -> None:
    where = f"{WS}/fileServers/f"
    account = {"adminUserName": "demo", "adminUserSshPublicKey": "ssh-rsa AAAA"}
    properties = {
        "vmSize": "STANDARD_D2",
        "sshConfiguration": {"publicIPsToAllow": ["1.2.3.4"], "userAccountSettings": account},
        "dataDisks": {"diskSizeInGB": 10, "diskCount": 1, "storageAccountType": "Premium_LRS"},
    }
    assert done(populated, populated.ask("PUT", where, {"properties": properties}))
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
