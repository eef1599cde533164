"""Request bodies of api-version 2018-05-01, as pydantic models: what may be written, and what is filled in.

Everything that the service knew is here, also what the emulator does not do yet (``limits`` refuses
that by name). Known from: SDK 2.0.0's models, the service's published job and cluster schemas, and
recorded traffic for the defaults. What the settings of a toolkit may say stands in its own folder.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model
from pydantic.alias_generators import to_snake

from batchai_scenario.schema.body import Body, lower

if TYPE_CHECKING:
    from batchai_scenario.training.toolkits.registry import Toolkits

_ENTITY = frozenset({"id", "name", "type"})
_PROVISIONING = frozenset({"creationtime", "provisioningstate", "provisioningstatetransitiontime"})


class ResourceId(Body):
    """A reference to another resource."""

    id: str


class SecretReference(Body):
    """A secret in a key vault."""

    source_vault: ResourceId
    secret_url: str


class StorageCredentials(Body):
    """A storage account's key, or where it is kept."""

    account_key: str | None = None
    account_key_secret_reference: SecretReference | None = None


class AzureFileShare(Body):
    """An Azure file share to mount."""

    account_name: str
    azure_file_url: str
    credentials: StorageCredentials
    relative_mount_path: str
    file_mode: str = "0777"
    directory_mode: str = "0777"


class AzureBlobFileSystem(Body):
    """A blob container to mount."""

    account_name: str
    container_name: str
    credentials: StorageCredentials
    relative_mount_path: str
    mount_options: str | None = None


class FileServerMount(Body):
    """A Batch AI file server to mount."""

    file_server: ResourceId
    source_directory: str | None = None
    relative_mount_path: str
    mount_options: str | None = None


class UnmanagedFileSystem(Body):
    """Anything that a mount command can mount."""

    mount_command: str
    relative_mount_path: str


class MountVolumes(Body):
    """Volumes of a cluster or of a job."""

    azure_file_shares: list[AzureFileShare] | None = None
    azure_blob_file_systems: list[AzureBlobFileSystem] | None = None
    file_servers: list[FileServerMount] | None = None
    unmanaged_file_systems: list[UnmanagedFileSystem] | None = None


class EnvironmentVariable(Body):
    """A variable whose value is no secret."""

    name: str
    value: str


class SecretVariable(Body):
    """A variable whose value is a secret."""

    name: str
    value: str | None = None
    value_secret_reference: SecretReference | None = None


class ManualScale(Body):
    """A fixed number of nodes."""

    target_node_count: int = Field(0, ge=0)
    node_deallocation_option: Annotated[
        Literal["requeue", "terminate", "waitforjobcompletion"], BeforeValidator(lower)
    ] = "requeue"


class AutoScale(Body):
    """A number of nodes between two bounds."""

    minimum_node_count: int = Field(ge=0)
    maximum_node_count: int = Field(ge=0)
    initial_node_count: int = Field(0, ge=0)


class ScaleSettings(Body):
    """One of the two ways to size a cluster."""

    manual: ManualScale | None = None
    auto_scale: AutoScale | None = None


class ImageReference(Body):
    """A virtual machine's image."""

    publisher: str
    offer: str
    sku: str
    version: str = "latest"
    virtual_machine_image_id: str | None = None


class VirtualMachineConfiguration(Body):
    """What a node is installed with."""

    image_reference: ImageReference | None = None


class SetupTask(Body):
    """A command that prepares each node."""

    read_only = frozenset({"stdouterrpathsuffix"})
    command_line: str
    environment_variables: list[EnvironmentVariable] | None = None
    secrets: list[SecretVariable] | None = None
    std_out_err_path_prefix: str


class AppInsights(Body):
    """Where performance counters go."""

    component: ResourceId
    instrumentation_key: str | None = None
    instrumentation_key_secret_reference: SecretReference | None = None


class PerformanceCounters(Body):
    """Whether performance counters are sent."""

    app_insights_reference: AppInsights


class NodeSetup(Body):
    """What is done to each node before it is idle."""

    setup_task: SetupTask | None = None
    mount_volumes: MountVolumes | None = None
    performance_counters_settings: PerformanceCounters | None = None


class UserAccount(Body):
    """The administrator that is made on each node."""

    admin_user_name: str = Field(min_length=1)
    admin_user_ssh_public_key: str | None = None
    admin_user_password: str | None = None


class ClusterProperties(Body):
    """``properties`` of ``PUT .../clusters/C``."""

    read_only = _PROVISIONING | {
        "allocationstate",
        "allocationstatetransitiontime",
        "errors",
        "currentnodecount",
        "nodestatecounts",
    }
    vm_size: str
    vm_priority: Annotated[Literal["dedicated", "lowpriority"], BeforeValidator(lower)] = "dedicated"
    scale_settings: ScaleSettings | None = None
    virtual_machine_configuration: VirtualMachineConfiguration | None = None
    node_setup: NodeSetup | None = None
    user_account_settings: UserAccount
    subnet: ResourceId | None = None


class ClusterCreate(Body):
    """Body of ``PUT .../clusters/C``."""

    read_only = _ENTITY
    properties: ClusterProperties


class DataDisks(Body):
    """The disks of a file server."""

    disk_size_in_gb: Annotated[int, Field(ge=1, alias="diskSizeInGB")]
    disk_count: int = Field(ge=1)
    storage_account_type: Literal["Standard_LRS", "Premium_LRS"]
    caching_type: Annotated[Literal["none", "readonly", "readwrite"], BeforeValidator(lower)] = "none"


class SshConfiguration(Body):
    """Who may log in to a file server, and from where."""

    public_ips_to_allow: Annotated[
        list[str] | None, Field(default=None, max_length=400, alias="publicIPsToAllow")
    ]
    user_account_settings: UserAccount


class FileServerProperties(Body):
    """``properties`` of ``PUT .../fileServers/F``."""

    read_only = _PROVISIONING | {"mountsettings"}
    vm_size: str
    ssh_configuration: SshConfiguration
    data_disks: DataDisks
    subnet: ResourceId | None = None


class FileServerCreate(Body):
    """Body of ``PUT .../fileServers/F``."""

    read_only = _ENTITY
    properties: FileServerProperties


class ClusterUpdateProperties(Body):
    """``properties`` of ``PATCH .../clusters/C``."""

    scale_settings: ScaleSettings | None = None


class ClusterUpdate(Body):
    """Body of ``PATCH .../clusters/C``: nothing in it is required, and ``{}`` changes nothing."""

    properties: ClusterUpdateProperties = ClusterUpdateProperties()


class RegistryCredentials(Body):
    """How to log in to an image registry."""

    username: str
    password: str | None = None
    password_secret_reference: SecretReference | None = None


class ImageSource(Body):
    """A container image and where it comes from."""

    server_url: str | None = None
    image: str = Field(min_length=1)
    credentials: RegistryCredentials | None = None


class ContainerSettings(Body):
    """The container that a job runs in."""

    image_source_registry: ImageSource
    shm_size: str | None = None


class JobPreparation(Body):
    """A command line that runs before the job on each of its nodes."""

    command_line: str = Field(min_length=1)


class InputDirectory(Body):
    """``$AZ_BATCHAI_INPUT_<id>``."""

    id: str
    path: str


class OutputDirectory(Body):
    """``$AZ_BATCHAI_OUTPUT_<id>``."""

    id: str
    path_prefix: str
    path_suffix: str | None = None


class Constraints(Body):
    """Limits on a job: ISO 8601 duration, at most seven days."""

    max_wall_clock_time: str = "P7D"


class JobCommon(Body):
    """What ``properties`` of a job's PUT hold in every API version; toolkits' settings come on top."""

    read_only = _PROVISIONING | {
        "tooltype",
        "joboutputdirectorypathsegment",
        "executionstate",
        "executionstatetransitiontime",
        "executioninfo",
    }
    cluster: ResourceId
    node_count: int = Field(ge=1)
    container_settings: ContainerSettings | None = None
    job_preparation: JobPreparation | None = None
    std_out_err_path_prefix: str
    input_directories: list[InputDirectory] | None = None
    output_directories: list[OutputDirectory] | None = None
    environment_variables: list[EnvironmentVariable] | None = None
    constraints: Constraints = Field(default_factory=Constraints)


class JobProperties(JobCommon):
    """``properties`` of ``PUT .../jobs/J``."""

    read_only = JobCommon.read_only | {"experimentname"}
    scheduling_priority: Annotated[Literal["low", "normal", "high"], BeforeValidator(lower)] = "normal"
    mount_volumes: MountVolumes | None = None
    secrets: list[SecretVariable] | None = None


class JobCreate(Body):
    """Body of ``PUT .../jobs/J``."""

    read_only = _ENTITY
    properties: JobProperties


@cache
def with_toolkits(body: type[Body], toolkits: Toolkits, unknown: frozenset[str] = frozenset()) -> type[Body]:
    """Add the settings of toolkits to a job's body, all but those that are ``unknown`` to its API version.

    Of a toolkit that the service had and we have not, any settings pass: ``limits`` refuses it by name.
    """
    settings: dict[str, Any] = {
        to_snake(name): (
            (toolkits[name].settings if name in toolkits else dict[str, Any]) | None,
            Field(None, alias=name),
        )
        for name in toolkits.names
        if name not in unknown
    }
    properties: Any = body.model_fields["properties"].annotation
    complete = create_model("JobProperties", __base__=properties, **settings)
    return create_model(body.__name__, __base__=body, properties=(complete, ...))
