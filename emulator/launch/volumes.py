"""Where the volumes of clusters and jobs are mounted on a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from batchai_scenario.emulator.launch.layout import mount_targets
from batchai_scenario.emulator.launch.plan import CommandMount, Mount

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path, PurePosixPath

VolumeSource: TypeAlias = "Path | str"
"""What a volume is mounted from: a folder of this machine, or a command line that mounts it."""


def place_volumes(
    root: PurePosixPath, volumes: Sequence[tuple[str, VolumeSource]]
) -> list[Mount | CommandMount]:
    """Place volumes, each a relativeMountPath and what it is mounted from, below a mount root.

    Raises:
        ServiceError: a path climbs, or is there twice.
    """
    targets = mount_targets(root, [path for path, _ in volumes], "mountVolumes")
    return [
        CommandMount(source, target, path) if isinstance(source, str) else Mount(source, target)
        for (path, source), target in zip(volumes, targets, strict=True)
    ]


def outer_first(placed: Iterable[Mount | CommandMount]) -> tuple[tuple[Mount, ...], tuple[CommandMount, ...]]:
    """Part folders from commands, each with outer ones before those inside them."""
    ordered = sorted(placed, key=lambda mount: len(mount.target.parts))
    folders = tuple(mount for mount in ordered if isinstance(mount, Mount))
    return folders, tuple(mount for mount in ordered if isinstance(mount, CommandMount))
