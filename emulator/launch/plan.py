"""The launch plan: what runs on which node, as plain values. Whoever holds one can run it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path, PurePosixPath

GpuMode = Literal["auto", "none", "required", "shared"]


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of this machine and the absolute path under which the job sees it."""

    source: Path
    target: PurePosixPath


@dataclass(frozen=True, slots=True)
class CommandMount:
    """What the user's own command mounts, and the absolute path under which the job sees it.

    ``command``: a line for the shell, to which the path is added; it may hold a secret. ``name``: the
    ``relativeMountPath``, by which it is told of.
    """

    command: str = field(repr=False)
    target: PurePosixPath
    name: str


@dataclass(frozen=True, slots=True)
class Step:
    """A command line for the node's shell, and the files (paths as the job sees them) for its streams."""

    command: str
    stdout: PurePosixPath
    stderr: PurePosixPath


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """The image that the job named, as it was named on Azure; ``shm_size`` is docker's own notation."""

    reference: str
    server: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    shm_size: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One node of a job of several: its id, its address, and the host name that its peers know it by."""

    node: str
    address: str
    name: str


@dataclass(frozen=True, slots=True)
class Gang:
    """A job of several nodes, as one of them sees it.

    ``members``: all its nodes, the master first. ``index``: which of them this one is. ``source``: the folder
    of this machine that they share; its ``door`` is mounted at ``door`` on every node.
    """

    members: tuple[Member, ...]
    index: int
    source: Path
    door: PurePosixPath


@dataclass(frozen=True, slots=True)
class NodeTask:
    """What one node does for a job: mounts, directories, environment, preparation, then the main step.

    ``id``: unique for ever, ``[a-z0-9-]{1,63}``. Paths are as the job sees them. ``directories`` are
    created before the first step, then ``files`` (path and text). ``environment`` holds everything,
    secrets included, and never shows in a repr. ``node_image`` stands for the node's own system where the
    job names no image; ``environment_program`` makes the toolkit's environment where there is no container
    engine. ``gang`` is set if the job has several nodes: the first's ``main`` waits until all are prepared;
    those whose ``main`` is None serve it until they are stopped, and have then ended well. ``commands``
    mount what no folder of this machine stands for.
    """

    id: str
    cluster: str
    node: str
    toolkit: str
    node_image: str
    environment_program: Path | None
    image: ImageRequest | None
    mounts: tuple[Mount, ...]
    directories: tuple[PurePosixPath, ...]
    working_directory: PurePosixPath
    environment: Mapping[str, str] = field(repr=False)
    preparation: Step | None
    main: Step | None
    gpus: GpuMode = "auto"
    files: tuple[tuple[PurePosixPath, str], ...] = ()
    gang: Gang | None = None
    commands: tuple[CommandMount, ...] = ()


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """A job's node tasks: always a list, also when it has one entry. The first is the master's."""

    tasks: tuple[NodeTask, ...]
