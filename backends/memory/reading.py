"""What the model reads from a body: commands, mounted shares and output folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.bodies import check, filled
from batchai_scenario.backends.errors import InvalidSpec, NotSupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchai_scenario.backends.memory.world import Cluster

VALUES = {"ACCOUNT": "memory", "KEY": "bWVtb3J5", "URL": "memory://shares"}
"""What the placeholders stand for."""

MOUNT_ROOT = "/mnt/batch/tasks/shared/LS_root/mounts"
"""Where a job sees its cluster's shares."""

MOUNT_ROOTS = ("$AZ_BATCHAI_MOUNT_ROOT", "$AZ_BATCHAI_JOB_MOUNT_ROOT")

REFUSED = {
    "scaleSettings.autoScale": "the model's clusters have a fixed size",
    "nodeSetup.setupTask": "the model's nodes need no setup",
    "nodeSetup.mountVolumes.azureBlobFileSystems": "the model mounts file shares only",
    "nodeSetup.mountVolumes.fileServers": "the model mounts file shares only",
    "nodeSetup.mountVolumes.unmanagedFileSystems": "the model mounts file shares only",
    "mountVolumes.azureBlobFileSystems": "the model mounts file shares only",
    "mountVolumes.fileServers": "the model mounts file shares only",
    "mountVolumes.unmanagedFileSystems": "the model mounts file shares only",
}
"""Properties that the model refuses. It accepts ``maxWallClockTime``: no time passes, so none is exceeded."""


def read_body(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Check a body and fill it in, refusing what the model does not do."""
    check(kind, properties)
    for path, reason in REFUSED.items():
        value: Any = properties
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value:
            raise NotSupported(reason, field=f"properties.{path}")
    return filled(properties, VALUES)


def priority_of(properties: Mapping[str, Any]) -> str:
    """Give a job's priority: ``high``, ``normal`` or ``low``.

    Raises:
        InvalidSpec: it is none of these.
    """
    priority = str(properties.get("schedulingPriority") or "normal")
    if priority not in ("high", "normal", "low"):
        raise InvalidSpec(f"{priority!r} is not high, normal or low", field="properties.schedulingPriority")
    return priority


def inputs_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """Give the input directories by id, as paths that the job sees."""
    return {
        str(entry["id"]): str(entry["path"]).replace("$AZ_BATCHAI_MOUNT_ROOT", MOUNT_ROOT).rstrip("/")
        for entry in properties.get("inputDirectories", ())
    }


def commands_of(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the job's commands in order, each with the property that holds it."""
    if properties.get("jobPreparation"):
        yield str(properties["jobPreparation"]["commandLine"]), "properties.jobPreparation.commandLine"
    toolkits = [name for name in properties if name.endswith("Settings") and name != "containerSettings"]
    if len(toolkits) != 1:
        raise InvalidSpec("a job has exactly one toolkit", field="properties")
    settings = properties[toolkits[0]]
    for key in ("commandLine", "pythonScriptFilePath", "configFilePath"):
        if key in settings:
            command = str(settings[key])
            name = command if key == "commandLine" else command.rpartition("/")[2]
            yield name, f"properties.{toolkits[0]}.{key}"
            return
    raise InvalidSpec("names neither a command nor a script", field=f"properties.{toolkits[0]}")


def folders_of(properties: Mapping[str, Any], cluster: Cluster, segment: str) -> dict[str, tuple[str, str]]:
    """Find (share, folder) of each output directory, ``stdouterr`` among them."""
    mounts = {**cluster.shares, **mounted_shares(properties.get("mountVolumes", {}))}
    where = "properties.stdOutErrPathPrefix"
    share, folder = folder_of(str(properties.get("stdOutErrPathPrefix", "")), mounts, where)
    found = {"stdouterr": (share, f"{folder}/{segment}/stdouterr".lstrip("/"))}
    for index, directory in enumerate(properties.get("outputDirectories", ())):
        where = f"properties.outputDirectories[{index}].pathPrefix"
        share, folder = folder_of(str(directory["pathPrefix"]), mounts, where)
        path = f"{folder}/{segment}/outputs/{directory.get('pathSuffix', '')}".strip("/")
        found[str(directory["id"])] = (share, path)
    return found


def mounted_shares(volumes: Mapping[str, Any]) -> dict[str, str]:
    """Give the shares of ``mountVolumes`` by relative mount path."""
    return {
        str(volume["relativeMountPath"]).strip("/"): str(volume["azureFileUrl"])
        .rstrip("/")
        .rpartition("/")[2]
        for volume in volumes.get("azureFileShares", ())
    }


def folder_of(prefix: str, mounts: Mapping[str, str], field_name: str) -> tuple[str, str]:
    """Find (share, folder) of a path prefix of a job.

    Raises:
        InvalidSpec: the prefix is not on a mounted share.
    """
    for root in MOUNT_ROOTS:
        inside = prefix.removeprefix(root + "/")
        for mount, share in mounts.items():
            if inside != prefix and f"{inside}/".startswith(f"{mount}/"):
                return share, inside[len(mount) :].strip("/")
    raise InvalidSpec(f"{prefix!r} is not on a mounted share", field=field_name)
