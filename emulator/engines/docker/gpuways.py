"""How a Docker engine could give GPUs to containers, as it describes itself: by NVIDIA's runtime, or by CDI.

CDI devices stand in ``DiscoveredDevices`` from API 1.50; before, the engine tells the folders of their
specifications (``CDISpecDirs``), which are read here: an engine on another machine then seems to have none.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KIND = "nvidia.com/gpu"
ALL = "all"
"""The device that stands for all GPUs, in both ways."""


@dataclass(frozen=True, slots=True)
class GpuWay:
    """A way to give GPUs to a container: ``runtime`` or ``cdi``.

    ``devices``: their names; only ``all`` where the engine does not tell them one by one. ``mark`` changes
    when what stands behind the names does.
    """

    kind: str
    devices: tuple[str, ...]
    mark: str = ""

    @property
    def how(self) -> str:
        """Say in words which way it is."""
        return "by CDI" if self.kind == "cdi" else "by the nvidia runtime"

    def request(self, devices: Sequence[str]) -> Any:  # noqa: ANN401 - docker's own type
        """Give docker's request for some of the devices."""
        from docker.types import DeviceRequest

        if self.kind == "cdi":
            return DeviceRequest(driver="cdi", device_ids=[f"{KIND}={device}" for device in devices])
        kinds = [["gpu", "compute", "utility"]]
        if list(devices) == [ALL]:
            return DeviceRequest(count=-1, capabilities=kinds)
        return DeviceRequest(device_ids=list(devices), capabilities=kinds)


def ways_of(info: Mapping[str, Any], machine: Sequence[str] = ()) -> list[GpuWay]:
    """List the ways in which an engine says that it could give GPUs, in the order in which they are tried.

    Args:
        info: the engine's description of itself.
        machine: the indices of the GPUs that the driver of this machine lists.
    """
    ways = []
    if "nvidia" in (info.get("Runtimes") or {}):
        ways.append(GpuWay("runtime", tuple(machine) or (ALL,)))
    names, mark = _discovered(info) if info.get("DiscoveredDevices") else _specified(info)
    if names:
        ways.append(GpuWay("cdi", _one_by_one(names), mark))
    return ways


def why_none(info: Mapping[str, Any]) -> str:
    """Say why an engine could give no GPU."""
    if info.get("CDISpecDirs"):
        folders = ", ".join(map(str, info["CDISpecDirs"]))
        return f"the engine has no runtime 'nvidia', and no CDI specification of {KIND} is in {folders}"
    return "the engine has no runtime 'nvidia', and CDI is not switched on"


REMEDY = (
    "Install NVIDIA's driver and container toolkit, then run 'sudo nvidia-ctk runtime configure', or 'sudo "
    'nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml\' with {"features": {"cdi": true}} in '
    "/etc/docker/daemon.json; then restart Docker. Or run on the CPU with '--gpus none'."
)


def _discovered(info: Mapping[str, Any]) -> tuple[list[str], str]:
    ids = [str(item.get("ID", "")) for item in info["DiscoveredDevices"] if item.get("Source") == "cdi"]
    names = [name.partition("=")[2] for name in ids if name.startswith(f"{KIND}=")]
    return names, _digest("\n".join(names))


def _specified(info: Mapping[str, Any]) -> tuple[list[str], str]:
    names: list[str] = []
    texts = ""
    for folder in info.get("CDISpecDirs") or ():
        for file in sorted(Path(str(folder)).glob("*")):
            if file.suffix not in (".json", ".yaml", ".yml"):
                continue
            try:
                text = file.read_text(encoding="utf-8")
                spec = _read(file, text)
                if spec.get("kind") == KIND:
                    names += [str(device["name"]) for device in spec.get("devices") or ()]
                    texts += text
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # the engine says that it cannot be used, in its own log
    return list(dict.fromkeys(names)), _digest(texts)


def _read(file: Path, text: str) -> Mapping[str, Any]:
    if file.suffix == ".json":
        found: Mapping[str, Any] = json.loads(text)
        return found
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    return found


def _one_by_one(names: Sequence[str]) -> tuple[str, ...]:
    """Choose the names of single GPUs: a specification may have each by index and by UUID, and all."""
    single = [name for name in names if name != ALL]
    indices = sorted((name for name in single if name.isdecimal()), key=int)
    return tuple(indices or sorted(single)) or (ALL,)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
