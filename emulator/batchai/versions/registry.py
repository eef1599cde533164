"""The API versions that there are: found by their folders, so that adding one touches nothing else."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.batchai.versions.base import ApiVersion, NestedVersion


def versions_in(folder: Path, package: str) -> dict[str, ApiVersion]:
    """Import the API versions whose folders lie in ``folder``, the package ``package``; the newest first."""
    names = [file.parent.name for file in folder.glob("v*/version.py")]
    found = [cast("ApiVersion", import_module(f"{package}.{name}.version")) for name in names]
    return {version.VERSION: version for version in sorted(found, key=lambda it: it.VERSION, reverse=True)}


@cache
def delivered() -> Mapping[str, ApiVersion]:
    """Give the API versions of this package by their names, the newest first."""
    return versions_in(Path(__file__).parent, __package__)


def version_of(request: ArmRequest) -> ApiVersion:
    """Give the API version that a request asked for: only those that are here pass the manager."""
    return delivered()[request.api_version]


def nested_version_of(request: ArmRequest) -> NestedVersion:
    """Give the same for a request about workspaces or experiments, which flat versions do not pass."""
    return cast("NestedVersion", version_of(request))
