"""Bodies of file servers in api-version 2018-05-01."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from batchai_scenario.schema.body import Body, lower
from batchai_scenario.schema.common import ENTITY, PROVISIONING, Subnet, User
from batchai_scenario.schema.names import VmSize


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
    user_account_settings: User


class FileServerProperties(Body):
    """``properties`` of ``PUT .../fileServers/F``; unlike clusters, they could have any size."""

    read_only = PROVISIONING | {"mountsettings"}
    vm_size: VmSize
    ssh_configuration: SshConfiguration
    data_disks: DataDisks
    subnet: Subnet | None = None


class FileServerCreate(Body):
    """Body of ``PUT .../fileServers/F``."""

    read_only = ENTITY
    properties: FileServerProperties
