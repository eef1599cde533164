"""Whether a task gets GPUs: ``auto`` takes what is there and says so, ``none`` none, ``required`` insists."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import EngineUnavailable, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.emulator.launch.plan import GpuMode

_SECONDS = 20.0


def decide_gpus(mode: GpuMode, count_gpus: Callable[[], int], announce: Callable[[str], None]) -> int:
    """Decide how many GPUs a task gets; ``count_gpus`` proves how many it could have.

    Raises:
        EngineUnavailable: mode ``required``, and there is none.
    """
    if mode == "none":
        return 0
    count = count_gpus()
    if count:
        announce(f"gpus: the job has {count}")
    elif mode == "required":
        problem = Problem("InternalError", "The job requires a GPU and this machine offers none.")
        raise EngineUnavailable(
            problem,
            "Install the driver and, for Docker, the NVIDIA container toolkit; or run on the CPU with "
            "'--gpus none'.",
        )
    else:
        announce("gpus: none was found; the job runs on the CPU")
    return count


def count_listed(text: str) -> int:
    """Count the GPUs in the output of ``nvidia-smi -L``."""
    return sum(line.startswith("GPU ") for line in text.splitlines())


def machine_gpus() -> int:
    """Count the GPUs of this machine, as its driver lists them."""
    if shutil.which("nvidia-smi") is None:
        return 0
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return count_listed(listed.stdout) if listed.returncode == 0 else 0


def engine_offers_gpus(info: Mapping[str, Any]) -> bool:
    """Tell from the engine's own description whether it could give GPUs to containers."""
    if "nvidia" in (info.get("Runtimes") or {}):
        return True
    devices = info.get("DiscoveredDevices") or ()
    return any("nvidia.com/gpu" in str(device.get("ID", "")) for device in devices)
