"""File systems that users' own commands mount: what is said of those that cannot be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchai_scenario.emulator.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

CODE = "UnmanagedMountError"
"""Our decision: what the service said is not known."""

_SECRET = re.compile(r"(?i)(?:pass\w*|secret|key)=([^\s,'\"]+)")


def not_mounted(names: Iterable[str], said: str, commands: str) -> Problem:
    """Say that a file system cannot be mounted.

    Args:
        names: the ``relativeMountPath`` of those that may be meant.
        said: what the command, or who mounted in its stead, said.
        commands: the command lines; what they hold of passwords is not repeated.
    """
    for secret in _SECRET.findall(commands):
        said = said.replace(secret, "***")
    where = " or ".join(f"'{name}'" for name in names)
    text = f"Unable to mount unmanaged file system {where} by its mountCommand: {' '.join(said.split())}"
    return Problem(CODE, text)
