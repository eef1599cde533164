"""Whether an image's CUDA knows the architecture of a GPU."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from batchai_scenario.emulator.engines.gpu import Gpu

_KNOWS: tuple[tuple[tuple[int, int], tuple[int, int]], ...] = (
    ((13, 0), (12, 1)),
    ((12, 9), (12, 1)),
    ((12, 8), (12, 0)),
    ((11, 8), (9, 0)),
    ((11, 5), (8, 7)),
    ((11, 1), (8, 6)),
    ((11, 0), (8, 0)),
    ((10, 0), (7, 5)),
    ((9, 0), (7, 2)),
    ((8, 0), (6, 2)),
    ((7, 5), (5, 3)),
    ((0, 0), (5, 2)),
)
"""From which CUDA on which compute capability is the highest that is known (NVIDIA's release notes)."""

_TAG = re.compile(r"cuda[-_]?(\d+)\.?(\d*)", re.IGNORECASE)
_VERSION = re.compile(r"(\d+)\.(\d+)")


def cuda_of(inspected: Mapping[str, Any], names: Iterable[str]) -> tuple[int, int] | None:
    """Tell which CUDA an image has: by its variable ``CUDA_VERSION``, its label, or one of its names."""
    config = inspected.get("Config") or {}
    variables = dict(text.partition("=")[::2] for text in config.get("Env") or ())
    label = (config.get("Labels") or {}).get("com.nvidia.cuda.version", "")
    for text in (variables.get("CUDA_VERSION", ""), str(label)):
        found = _VERSION.match(text)
        if found:
            return int(found[1]), int(found[2])
    for name in names:
        found = _TAG.search(name.rpartition(":")[2])
        if found:
            return _of_tag(found[1], found[2])
    return None


def _of_tag(whole: str, part: str) -> tuple[int, int]:
    """Read ``cuda8.0``, ``cuda9`` and ``cuda90``."""
    if not part and len(whole) > 1 and int(whole) > _KNOWS[0][0][0]:
        return int(whole[:-1]), int(whole[-1])
    return int(whole), int(part or 0)


def too_old(cuda: tuple[int, int] | None, gpus: Iterable[Gpu]) -> str:
    """Say that an image's CUDA is older than a GPU's architecture, and what to do; empty if it is not."""
    if cuda is None:
        return ""
    knows = next(highest for first, highest in _KNOWS if cuda >= first)
    for gpu in gpus:
        found = _VERSION.fullmatch(gpu.capability)
        if not found:
            continue
        capability = int(found[1]), int(found[2])
        if capability > knows:
            enough = min((first for first, highest in _KNOWS if highest >= capability), default=_KNOWS[0][0])
            return (
                f"the image's CUDA {_dotted(cuda)} knows GPUs up to compute capability {_dotted(knows)}, and "
                f"{gpu.name or 'this one'} has {_dotted(capability)}: what the job computes may fail, or be "
                f"compiled for many minutes first; take an image with CUDA {_dotted(enough)} or newer, or "
                "'--gpus none'"
            )
    return ""


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
