"""Where things are on a node: the node agent's tree, mounts, temporary folders, output directories.

Every path here is a path as the job sees it. The tree is the service's own (error texts of the live
service and its documentation of environment variables show it)::

    /mnt/batch/tasks/shared/LS_root/
        mounts/<relativeMountPath>                                   cluster-level mounts
        jobs/<workspace>/<experiment>/<job>/                         the job's temporary folder
        jobs/<workspace>/<experiment>/<job>/shared/                  ... shared by the job's nodes
        jobs/<workspace>/<experiment>/<job>/mounts/<relativeMountPath>   job-level mounts

The temporary folder of jobs that were made through an older API version is ``jobs/<job>/``: there were no
workspaces (documentation of early 2018). Output directories: ``schema.layout``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.schema.layout import STDOUTERR, OutputPlace, output_places, standard_output
from batchai_scenario.schema.older import older_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batchai_scenario.emulator.launch.plan import CommandMount, Mount

NODE_ROOT = PurePosixPath("/mnt/batch/tasks/shared/LS_root")
"""The node agent's tree on the service; an engine that cannot give this path says so in its NodePlace."""

NODE_TREE = "LS_root"
"""The folder of a node's local disk that stands for the node agent's tree."""

SHARED = "shared"
"""The folder of the master's local disk for what the nodes of its jobs share."""

AnyMount = TypeVar("AnyMount", bound="Mount | CommandMount")

_NOT_IN_HOST_NAME = re.compile(r"[^A-Za-z0-9-]+")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


@dataclass(frozen=True, slots=True)
class JobLayout:
    """The fixed paths of one job on a node.

    ``root`` is the node agent's tree (``NodePlace.root``), by default the service's own.
    """

    workspace: str
    experiment: str
    job: str
    root: PurePosixPath = NODE_ROOT

    @classmethod
    def of(
        cls,
        definition: Mapping[str, Any],
        workspace: str,
        experiment: str,
        job: str,
        root: PurePosixPath = NODE_ROOT,
    ) -> JobLayout:
        """Lay out a job; one of a flat API version stands in no workspace's folder."""
        flat = older_fields(definition).made_so
        return cls("" if flat else workspace, "" if flat else experiment, job, root)

    @property
    def mount_root(self) -> PurePosixPath:
        """Root of cluster-level mounts: ``AZ_BATCHAI_MOUNT_ROOT``."""
        return mount_root(self.root)

    @property
    def job_temp(self) -> PurePosixPath:
        """The job's temporary folder on the node's disk: ``AZ_BATCHAI_JOB_TEMP``."""
        return self.root / "jobs" / self.workspace / self.experiment / self.job

    @property
    def job_mount_root(self) -> PurePosixPath:
        """Root of job-level mounts: ``AZ_BATCHAI_JOB_MOUNT_ROOT``."""
        return self.job_temp / "mounts"

    @property
    def shared_temp(self) -> PurePosixPath:
        """The temporary folder that all nodes of the job share: ``AZ_BATCHAI_SHARED_JOB_TEMP``."""
        return self.job_temp / "shared"

    @property
    def host_file(self) -> PurePosixPath:
        """OpenMPI's list of hosts: ``AZ_BATCHAI_MPI_HOST_FILE``."""
        return self.job_temp / "hostfile"

    @property
    def door(self) -> PurePosixPath:
        """The folder through which the nodes of a job reach one another; ours, the service had none."""
        return self.root / "door"

    def variables(self) -> dict[str, str]:
        """Give the variables that paths in a job's definition may refer to."""
        return {
            "AZ_BATCHAI_MOUNT_ROOT": str(self.mount_root),
            "AZ_BATCHAI_JOB_MOUNT_ROOT": str(self.job_mount_root),
            "AZ_BATCHAI_JOB_TEMP": str(self.job_temp),
            # Documented twice, differently: as the root of all jobs' folders and (CLI) as the job's own.
            # Our decision is the job's own: whoever writes below it finds a folder that is there.
            "AZ_BATCHAI_JOB_TEMP_DIR": str(self.job_temp),
            "AZ_BATCHAI_SHARED_JOB_TEMP": str(self.shared_temp),
            "AZ_BATCHAI_MPI_HOST_FILE": str(self.host_file),
        }


def mount_root(root: PurePosixPath = NODE_ROOT) -> PurePosixPath:
    """Give the root of cluster-level mounts below a node agent's tree."""
    return root / "mounts"


def host_name(node: str) -> str:
    """Give the host name of a node: its id in the letters that host names may have."""
    return _NOT_IN_HOST_NAME.sub("-", node)[:63].strip("-") or "node"


def refuse(target: str, message: str) -> ServiceError:
    """Make the answer to a definition that cannot be planned; ``target`` is the property's path."""
    return ServiceError(400, "InvalidPropertyValue", f"{target}: {message}", target=target)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Put values in the place of ``$NAME`` and ``${NAME}``; unknown names are left as they stand."""
    return _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], found[0]), text)


def node_path(text: str, variables: Mapping[str, str], target: str) -> PurePosixPath:
    """Make a definition's path (``$AZ_BATCHAI_MOUNT_ROOT/share/folder/``) into a node path.

    Raises:
        ServiceError: names ``target`` if the path is not absolute once its variables are known, holds an
            unknown variable or a control character, or climbs (``..``).
    """
    path = expand(text, variables)
    unknown = _VARIABLE.search(path)
    if unknown:
        raise refuse(target, f"the variable {unknown[0]} is not known on the node")
    if not path.startswith("/"):
        raise refuse(target, f"'{text}' is not an absolute path on the node")
    return PurePosixPath("/", *_parts(path, target))


def relative_path(text: str, target: str, *, required: bool = False) -> PurePosixPath:
    """Read a path suffix or a relativeMountPath; it must stay below what it is relative to.

    Raises:
        ServiceError: names ``target`` if it is absolute, climbs (``..``), or is empty although required.
    """
    if text.startswith("/"):
        raise refuse(target, f"'{text}' must be a relative path")
    parts = _parts(text, target)
    if required and not parts:
        raise refuse(target, "the path is empty")
    return PurePosixPath(*parts)


def _parts(text: str, target: str) -> list[str]:
    if any(ord(letter) < ord(" ") for letter in text):
        raise refuse(target, "the path holds a control character")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refuse(target, f"'{text}' climbs out with '..'")
    return parts


def stdouterr_directory(
    definition: Mapping[str, Any], segment: str, variables: Mapping[str, str]
) -> PurePosixPath:
    """Give the folder of standard output."""
    return _located(standard_output(definition, older_fields(definition).layout), segment, variables)


def output_directory(
    definition: Mapping[str, Any],
    segment: str,
    directory_id: str,
    layout: JobLayout,
) -> PurePosixPath:
    """Give the node path of an output directory id (in any case: recorded), or of ``stdouterr``.

    Raises:
        KeyError: if the job has no output directory of that id.
        ServiceError: if its path cannot be one.
    """
    variables = layout.variables()
    wanted = directory_id.lower()
    if wanted == STDOUTERR:
        return stdouterr_directory(definition, segment, variables)
    for place in output_places(definition):
        if place.id.lower() == wanted:
            return _located(place, segment, variables)
    raise KeyError(directory_id)


def output_directories(
    definition: Mapping[str, Any], segment: str, layout: JobLayout
) -> dict[str, PurePosixPath]:
    """Give every output directory's node path by its id, without ``stdouterr``."""
    variables = layout.variables()
    return {place.id: _located(place, segment, variables) for place in output_places(definition)}


def _located(place: OutputPlace, segment: str, variables: Mapping[str, str]) -> PurePosixPath:
    prefix = node_path(place.prefix, variables, place.prefix_property)
    suffix = relative_path(place.suffix, place.suffix_property)
    if not place.in_segment:
        return prefix / suffix
    return prefix / relative_path(segment, "jobOutputDirectoryPathSegment") / place.folder / suffix


def mount_targets(root: PurePosixPath, relative_paths: Iterable[str], target: str) -> list[PurePosixPath]:
    """Give the node path of each relativeMountPath below a mount root, in the same order.

    Raises:
        ServiceError: names ``target[i].relativeMountPath`` if it is empty, climbs, or is there twice.
    """
    targets: list[PurePosixPath] = []
    for index, text in enumerate(relative_paths):
        name = f"{target}[{index}].relativeMountPath"
        path = root / relative_path(text, name, required=True)
        if path in targets:
            raise refuse(name, f"'{text}' is used by another mount")
        targets.append(path)
    return targets


def locate_index(path: PurePosixPath, targets: Sequence[PurePosixPath]) -> tuple[int, PurePosixPath] | None:
    """Find which of the mounted paths holds ``path``: its index, and the path relative to it.

    The deepest mount wins, as it does on the node. None: the path is on no mount.
    """
    holding = [index for index, target in enumerate(targets) if path.is_relative_to(target)]
    if not holding:
        return None
    best = max(holding, key=lambda index: len(targets[index].parts))
    return best, path.relative_to(targets[best])


def locate(path: PurePosixPath, mounts: Sequence[AnyMount]) -> tuple[AnyMount, PurePosixPath] | None:
    """Find the mount that holds a node path, and the path relative to it; None if there is none."""
    found = locate_index(path, [mount.target for mount in mounts])
    return (mounts[found[0]], found[1]) if found else None
