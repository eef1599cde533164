"""Where the files of a job, and of a cluster's setup task, are on shares: the one place that says so.

Recorded, for every API version::

    <stdOutErrPathPrefix>/<segment>/stdouterr/      standard output and error
    <pathPrefix>/<segment>/outputs/<pathSuffix>/    an output directory

The older versions differ: see ``Layout``; and an output directory with ``createNew`` false is used as it
is, ``<pathPrefix>/<pathSuffix>/``.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

STDOUTERR = "stdouterr"
"""The id under which the service lists standard output and error."""


class Layout(str, Enum):
    """How folders are named; by the API version through which a resource was made (recorded).

    ``FLAT`` knows no workspaces and experiments. ``FIRST`` is that of the first version: besides,
    standard output has no folder of its own, and that of setup tasks none with a guid.
    """

    WORKSPACES = "workspaces"
    FLAT = "flat"
    FIRST = "first"


def job_segment(
    layout: Layout,
    *,
    subscription: str,
    group: str,
    workspace: str,
    experiment: str,
    job: str,
    guid: str,
) -> str:
    """Make ``jobOutputDirectoryPathSegment``."""
    inside = f"workspaces/{workspace}/experiments/{experiment}/" if layout is Layout.WORKSPACES else ""
    return f"{subscription}/{group.lower()}/{inside}jobs/{job}/{guid}"


def setup_suffix(
    layout: Layout, *, subscription: str, group: str, workspace: str, cluster: str, guid: str
) -> str:
    """Make the ``stdOutErrPathSuffix`` of a cluster's setup task."""
    inside = f"workspaces/{workspace}/" if layout is Layout.WORKSPACES else ""
    own = "" if layout is Layout.FIRST else f"/{guid}"
    return f"{subscription}/{group.lower()}/{inside}clusters/{cluster}{own}"


class OutputPlace(NamedTuple):
    """An output directory of a job.

    ``prefix`` and ``suffix`` stand in the body as ``prefix_property`` and ``suffix_property``; ``folder``
    is what the service puts between them, below the job's segment. ``in_segment`` False: it puts nothing.
    """

    id: str
    prefix: str
    prefix_property: str
    folder: str
    suffix: str = ""
    suffix_property: str = ""
    in_segment: bool = True

    def below(self, segment: str) -> str:
        """Give the path below the prefix."""
        parts = [segment, self.folder, self.suffix] if self.in_segment else [self.suffix]
        return "/".join(stripped for part in parts if (stripped := part.strip("/")))


def standard_output(job: Mapping[str, Any], layout: Layout = Layout.WORKSPACES) -> OutputPlace:
    """Find the place of a job's standard output."""
    prefix = str(job.get("stdOutErrPathPrefix") or "")
    folder = "" if layout is Layout.FIRST else STDOUTERR
    return OutputPlace(STDOUTERR, prefix, "properties.stdOutErrPathPrefix", folder)


def output_places(job: Mapping[str, Any]) -> list[OutputPlace]:
    """Find the places of a job's output directories, without its standard output."""
    return [
        OutputPlace(
            str(entry.get("id") or ""),
            str(entry.get("pathPrefix") or ""),
            f"properties.outputDirectories[{index}].pathPrefix",
            "outputs",
            str(entry.get("pathSuffix") or ""),
            f"properties.outputDirectories[{index}].pathSuffix",
            in_segment=bool(entry.get("createNew", True)),
        )
        for index, entry in enumerate(job.get("outputDirectories") or ())
    ]
