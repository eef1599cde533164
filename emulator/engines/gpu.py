"""Whether a task gets GPUs: ``auto`` and ``shared`` take what is there and say so, ``required`` insists."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import EngineUnavailable, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.emulator.launch.plan import GpuMode

_SECONDS = 20.0
_QUERY = ("--query-gpu=index,uuid,name,compute_cap,driver_version", "--format=csv,noheader")
_LISTED = re.compile(r"GPU (\d+): (.*) \(UUID: (.*)\)")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as the driver knows it; ``capability`` is CUDA's compute capability, empty if it is not told."""

    index: str
    name: str = ""
    uuid: str = ""
    capability: str = ""
    driver: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a task really finds: its GPUs, or why there are none.

    ``how`` says in words how it gets them, ``request`` is what its container asks the engine for.
    """

    gpus: tuple[Gpu, ...] = ()
    how: str = ""
    why: str = ""
    remedy: str = ""
    request: Any = None


def decide_gpus(mode: GpuMode, prove: Callable[[], Proof], announce: Callable[[str], None]) -> Proof:
    """Decide which GPUs a task gets; ``prove`` tells which it could have, and gives that back.

    Raises:
        EngineUnavailable: mode ``required``, and there is none.
    """
    if mode == "none":
        return Proof()
    proof = prove()
    if proof.gpus:
        names = ", ".join(dict.fromkeys(gpu.name for gpu in proof.gpus if gpu.name))
        about = ", ".join(text for text in (names, proof.how) if text)
        announce(f"gpus: the job has {len(proof.gpus)}" + (f" ({about})" if about else ""))
    elif mode == "required":
        text = "The job requires a GPU and its node has none"
        problem = Problem("InternalError", f"{text}: {proof.why}." if proof.why else f"{text}.")
        raise EngineUnavailable(problem, proof.remedy or _REMEDY)
    else:
        why = f" ({proof.why})" if proof.why else ""
        announce(f"gpus: none was found{why}; the job runs on the CPU")
    return proof


_REMEDY = (
    "Install the driver and, for Docker, the NVIDIA container toolkit; or run on the CPU with '--gpus none'."
)


def read_listed(text: str) -> list[Gpu]:
    """Read the output of ``nvidia-smi -L``."""
    found = (_LISTED.match(line) for line in text.splitlines())
    return [Gpu(match[1], match[2], match[3]) for match in found if match]


def read_queried(text: str) -> list[Gpu]:
    """Read the output of ``nvidia-smi`` with the query of ``machine_gpus``."""
    rows = ([cell.strip() for cell in line.split(",")] for line in text.splitlines())
    return [
        Gpu(index, name, uuid, capability, driver)
        for index, uuid, name, capability, driver in (row for row in rows if len(row) == 5)  # noqa: PLR2004
        if index.isdecimal()
    ]


LIST = f"nvidia-smi {' '.join(_QUERY)} 2>/dev/null || nvidia-smi -L"
"""A line for a shell that lists GPUs: drivers of long ago know no ``compute_cap``."""


def read_gpus(text: str) -> tuple[Gpu, ...]:
    """Read what ``LIST`` printed."""
    return tuple(read_queried(text) or read_listed(text))


def machine_gpus() -> tuple[Gpu, ...]:
    """List the GPUs of this machine, as its driver does."""
    if shutil.which("nvidia-smi") is None:
        return ()
    try:
        listed = subprocess.run(
            ["/bin/sh", "-c", LIST], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return read_gpus(listed.stdout) if listed.returncode == 0 else ()
