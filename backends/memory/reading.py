"""What the model reads from a body: commands, mounted shares and output folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.bodies import check, filled
from batchai_scenario.backends.errors import InvalidSpec, NotSupported
from batchai_scenario.schema.layout import output_places, standard_output
from batchai_scenario.schema.unsupported import unsupported
from batchai_scenario.training.toolkits.base import JobNodes
from batchai_scenario.training.toolkits.registry import delivered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batchai_scenario.backends.memory.world import MemoryCluster
    from batchai_scenario.training.toolkits.base import Process

VALUES = {"ACCOUNT": "memory", "KEY": "bWVtb3J5", "URL": "memory://shares"}
"""What the placeholders stand for."""

MOUNT_ROOT = "/mnt/batch/tasks/shared/LS_root/mounts"
"""Where a job sees its cluster's shares."""

MOUNT_ROOTS = ("$AZ_BATCHAI_MOUNT_ROOT", "$AZ_BATCHAI_JOB_MOUNT_ROOT")

_SHARES_ONLY = "the model mounts file shares and file servers only"
_VOLUMES = ("azureBlobFileSystems", "unmanagedFileSystems")
REFUSED = {
    **{f"{owner}mountVolumes.{kind}": _SHARES_ONLY for owner in ("nodeSetup.", "") for kind in _VOLUMES},
}
"""Properties that the model refuses. It accepts ``maxWallClockTime``: no time passes, so none is exceeded."""


def read_body(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Check a body and fill it in, refusing what the model does not do."""
    for fault in unsupported(properties, REFUSED):
        raise NotSupported(fault.why, field=fault.path)
    check(kind, properties)
    return filled(properties, VALUES)


def priority_of(properties: Mapping[str, Any]) -> str:
    """Give a job's priority: ``high``, ``normal`` or ``low``."""
    return str(properties.get("schedulingPriority") or "normal")


def inputs_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """Give the input directories by id, as paths that the job sees."""
    return {
        str(entry["id"]): str(entry["path"]).replace("$AZ_BATCHAI_MOUNT_ROOT", MOUNT_ROOT).rstrip("/")
        for entry in properties.get("inputDirectories", ())
    }


def given_variables(properties: Mapping[str, Any]) -> dict[str, str]:
    """Give the environment variables that a body sets, secrets included."""
    entries = (*properties.get("environmentVariables", ()), *properties.get("secrets", ()))
    return {str(entry["name"]): str(entry.get("value", "")) for entry in entries}


def commands_of(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the job's commands in order, each with the property that holds it."""
    if properties.get("jobPreparation"):
        yield str(properties["jobPreparation"]["commandLine"]), "properties.jobPreparation.commandLine"
    toolkit = next(name for name in delivered().names if properties.get(name) is not None)
    settings = properties[toolkit]
    for key in ("commandLine", "pythonScriptFilePath", "configFilePath"):
        if key in settings:
            command = str(settings[key])
            name = command if key == "commandLine" else command.rpartition("/")[2]
            yield name, f"properties.{toolkit}.{key}"
            return
    raise InvalidSpec("names neither a command nor a script", field=f"properties.{toolkit}")


def addresses_of(properties: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the addresses of the job's nodes."""
    return tuple(f"10.0.0.{number}" for number in range(4, 4 + int(properties.get("nodeCount", 1))))


def processes_of(properties: Mapping[str, Any]) -> Sequence[Process]:
    """Give the job's processes, as its toolkit starts them with the settings that it fills in."""
    toolkits = delivered()
    name = next(name for name in toolkits.names if properties.get(name) is not None)
    settings = {key: value for key, value in properties[name].items() if value is not None}
    addresses = addresses_of(properties)
    toolkits[name].complete(settings, len(addresses))
    shared = PurePosixPath("/mnt/batch/tasks/shared/job")
    nodes = JobNodes(addresses, shared / "hosts", shared)
    common = toolkits[name].variables(settings, nodes)
    found = toolkits[name].processes(settings, nodes)
    return [replace(process, variables={**common, **process.variables}) for process in found]


def folders_of(
    properties: Mapping[str, Any], cluster: MemoryCluster, segment: str
) -> dict[str, tuple[str, str]]:
    """Find (share, folder) of each output directory, ``stdouterr`` among them."""
    mounts = {**cluster.shares, **mounted_shares(properties.get("mountVolumes", {}))}
    found = {}
    for place in (standard_output(properties), *output_places(properties)):
        share, folder = folder_of(place.prefix, mounts, place.prefix_property)
        found[place.id] = (share, f"{folder}/{place.below(segment)}".strip("/"))
    return found


def mounted_shares(volumes: Mapping[str, Any]) -> dict[str, str]:
    """Give the shares, and the disks of file servers, of ``mountVolumes`` by relative mount path."""
    return {
        str(volume["relativeMountPath"]).strip("/"): (
            str(volume["azureFileUrl"]).rstrip("/").rpartition("/")[2]
            if "azureFileUrl" in volume
            else disk_of(str(volume["fileServer"]["id"]))
        )
        for kind in ("azureFileShares", "fileServers")
        for volume in volumes.get(kind, ())
    }


def disk_of(server_id: str) -> str:
    """Name a file server's disk, which is kept beside the shares: no share has such a name."""
    return f"disk of {server_id.lower()}"


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
