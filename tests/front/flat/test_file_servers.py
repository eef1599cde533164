"""File servers in the flat API versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.front.conftest import AI
from tests.front.flat.conftest import DISKS, HERE, HOME, PREVIEW, SERVER, body, cluster, names

if TYPE_CHECKING:
    from tests.front.conftest import Front


def test_file_servers(old: Front, version: str) -> None:
    path = f"{AI}/fileServers/f"
    assert old.ask("PUT", path, SERVER, version=version).status == 202
    read = body(old.ask("GET", path, version=version))
    properties = read.pop("properties")
    assert read == {
        "id": f"{HERE}/fileservers/f",
        "name": "f",
        "type": "Microsoft.BatchAI/FileServers",
        "location": "eastus",
        "tags": {"a": "b"},
    }
    assert properties["vmSize"] == "STANDARD_DS14"
    more = {"fileSystemType": "BRTFS", "raidLevel": "NoRaid"} if version == PREVIEW else {}
    assert properties["dataDisks"] == {**DISKS, "cachingType": "none", **more}
    subnet = properties["subnet"]["id"]
    assert re.fullmatch(
        r"/subscriptions/[^/]+/resourceGroups/fileserverrg-(.{36})/providers/Microsoft\.Network"
        r"/virtualNetworks/\1vnet/subnets/Subnet-1",
        subnet,
    )
    assert body(old.ask("GET", path, version=version))["properties"]["subnet"]["id"] == subnet
    assert properties["sshConfiguration"] == {"userAccountSettings": {"adminUserName": "demo"}}
    settings = properties["mountSettings"]
    assert settings["fileServerType"] == "nfs"
    assert settings["mountPoint"] == ("/mnt/data" if version == PREVIEW else "/data")
    assert "pass word" not in str(old.store.list("file server"))
    assert old.ask("PUT", path, SERVER, version=version).status == 200
    assert names(old.ask("GET", f"{AI}/fileServers", version=version)) == ["f"]
    mounting = cluster()
    mount = {"fileServer": {"id": read["id"]}, "relativeMountPath": "nfs"}
    mounting["properties"]["nodeSetup"] = {"mountVolumes": {"fileServers": [mount]}}
    old.ask("PUT", f"{AI}/clusters/mounting", mounting, version=version)
    there = body(old.ask("GET", f"{AI}/clusters/mounting", version=version))["properties"]["subnet"]
    assert there == {"id": subnet}
    newer = body(old.ask("GET", f"{HOME}/fileServers/f"))
    assert newer["type"] == "Microsoft.BatchAI/workspaces/fileservers"
    assert newer["id"].endswith("/workspaces/migrated-eastus/fileservers/f")
    assert "fileServerType" not in newer["properties"]["mountSettings"]
    assert old.ask("DELETE", path, version=version).status == 202
    assert old.refused("GET", path, version=version).code == "ResourceNotFound"
