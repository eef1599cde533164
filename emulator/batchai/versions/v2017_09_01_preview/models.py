"""Request bodies of 2017-09-01-preview, where they differ from 2018-03-01 (models of SDK 0.2.0)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from batchai_scenario.emulator.batchai.versions.v2018_03_01 import models as newer
from batchai_scenario.schema import clusters, common, fileservers, jobs
from batchai_scenario.schema.body import Body
from batchai_scenario.schema.names import MountPath, SetupPath, ShareUrl, Something, VariableName


class PreviewVariable(Body):
    """An environment variable; its value could be left out."""

    name: VariableName
    value: str = ""


class PreviewConstraints(jobs.Constraints):
    """Limits on a job; ``maxRetryCount`` was echoed as 0 and meant nothing else."""

    max_retry_count: Literal[0] = 0


class PreviewJobProperties(newer.FlatJob):
    """``properties`` of a job's PUT: no volumes and no secrets of its own."""

    environment_variables: list[PreviewVariable] | None = None  # type: ignore[assignment]
    constraints: PreviewConstraints = Field(default_factory=PreviewConstraints)


class PreviewJob(newer.FlatBody):
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


class PreviewCluster(newer.FlatBody):
    """Body of a cluster's PUT."""

    properties: PreviewClusterProperties


class FirstFileShare(Body):
    """An Azure file share to mount, as SDK 0.1.0 wrote it."""

    account_name: str
    azure_file_url: ShareUrl
    credentials_info: common.StorageCredentials
    relative_mount_path: MountPath
    file_mode: str = "0777"
    directory_mode: str = "0777"


class FirstBlobFileSystem(Body):
    """A blob container to mount, as SDK 0.1.0 wrote it."""

    account_name: str
    container_name: Something
    credentials_info: common.StorageCredentials
    relative_mount_path: MountPath
    mount_options: str | None = None


class FirstMountVolumes(common.MountVolumes):
    """Volumes of a cluster, as SDK 0.1.0 wrote them."""

    azure_file_shares: list[FirstFileShare] | None = None  # type: ignore[assignment]
    azure_blob_file_systems: list[FirstBlobFileSystem] | None = None  # type: ignore[assignment]


class FirstNodeSetup(PreviewNodeSetup):
    """What is done to each node before it is idle."""

    mount_volumes: FirstMountVolumes | None = None


class FirstClusterProperties(PreviewClusterProperties):
    """``properties`` of a cluster's PUT."""

    node_setup: FirstNodeSetup | None = None


class FirstCluster(newer.FlatBody):
    """Body of a cluster's PUT, as SDK 0.1.0 wrote it: ``credentialsInfo`` of volumes."""

    properties: FirstClusterProperties


class PreviewDataDisks(fileservers.DataDisks):
    """The disks of a file server; ``cachingType`` was read-only."""

    read_only = frozenset({"cachingtype"})


class PreviewFileServerProperties(fileservers.FileServerProperties):
    """``properties`` of a file server's PUT."""

    data_disks: PreviewDataDisks


class PreviewFileServer(newer.FlatBody):
    """Body of a file server's PUT."""

    properties: PreviewFileServerProperties
