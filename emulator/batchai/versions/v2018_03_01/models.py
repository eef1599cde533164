"""Request bodies of 2018-03-01, where they differ from the newest (``schema``).

Known from the models of SDK 1.0.1. A class holds what the version has, so that a property of a later version
is unknown. ``Flat...`` is what the older flat version has too.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from batchai_scenario.schema import clusters, common, fileservers, jobs
from batchai_scenario.schema.body import Body, lower

_ENTITY = frozenset({"id", "name", "type"})


class FlatBody(Body):
    """What stands around ``properties``: the door reads location and tags."""

    read_only = _ENTITY
    location: Any = None
    tags: Any = None


class FlatOutputDirectory(jobs.OutputDirectory):
    """``$AZ_BATCHAI_OUTPUT_<id>``; with ``createNew`` false the path is used as it is."""

    type: Annotated[Literal["model", "logs", "summary", "custom"], BeforeValidator(lower)] = "custom"
    create_new: bool = True


FlatOutputs = Annotated[list[FlatOutputDirectory], AfterValidator(common.different_ids)]


class Container(Body):
    """The container that a job runs in; it had no ``shmSize``."""

    image_source_registry: jobs.ImageSource


class FlatJob(jobs.JobCommon):
    """What both flat versions' jobs have."""

    experiment_name: str | None = None
    priority: int = Field(0, ge=-1000, le=1000)
    container_settings: Container | None = None  # type: ignore[assignment]  # narrower on purpose
    output_directories: FlatOutputs | None = None  # type: ignore[assignment]  # wider on purpose


class MarchJobProperties(FlatJob):
    """``properties`` of a job's PUT."""

    mount_volumes: common.MountVolumes | None = None
    secrets: list[common.SecretVariable] | None = None


class MarchJob(FlatBody):
    """Body of a job's PUT."""

    properties: MarchJobProperties


class MarchSetupTask(clusters.SetupTask):
    """A command that prepares each node."""

    run_elevated: bool = False


class MarchNodeSetup(clusters.NodeSetup):
    """What is done to each node before it is idle."""

    setup_task: MarchSetupTask | None = None


class MarchClusterProperties(clusters.ClusterProperties):
    """``properties`` of a cluster's PUT."""

    node_setup: MarchNodeSetup | None = None


class MarchCluster(FlatBody):
    """Body of a cluster's PUT."""

    properties: MarchClusterProperties


class FlatFileServer(FlatBody):
    """Body of a file server's PUT."""

    properties: fileservers.FileServerProperties


class FlatClusterUpdateProperties(Body):
    """``properties`` of a cluster's PATCH."""

    scale_settings: clusters.Scale | None = None


class FlatClusterUpdate(FlatBody):
    """Body of a cluster's PATCH: scale settings, tags, or both."""

    properties: FlatClusterUpdateProperties = Field(default_factory=FlatClusterUpdateProperties)
