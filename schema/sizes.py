"""What is known of virtual machine sizes: how many GPUs they had (Azure's tables of 2018 and 2019)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

GPUS: Mapping[str, int] = {
    **dict.fromkeys(["STANDARD_NC6", "STANDARD_NC6S_V2", "STANDARD_NC6S_V3"], 1),
    **dict.fromkeys(["STANDARD_NC12", "STANDARD_NC12S_V2", "STANDARD_NC12S_V3"], 2),
    **dict.fromkeys(["STANDARD_NC24", "STANDARD_NC24S_V2", "STANDARD_NC24S_V3"], 4),
    **dict.fromkeys(["STANDARD_NC24R", "STANDARD_NC24RS_V2", "STANDARD_NC24RS_V3"], 4),
    "STANDARD_ND6S": 1,
    "STANDARD_ND12S": 2,
    **dict.fromkeys(["STANDARD_ND24S", "STANDARD_ND24RS"], 4),
    "STANDARD_ND40S_V2": 8,
    **dict.fromkeys(["STANDARD_NV6", "STANDARD_NV6S_V2", "STANDARD_NV12S_V3"], 1),
    **dict.fromkeys(["STANDARD_NV12", "STANDARD_NV12S_V2", "STANDARD_NV24S_V3"], 2),
    **dict.fromkeys(["STANDARD_NV24", "STANDARD_NV24S_V2", "STANDARD_NV48S_V3"], 4),
}
"""GPUs of each size that had some, in upper case."""

_WITHOUT = re.compile(r"(STANDARD|BASIC)_(A|B|D|DC|DS|E|F|FS|G|GS|H|HB|HC|L|LS|M)\d+\w*(-\d+\w*)?")
"""Families of sizes that had no GPU."""


def gpus_of(size: str, more: Mapping[str, int] | None = None) -> int | None:
    """Tell how many GPUs a size had: 4 for ``STANDARD_NC24s_v2``, 0 for ``STANDARD_D2``, None if unknown.

    Args:
        size: The ``vmSize``, in any case.
        more: What a user knows of other sizes, in upper case; it comes first.
    """
    name = size.upper()
    known = {**GPUS, **(more or {})}
    if name in known:
        return known[name]
    return 0 if _WITHOUT.fullmatch(name) else None


def slots_of(size: str, own: int = 0) -> int:
    """Tell how many processes the host file gives to a node of a size: one for each GPU, at least one.

    Args:
        size: The ``vmSize``.
        own: GPUs that the node has, for sizes that are not known.

    On 8 nodes of STANDARD_NC24s_v2 ``mpirun`` without ``-np`` made 32 ranks (a user's saved output). What
    sizes without a GPU had is not known.
    """
    known = gpus_of(size)
    return max(1, own if known is None else known)
