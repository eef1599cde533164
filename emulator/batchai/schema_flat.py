"""Request bodies of the flat API versions, where they differ from 2018-05-01 (``schema``).

Known from: the models of SDK 0.2.0 and 1.0.1. ``March`` is 2018-03-01, ``Preview`` 2017-09-01-preview;
each class holds what its version has, so that a property of a later version is unknown in an older one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from batchai_scenario.schema import clusters, common, fileservers, jobs
from batchai_scenario.schema.body import Body, lower
from batchai_scenario.schema.names import SetupPath, Something, VariableName

_ENTITY = frozenset({"id", "name", "type"})


class FlatBody(Body):
    """What stands around ``properties``: the door reads location and tags."""

    read_only = _ENTITY
    location: Any = None
    tags: Any = None


class OutputDirectory(jobs.OutputDirectory):
    """``$AZ_BATCHAI_OUTPUT_<id>``; with ``createNew`` false the path is used as it is."""

    type: Annotated[Literal["model", "logs", "summary", "custom"], BeforeValidator(lower)] = "custom"
    create_new: bool = True


Outputs = Annotated[list[OutputDirectory], AfterValidator(common.different_ids)]


class Container(Body):
    """The container that a job runs in; it had no ``shmSize``."""

    image_source_registry: jobs.ImageSource


class FlatJob(jobs.JobCommon):
    """What both flat versions' jobs have."""

    experiment_name: str | None = None
    priority: int = Field(0, ge=-1000, le=1000)
    container_settings: Container | None = None  # type: ignore[assignment]  # narrower on purpose
    output_directories: Outputs | None = None  # type: ignore[assignment]  # wider on purpose


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


class FileServer(FlatBody):
    """Body of a file server's PUT."""

    properties: fileservers.FileServerProperties


class ClusterUpdateProperties(Body):
    """``properties`` of a cluster's PATCH."""

    scale_settings: clusters.Scale | None = None


class ClusterUpdate(FlatBody):
    """Body of a cluster's PATCH: scale settings, tags, or both."""

    properties: ClusterUpdateProperties = Field(default_factory=ClusterUpdateProperties)


class PreviewVariable(Body):
    """An environment variable; its value could be left out."""

    name: VariableName
    value: str = ""


class PreviewConstraints(jobs.Constraints):
    """Limits on a job; ``maxRetryCount`` was echoed as 0 and meant nothing else."""

    max_retry_count: Literal[0] = 0


class PreviewJobProperties(FlatJob):
    """``properties`` of a job's PUT: no volumes and no secrets of its own."""

    environment_variables: list[PreviewVariable] | None = None  # type: ignore[assignment]
    constraints: PreviewConstraints = Field(default_factory=PreviewConstraints)


class PreviewJob(FlatBody):
    """Body of a job's PUT."""

    properties: PreviewJobProperties


class PreviewSetupTask(Body):
    """A command that prepares each node; it had no secrets."""

    command_line: Something
    environment_variables: list[PreviewVariable] | None = None
    run_elevated: bool = False
    std_out_err_path_prefix: SetupPath


class PreviewNodeSetup(Body):
    """What is done to each node before it is idle."""

    setup_task: PreviewSetupTask | None = None
    mount_volumes: common.MountVolumes | None = None


class PreviewImageReference(Body):
    """A virtual machine's image."""

    publisher: str
    offer: str
    sku: str
    version: str = "latest"


class PreviewVirtualMachine(Body):
    """What a node is installed with."""

    image_reference: PreviewImageReference | None = None


class PreviewClusterProperties(clusters.ClusterProperties):
    """``properties`` of a cluster's PUT."""

    node_setup: PreviewNodeSetup | None = None  # type: ignore[assignment]  # narrower on purpose
    virtual_machine_configuration: PreviewVirtualMachine | None = None  # type: ignore[assignment]


class PreviewCluster(FlatBody):
    """Body of a cluster's PUT."""

    properties: PreviewClusterProperties


class PreviewDataDisks(fileservers.DataDisks):
    """The disks of a file server; ``cachingType`` was read-only."""

    read_only = frozenset({"cachingtype"})


class PreviewFileServerProperties(fileservers.FileServerProperties):
    """``properties`` of a file server's PUT."""

    data_disks: PreviewDataDisks


class PreviewFileServer(FlatBody):
    """Body of a file server's PUT."""

    properties: PreviewFileServerProperties
