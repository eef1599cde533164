"""Bodies that carry every property of a description, and what the emulator makes of each.

A property is a line of ``properties.txt``. Those of toolkits are not here: each toolkit's own tests hold it
to them.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.batchai.versions.registry import delivered
from batchai_scenario.emulator.cluster.autoscale import bounds, first_size
from batchai_scenario.emulator.cluster.mounts import CLUSTER_VOLUMES, JOB_VOLUMES, volumes
from batchai_scenario.emulator.engines.base import NodePlace
from batchai_scenario.emulator.launch.build import JobToPlan, node_system, plan_job
from batchai_scenario.emulator.launch.setup import plan_setup
from batchai_scenario.schema.sizes import gpus_of
from batchai_scenario.training.toolkits.registry import SETTINGS
from tests.spec.differences import KEPT_ONLY, REFUSED
from tests.spec.properties import KEPT
from tests.spec.world import GROUP, Specified

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SERVER = f"{GROUP}/providers/Microsoft.BatchAI/fileServers/one"
_NETWORK = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v/subnets"
_IMAGES = f"{GROUP}/providers/Microsoft.Compute/images"
_INSIGHTS = f"{GROUP}/providers/microsoft.insights/components"

VALUES: Mapping[str, tuple[Any, Any]] = {
    "location": ("eastus", "westus2"),
    "tags": ({"a": "b"}, {"a": "c"}),
    "vmSize": ("STANDARD_NC6", "STANDARD_NC12"),
    "vmPriority": ("dedicated", "lowpriority"),
    "manual.targetNodeCount": (1, 2),
    "nodeDeallocationOption": ("requeue", "terminate"),
    "minimumNodeCount": (1, 2),
    "maximumNodeCount": (4, 5),
    "initialNodeCount": (2, 3),
    "imageReference.publisher": ("microsoft-ads", "other"),
    "imageReference.offer": ("linux-data-science-vm-ubuntu", "other"),
    "imageReference.sku": ("linuxdsvmubuntu", "other"),
    "imageReference.version": ("latest", "18.06.01"),
    "virtualMachineImageId": (f"{_IMAGES}/one", f"{_IMAGES}/two"),
    "userAccountSettings.adminUserName": ("demo", "other"),
    "adminUserPassword": ("s3cret-1", "s3cret-2"),
    "adminUserSshPublicKey": ("ssh-rsa AAAA", "ssh-rsa BBBB"),
    "subnet.id": (f"{_NETWORK}/one", f"{_NETWORK}/two"),
    "setupTask.commandLine": ("apt-get install -y sl", "true"),
    "setupTask.stdOutErrPathPrefix": ("$AZ_BATCHAI_MOUNT_ROOT/afs", "$AZ_BATCHAI_MOUNT_ROOT/bfs"),
    "runElevated": (True, False),
    "component.id": (f"{_INSIGHTS}/one", f"{_INSIGHTS}/two"),
    "instrumentationKey": ("s3cret-1", "s3cret-2"),
    "accountName": ("one", "two"),
    "azureFileUrl": ("https://one.file.core.windows.net/one", "https://one.file.core.windows.net/two"),
    "containerName": ("one", "two"),
    "accountKey": ("s3cret-1", "s3cret-2"),
    "azureFileShares[*].relativeMountPath": ("afs", "afs-two"),
    "azureBlobFileSystems[*].relativeMountPath": ("bfs", "bfs-two"),
    "fileServers[*].relativeMountPath": ("nfs", "nfs-two"),
    "unmanagedFileSystems[*].relativeMountPath": ("ufs", "ufs-two"),
    "mountCommand": ("mount -t nfs 10.0.0.5:/one", "mount -t nfs 10.0.0.5:/two"),
    "fileMode": ("0777", "0755"),
    "directoryMode": ("0777", "0755"),
    "mountOptions": ("rw", "ro"),
    "fileServer.id": (_SERVER, _SERVER.replace("one", "two")),
    "sourceDirectory": ("sets", "sets/one"),
    "publicIPsToAllow": (["192.168.1.0/24"], ["192.168.2.0/24"]),
    "diskSizeInGB": (10, 20),
    "diskCount": (1, 2),
    "storageAccountType": ("Standard_LRS", "Premium_LRS"),
    "cachingType": ("none", "readonly"),
    "cluster.id": ("CLUSTER", "CLUSTER"),
    "experimentName": ("one", "two"),
    "priority": (0, 1),
    "schedulingPriority": ("normal", "high"),
    "nodeCount": (1, 2),
    "imageSourceRegistry.image": ("127.0.0.1:5000/train", "127.0.0.1:5000/train:2"),
    "serverUrl": ("127.0.0.1:5000", "https://127.0.0.1:5000"),
    "credentials.username": ("one", "two"),
    "credentials.password": ("s3cret-1", "s3cret-2"),
    "shmSize": ("1g", "2g"),
    "jobPreparation.commandLine": ("true", "false"),
    "properties.stdOutErrPathPrefix": ("$AZ_BATCHAI_MOUNT_ROOT/afs", "$AZ_BATCHAI_MOUNT_ROOT/bfs"),
    "inputDirectories[*].id": ("DATA", "OTHER"),
    "inputDirectories[*].path": ("$AZ_BATCHAI_MOUNT_ROOT/afs/data", "$AZ_BATCHAI_MOUNT_ROOT/afs/other"),
    "outputDirectories[*].id": ("MODEL", "OTHER"),
    "pathPrefix": ("$AZ_BATCHAI_MOUNT_ROOT/afs", "$AZ_BATCHAI_MOUNT_ROOT/bfs"),
    "pathSuffix": ("models", "other"),
    "outputDirectories[*].type": ("model", "logs"),
    "createNew": (True, False),
    "environmentVariables[*].name": ("ONE", "TWO"),
    "secrets[*].name": ("HIDDEN_ONE", "HIDDEN_TWO"),
    "environmentVariables[*].value": ("one", "two"),
    "secrets[*].value": ("s3cret-1", "s3cret-2"),
    "maxWallClockTime": ("P1D", "PT1H"),
}
"""End of a property's path -> a value, and another one; of several ends the longest says it."""

ELSEWHERE: Mapping[str, str] = {
    "location": "front.flat.test_clusters.test_older_clients_see_nothing_of_other_workspaces",
    "tags": "front.flat.test_clusters.test_location_and_tags_are_read_in_any_case",
    "properties.vmPriority": "cluster.test_clusters.test_low_priority_nodes_are_named_so",
    "properties.scaleSettings.manual.targetNodeCount": "cluster.test_clusters.test_growing_and_shrinking",
    "properties.scaleSettings.manual.nodeDeallocationOption": (
        "cluster.test_clusters.test_shrinking_with_terminate_ends_the_job"
    ),
    "properties.userAccountSettings.adminUserName": (
        "e2e.test_logins.test_one_logs_in_to_idle_nodes_and_beside_jobs"
    ),
    "properties.userAccountSettings.adminUserPassword": (
        "e2e.test_logins.test_one_logs_in_to_idle_nodes_and_beside_jobs"
    ),
    "properties.userAccountSettings.adminUserSshPublicKey": (
        "e2e.test_logins.test_one_logs_in_to_idle_nodes_and_beside_jobs"
    ),
    "properties.cluster.id": (
        "cluster.test_clusters.test_a_job_on_a_cluster_that_is_not_there_fails_and_says_so"
    ),
    "properties.experimentName": "front.flat.test_clusters.test_lists_are_filtered_selected_and_paged",
    "properties.priority": "cluster.test_jobs.test_a_flat_version_gives_a_job_its_own_layout_and_order",
    "properties.schedulingPriority": "cluster.test_scheduler.test_priority_then_age",
    "properties.constraints.maxWallClockTime": (
        "cluster.test_job_ends.test_a_job_over_its_time_fails_without_an_exit_code"
    ),
}
"""Property whose effect needs more than a plan -> the test that shows it."""

_TOOLKITS = tuple(f"properties.{name}" for name in SETTINGS)


def listed(version: str, kind: str) -> list[str]:
    """List the properties of a body that hold a value, without what belongs to toolkits."""
    lines = [line.split() for line in KEPT.read_text().splitlines()]
    found = [path for where, what, path in lines if (where, what) == (version, kind)]
    found = [path for path in found if not path.startswith(_TOOLKITS)]
    return [
        path for path in found if not any(re.match(rf"{re.escape(path)}(\[\*\])?\.", one) for one in found)
    ]


def refused_of(path: str) -> str:
    """Give the part of a path up to the property that is refused; empty if none is."""
    names = path.split(".")
    for number, name in enumerate(names):
        if name.removesuffix("[*]") in REFUSED:
            return ".".join([*names[:number], name.removesuffix("[*]")])
    return ""


def kept_only(path: str, kind: str) -> bool:
    """Tell whether a property is on the list of those that are kept and change nothing."""
    return any(f".{kind}.{path}".endswith(f".{end}") for _, ends, _ in KEPT_ONLY for end in ends)


def value_of(path: str, number: int = 0) -> Any:
    """Give a property's first or second value."""
    ends = [end for end in VALUES if f".{path}".endswith(f".{end}")]
    return VALUES[max(ends, key=len)][number]


def put_in(body: dict[str, Any], path: str, value: Any) -> None:
    """Put a value into a body; every list has one entry."""
    *parents, last = path.split(".")
    place: Any = body
    for name in parents:
        inner = place.setdefault(name.removesuffix("[*]"), [{}] if name.endswith("[*]") else {})
        place = inner[0] if isinstance(inner, list) else inner
    place[last] = value


def found_in(body: Any, path: str) -> Any:
    """Read a value from a body; None if it is not there."""
    for name in path.split("."):
        body = (body or {}).get(name.removesuffix("[*]"))
        if name.endswith("[*]"):
            body = body[0] if body else None
    return body


def bodies(version: str, kind: str, specified: Specified) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Make bodies that carry, together, every property that is not refused: its properties, and the body."""
    paths = [path for path in listed(version, kind) if not refused_of(path)]
    ways = [("scaleSettings.manual", "scaleSettings.autoScale")] if kind == "Cluster" else [("", "")]
    for keep, drop in [*ways, *((b, a) for a, b in ways if a)]:
        chosen = [path for path in paths if not drop or f"properties.{drop}" not in path]
        body: dict[str, Any] = {}
        for path in chosen:
            put_in(body, path, specified.path("fileServers") if "fileServer.id" in path else value_of(path))
        if kind == "Job":
            body["properties"]["cluster"]["id"] = specified.path("clusters")
            body["properties"]["customToolkitSettings"] = {"commandLine": "echo $AZ_BATCHAI_OUTPUT_MODEL"}
        yield [path for path in chosen if not keep or keep in path or keep == ways[0][0]], body


def effect(version: str, kind: str, body: Mapping[str, Any]) -> Any:
    """Tell what nodes, tasks and volumes become of a body: all that a plan has."""
    module = delivered()[version]
    if kind == "Cluster":
        return _of_cluster(*module.read_cluster(body))
    return _of_job(*module.read_job(body))


def _places(count: int) -> list[NodePlace]:
    root = PurePosixPath("/mnt/batch/tasks/shared/LS_root")
    return [NodePlace("c", f"n{n}", f"10.0.0.{n + 4}", Path(f"/disks/{n}"), root) for n in range(count)]


def _of_cluster(definition: Mapping[str, Any], secrets: Mapping[str, str]) -> Any:
    mounts = volumes(definition, CLUSTER_VOLUMES, secrets)
    setup = plan_setup(
        _places(1)[0],
        definition,
        secrets,
        suffix="some",
        mounts=[(one.path, one.command or Path("/x")) for one in mounts],
    )
    image = node_system(definition["virtualMachineConfiguration"]["imageReference"])
    scale = bounds(definition), first_size(definition)
    return setup, mounts, image, scale, gpus_of(definition["vmSize"])


def _of_job(definition: Mapping[str, Any], secrets: Mapping[str, str]) -> Any:
    mounts = volumes(definition, JOB_VOLUMES, secrets)
    job = JobToPlan(
        job_guid="0f1e",
        workspace="ws",
        experiment="exp",
        job="train",
        segment="some",
        definition=definition,
        secrets=secrets,
        nodes=_places(definition["nodeCount"]),
        cluster_mounts=[("afs", Path("/a")), ("bfs", Path("/b"))],
        job_mounts=[(one.path, one.command or Path("/x")) for one in mounts],
    )
    return plan_job(job), mounts
