"""What a definition may say beyond its schema: the service's limits, and what the emulator does not do yet.

``NOT YET`` checks raise ``PropertyNotSupported`` (a code of the service's own) with the property's JSON
path as target. The others are the service's documented limits where these are known, and otherwise our
decisions, each made so that a job cannot fail later for what can be seen now.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from batchai_scenario.emulator.batchai.validation import invalid_value
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.schema.kernel import length_faults
from batchai_scenario.schema.registries import registry_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from batchai_scenario.training.toolkits.registry import Toolkits

MAX_NODES = 100
"""Nodes in one cluster (documented quota)."""

MAX_WALL_CLOCK = timedelta(days=7)
"""Longest run of a job (documented quota)."""

_SIZE = re.compile(r"(standard_)([a-z]{1,9})(\d{1,4})([a-z]{0,9})((?:_v\d{1,2})?)", re.IGNORECASE | re.ASCII)
_NO_SIZE = re.compile(r"STANDARD_(A0|GS\d+|DS\d+.*)")
_ID = re.compile(r"[A-Za-z0-9_]{1,64}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ROOTED = re.compile(r"/|\$AZ_BATCHAI_|\$\{AZ_BATCHAI_")
_DURATION = re.compile(
    r"P(?=.)(?:(?P<days>\d+)D)?(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_CLUSTER_ID = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/([^/]+)/providers/microsoft\.batchai"
    r"/workspaces/([^/]+)/clusters/([^/]+)/?",
    re.IGNORECASE,
)

_FLAT_CLUSTER_ID = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/([^/]+)/providers/microsoft\.batchai/clusters/([^/]+)/?",
    re.IGNORECASE,
)


_NAMES = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_MOUNT_ROOT = "AZ_BATCHAI_MOUNT_ROOT"


def _resource(kind: str) -> re.Pattern[str]:
    """Give what ids of resources of one type look like."""
    return re.compile(rf"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/{kind}/?", re.IGNORECASE)


_SUBNET_ID = _resource(r"microsoft\.(classic)?network/virtualnetworks/[^/]+/subnets/[^/]+")
_IMAGE_ID = _resource(r"microsoft\.compute/images/[^/]+")
_COMPONENT_ID = _resource(r"microsoft\.insights/components/[^/]+")


def not_supported(path: str, what: str) -> ServiceError:
    """Refuse a property by name."""
    text = f"The property '{path}' is not supported by this emulator yet: {what}."
    return ServiceError(400, "PropertyNotSupported", text, path)


def normal_size(text: str, path: str, *, of_cluster: bool = True) -> str:
    """Write a VM size as the service gives it back: ``Standard_NC24R`` is ``STANDARD_NC24r``.

    File servers could have any size, clusters not.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise invalid_value(path, "it is no VM size such as STANDARD_NC6")
    stem, family, number, suffix, generation = match.groups()
    size = f"{stem.upper()}{family.upper()}{number}{suffix.lower()}{generation.lower()}"
    if of_cluster and _NO_SIZE.match(size):
        raise invalid_value(
            path, "Batch AI has no clusters of STANDARD_A0 or of premium-storage sizes (DS, GS)"
        )
    return size


def _is_url(text: str) -> bool:
    try:
        urlsplit(text)
    except ValueError:
        return False
    return re.match(r"https?://[^/]+/.", text) is not None


def normal_duration(text: str, path: str) -> str:
    """Check ``maxWallClockTime``: ISO 8601, more than nothing, at most seven days."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise invalid_value(path, "it is no ISO 8601 duration such as P7D or PT1H30M")
    units = {name: float(number) for name, number in match.groupdict().items() if number}
    seconds = sum(number * timedelta(**{name: 1}).total_seconds() for name, number in units.items())
    if not 0 < seconds <= MAX_WALL_CLOCK.total_seconds():
        raise invalid_value(path, "it must be more than nothing and at most P7D")
    return text


def cluster_names(cluster_id: str, path: str) -> tuple[str, str, str, str]:
    """Take a cluster's id apart: subscription, group, workspace, cluster."""
    match = _CLUSTER_ID.fullmatch(cluster_id)
    if match is None:
        raise invalid_value(path, "it is no id of a cluster in a workspace")
    return match.group(1), match.group(2), match.group(3), match.group(4)


def flat_cluster_names(cluster_id: str, path: str) -> tuple[str, str, str]:
    """Take a cluster's id of a flat API version apart: subscription, group, cluster."""
    match = _FLAT_CLUSTER_ID.fullmatch(cluster_id)
    if match is None:
        raise invalid_value(path, "it is no id of a cluster in a resource group")
    return match.group(1), match.group(2), match.group(3)


def check_scale(scale: Mapping[str, Any], path: str) -> None:
    """Check ``scaleSettings``."""
    if len(scale) != 1:
        raise invalid_value(path, "it takes exactly one of manual and autoScale")
    if "autoScale" in scale:
        _check_auto_scale(scale["autoScale"], f"{path}.autoScale")
    elif scale["manual"]["targetNodeCount"] > MAX_NODES:
        where = f"{path}.manual.targetNodeCount"
        raise invalid_value(where, f"a cluster has at most {MAX_NODES} nodes")


def _check_auto_scale(scale: Mapping[str, Any], path: str) -> None:
    most = scale["maximumNodeCount"]
    if most > MAX_NODES:
        raise invalid_value(f"{path}.maximumNodeCount", f"a cluster has at most {MAX_NODES} nodes")
    if scale["minimumNodeCount"] > most:
        raise invalid_value(f"{path}.minimumNodeCount", f"it is above the maximumNodeCount, {most}")
    if scale["initialNodeCount"] > most:
        raise invalid_value(f"{path}.initialNodeCount", f"it is above the maximumNodeCount, {most}")


def check_cluster(definition: Mapping[str, Any]) -> None:
    """Check a cluster's ``properties``, defaults filled in."""
    check_scale(definition["scaleSettings"], "properties.scaleSettings")
    user = definition["userAccountSettings"]
    if "adminUserSshPublicKey" not in user and "adminUserPassword" not in user:
        raise invalid_value(
            "properties.userAccountSettings", "it needs adminUserSshPublicKey or adminUserPassword"
        )
    key = user.get("adminUserSshPublicKey")
    if key is not None and len(key.strip().splitlines()) != 1:
        path = "properties.userAccountSettings.adminUserSshPublicKey"
        raise invalid_value(path, "it must be one line, such as 'ssh-rsa AAAA... name'")
    if "subnet" in definition and _SUBNET_ID.fullmatch(definition["subnet"]["id"]) is None:
        raise invalid_value("properties.subnet.id", "it is no id of a subnet in a virtual network")
    image = definition["virtualMachineConfiguration"]["imageReference"]
    if "virtualMachineImageId" in image and _IMAGE_ID.fullmatch(image["virtualMachineImageId"]) is None:
        path = "properties.virtualMachineConfiguration.imageReference.virtualMachineImageId"
        raise invalid_value(path, "it is no id of a virtual machine image")
    setup = definition.get("nodeSetup", {})
    if "setupTask" in setup:
        _check_setup_task(setup["setupTask"], "properties.nodeSetup.setupTask")
    if "performanceCountersSettings" in setup:
        _check_counters(
            setup["performanceCountersSettings"]["appInsightsReference"],
            "properties.nodeSetup.performanceCountersSettings.appInsightsReference",
        )
    check_mounts(setup.get("mountVolumes", {}), "properties.nodeSetup.mountVolumes")


def _check_setup_task(task: Mapping[str, Any], path: str) -> None:
    if not task["commandLine"].strip():
        raise invalid_value(f"{path}.commandLine", "it is empty")
    _check_prefix(task["stdOutErrPathPrefix"], f"{path}.stdOutErrPathPrefix")
    unknown = [name for name in _NAMES.findall(task["stdOutErrPathPrefix"]) if name != _MOUNT_ROOT]
    if unknown:
        why = f"a setup task knows ${_MOUNT_ROOT}, and not ${unknown[0]}"
        raise invalid_value(f"{path}.stdOutErrPathPrefix", why)
    for kind in ("environmentVariables", "secrets"):
        for index, variable in enumerate(task.get(kind, ())):
            _check_variable(variable, f"{path}.{kind}[{index}]")


def _check_counters(reference: Mapping[str, Any], path: str) -> None:
    """Check where performance counters would go; none are sent, for the emulator has no account there."""
    if "instrumentationKeySecretReference" in reference:
        raise not_supported(f"{path}.instrumentationKeySecretReference", "give the instrumentationKey")
    if not reference.get("instrumentationKey"):
        raise invalid_value(f"{path}.instrumentationKey", "it is required")
    if _COMPONENT_ID.fullmatch(reference["component"]["id"]) is None:
        raise invalid_value(f"{path}.component.id", "it is no id of an Application Insights component")


def check_mounts(volumes: Mapping[str, Any], path: str) -> None:
    """Check ``mountVolumes``, of a cluster or of a job."""
    for kind in ("fileServers", "unmanagedFileSystems"):
        if volumes.get(kind):
            raise not_supported(f"{path}.{kind}", "mount an Azure file share (azureFileShares)")
    given = [
        (f"{path}.{kind}[{index}]", volume)
        for kind in ("azureFileShares", "azureBlobFileSystems")
        for index, volume in enumerate(volumes.get(kind) or ())
    ]
    seen = set()
    for where, volume in given:
        if "accountKeySecretReference" in volume["credentials"]:
            raise not_supported(f"{where}.credentials.accountKeySecretReference", "give the accountKey")
        if not volume["credentials"].get("accountKey"):
            raise invalid_value(f"{where}.credentials.accountKey", "it is required")
        if "azureFileUrl" in volume and not _is_url(volume["azureFileUrl"]):
            raise invalid_value(f"{where}.azureFileUrl", "it is no URL of a file share")
        if not volume.get("containerName", "c"):
            raise invalid_value(f"{where}.containerName", "it is required")
        mount = volume["relativeMountPath"]
        if not mount or mount.startswith("/") or _climbs(mount):
            raise invalid_value(
                f"{where}.relativeMountPath", "it must be a path below the mount root, without '..'"
            )
        if mount.strip("/") in seen:
            raise invalid_value(f"{where}.relativeMountPath", "another volume is mounted there")
        seen.add(mount.strip("/"))


def check_job(definition: Mapping[str, Any], toolkits: Toolkits) -> None:
    """Check a job's ``properties``, defaults filled in."""
    _check_toolkit(definition, toolkits)
    if definition["nodeCount"] > MAX_NODES:
        raise invalid_value("properties.nodeCount", f"a cluster has at most {MAX_NODES} nodes")
    check_mounts(definition.get("mountVolumes", {}), "properties.mountVolumes")
    _check_paths(definition)
    normal_duration(definition["constraints"]["maxWallClockTime"], "properties.constraints.maxWallClockTime")
    credentials = (
        definition.get("containerSettings", {}).get("imageSourceRegistry", {}).get("credentials", {})
    )
    path = "properties.containerSettings.imageSourceRegistry.credentials"
    if "passwordSecretReference" in credentials:
        raise not_supported(f"{path}.passwordSecretReference", "give the password")
    if credentials and "password" not in credentials:
        raise invalid_value(f"{path}.password", "it is required")
    for kind in ("environmentVariables", "secrets"):
        for index, variable in enumerate(definition.get(kind, ())):
            _check_variable(variable, f"properties.{kind}[{index}]")
    for fault in (*registry_faults(definition), *length_faults(definition)):
        raise invalid_value(fault.path, fault.why)


def _check_toolkit(definition: Mapping[str, Any], toolkits: Toolkits) -> None:
    for fault in toolkits.faults(definition):
        if fault.kind == "unsupported":
            raise not_supported(fault.path, fault.why)
        raise invalid_value(fault.path, fault.why)


def _check_paths(definition: Mapping[str, Any]) -> None:
    """Keep output below the roots that the job is given, so that nothing climbs out of a share."""
    _check_prefix(definition["stdOutErrPathPrefix"], "properties.stdOutErrPathPrefix")
    outputs = definition.get("outputDirectories", ())
    for index, output in enumerate(outputs):
        where = f"properties.outputDirectories[{index}]"
        _check_prefix(output["pathPrefix"], f"{where}.pathPrefix")
        suffix = output.get("pathSuffix", "")
        if suffix.startswith("/") or _climbs(suffix):
            raise invalid_value(f"{where}.pathSuffix", "it must be a relative path without '..'")
        if output["id"].lower() == "stdouterr":
            raise invalid_value(f"{where}.id", "stdouterr names the job's standard output")
    for index, entry in enumerate(definition.get("inputDirectories", ())):
        if not entry["path"]:
            raise invalid_value(f"properties.inputDirectories[{index}].path", "it is empty")
    _check_ids(outputs, "properties.outputDirectories")
    _check_ids(definition.get("inputDirectories", ()), "properties.inputDirectories")


def _check_ids(directories: Iterable[Mapping[str, Any]], path: str) -> None:
    seen = set()
    for index, directory in enumerate(directories):
        if _ID.fullmatch(directory["id"]) is None:
            raise invalid_value(
                f"{path}[{index}].id", "it is part of a variable's name: letters, digits and '_'"
            )
        if directory["id"] in seen:
            raise invalid_value(f"{path}[{index}].id", "another directory has it")
        seen.add(directory["id"])


def _check_prefix(text: str, path: str) -> None:
    if _ROOTED.match(text) is None:
        raise invalid_value(path, "it must begin with a variable such as $AZ_BATCHAI_MOUNT_ROOT, or with '/'")
    if _climbs(text):
        raise invalid_value(path, "it must not climb out with '..'")


def _check_variable(variable: Mapping[str, Any], path: str) -> None:
    if _VARIABLE.fullmatch(variable["name"]) is None:
        raise invalid_value(f"{path}.name", "it is no name of an environment variable")
    if "valueSecretReference" in variable:
        raise not_supported(f"{path}.valueSecretReference", "give the value")
    if "value" not in variable:
        raise invalid_value(f"{path}.value", "it is required")


def _climbs(path: str) -> bool:
    return ".." in path.replace("\\", "/").split("/") or "\\" in path
