"""What is known of virtual machine sizes: how many GPUs they had (Azure's tables of 2018 and 2019)."""

from __future__ import annotations

import re

_GPU_SIZE = re.compile(r"STANDARD_(NC|ND|NV)(\d+)[A-Z]*(?:_V\d)?", re.IGNORECASE)
_CORES_FOR_ONE = 6  # NC6, NC12, NC24 and their like; ND40s_v2, with 8 for 40 cores, is the exception
_EXCEPTIONS = {40: 8}


def gpus_of(size: str) -> int:
    """Tell how many GPUs a size had: 4 for ``STANDARD_NC24s_v2``, 0 for ``STANDARD_D2``."""
    found = _GPU_SIZE.fullmatch(size)
    if found is None:
        return 0
    cores = int(found[2])
    return _EXCEPTIONS.get(cores, cores // _CORES_FOR_ONE)


def slots_of(size: str) -> int:
    """Tell how many processes the host file gives to a node of a size: one for each GPU, at least one.

    On 8 nodes of STANDARD_NC24s_v2 ``mpirun`` without ``-np`` made 32 ranks (a user's saved output). What
    sizes without a GPU had is not known.
    """
    return max(1, gpus_of(size))
