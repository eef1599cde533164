"""What the bodies of several resources have in common: references, volumes, variables, users."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from batchai_scenario.schema.body import Body, wire_name
from batchai_scenario.schema.faults import Fault
from batchai_scenario.schema.names import (
    MountPath,
    PublicKey,
    ShareUrl,
    Something,
    SubnetId,
    VariableName,
    fault,
    faults,
)

ENTITY = frozenset({"id", "name", "type"})
PROVISIONING = frozenset({"creationtime", "provisioningstate", "provisioningstatetransitiontime"})
"""What the service sets on every resource, in lower case."""

MAX_NODES = 100
"""Nodes in one cluster (documented quota)."""


class ResourceId(Body):
    """A reference to another resource."""

    id: str


class Subnet(Body):
    """A reference to a subnet."""

    id: SubnetId


class SecretReference(Body):
    """A secret in a key vault."""

    source_vault: ResourceId
    secret_url: str


class StorageCredentials(Body):
    """A storage account's key, or where it is kept."""

    account_key: str | None = None
    account_key_secret_reference: SecretReference | None = None

    @model_validator(mode="after")
    def _one(self) -> StorageCredentials:
        if not self.account_key and self.account_key_secret_reference is None:
            raise faults([Fault("accountKey", "it is required")])
        return self


class AzureFileShare(Body):
    """An Azure file share to mount."""

    account_name: str
    azure_file_url: ShareUrl
    credentials: StorageCredentials
    relative_mount_path: MountPath
    file_mode: str = "0777"
    directory_mode: str = "0777"


class AzureBlobFileSystem(Body):
    """A blob container to mount."""

    account_name: str
    container_name: Something
    credentials: StorageCredentials
    relative_mount_path: MountPath
    mount_options: str | None = None


class FileServerMount(Body):
    """A Batch AI file server to mount."""

    file_server: ResourceId
    source_directory: str | None = None
    relative_mount_path: MountPath
    mount_options: str | None = None


class UnmanagedFileSystem(Body):
    """Anything that a mount command can mount."""

    mount_command: Something
    relative_mount_path: MountPath


class MountVolumes(Body):
    """Volumes of a cluster or of a job; no two are mounted at one path (our decision)."""

    azure_file_shares: list[AzureFileShare] | None = None
    azure_blob_file_systems: list[AzureBlobFileSystem] | None = None
    file_servers: list[FileServerMount] | None = None
    unmanaged_file_systems: list[UnmanagedFileSystem] | None = None

    @model_validator(mode="after")
    def _apart(self) -> MountVolumes:
        given = [
            (f"{wire_name(type(self), name)}[{index}].relativeMountPath", volume.relative_mount_path)
            for name in type(self).model_fields
            for index, volume in enumerate(getattr(self, name) or ())
        ]
        _no_two([(path, text.strip("/")) for path, text in given], "another volume is mounted there")
        return self


def _no_two(given: list[tuple[str, str]], why: str) -> None:
    """Demand that no two of (path, text) have the same text."""
    seen: set[str] = set()
    found = []
    for path, text in given:
        if text in seen:
            found.append(Fault(path, why))
        seen.add(text)
    if found:
        raise faults(found)


def different_ids(directories: Any) -> Any:  # noqa: ANN401 - a list of entries with an id
    """Demand that no two directories have one id."""
    given = [(f"[{index}].id", entry.id) for index, entry in enumerate(directories or ())]
    _no_two(given, "another directory has it")
    return directories


class EnvironmentVariable(Body):
    """A variable whose value is no secret."""

    name: VariableName
    value: str


class SecretVariable(Body):
    """A variable whose value is a secret."""

    name: VariableName
    value: str | None = None
    value_secret_reference: SecretReference | None = None

    @model_validator(mode="after")
    def _one(self) -> SecretVariable:
        if self.value is None and self.value_secret_reference is None:
            raise faults([Fault("value", "it is required")])
        return self


class UserAccount(Body):
    """The administrator that is made on each node."""

    admin_user_name: str = Field(min_length=1)
    admin_user_ssh_public_key: PublicKey | None = None
    admin_user_password: str | None = None


def _can_log_in(user: UserAccount) -> UserAccount:
    if user.admin_user_ssh_public_key is None and user.admin_user_password is None:
        raise fault("it needs adminUserSshPublicKey or adminUserPassword")
    return user


User = Annotated[UserAccount, AfterValidator(_can_log_in)]
