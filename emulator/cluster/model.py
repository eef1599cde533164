"""Clusters and jobs as the emulator knows them: one model, shaped like API version 2018-05-01.

``definition`` is the resource's ``properties`` as the caller wrote them, with the service's defaults
filled in, without read-only properties and without any secret. Secrets travel beside it as a flat
mapping from a JSON pointer (``/mountVolumes/azureFileShares/0/credentials/accountKey``) to the value.

What only the flat API versions (2018-03-01 and older) know stands in the definition beside the rest:
``schema.older``, and ``type`` and ``createNew`` of output directories.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from batchai_scenario.schema.layout import setup_suffix
from batchai_scenario.schema.older import older_fields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from batchai_scenario.emulator.errors import Problem
    from batchai_scenario.emulator.launch.plan import GpuMode


class AllocationState(str, Enum):
    """Whether a cluster's size is being changed."""

    STEADY = "steady"
    RESIZING = "resizing"


class NodeState(str, Enum):
    """What a node is doing."""

    PREPARING = "preparing"
    IDLE = "idle"
    RUNNING = "running"
    UNUSABLE = "unusable"
    LEAVING = "leaving"


class ProvisioningState(str, Enum):
    """Whether a resource's definition is stored."""

    CREATING = "creating"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DELETING = "deleting"


class ExecutionState(str, Enum):
    """Where a job stands; moves forward only, but for a return to the queue (see ``transitions``)."""

    QUEUED = "queued"
    RUNNING = "running"
    TERMINATING = "terminating"
    SUCCEEDED = "succeeded"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Tell whether nothing comes after this state."""
        return self in (ExecutionState.SUCCEEDED, ExecutionState.FAILED)


@dataclass(frozen=True, slots=True)
class WorkspaceKey:
    """Names a workspace. Names keep the caller's case; keys compare without it (``id`` is lower case)."""

    subscription: str
    group: str
    workspace: str

    @property
    def path(self) -> str:
        """The ARM id in the caller's spelling."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.BatchAI/workspaces/{self.workspace}"
        )

    @property
    def id(self) -> str:
        """The ARM id in lower case: what is compared and stored."""
        return self.path.lower()


@dataclass(frozen=True, slots=True)
class ClusterKey:
    """Names a cluster."""

    workspace: WorkspaceKey
    name: str

    @property
    def path(self) -> str:
        """The ARM id in the caller's spelling."""
        return f"{self.workspace.path}/clusters/{self.name}"

    @property
    def id(self) -> str:
        """The ARM id in lower case."""
        return self.path.lower()


@dataclass(frozen=True, slots=True)
class ExperimentKey:
    """Names an experiment."""

    workspace: WorkspaceKey
    name: str

    @property
    def path(self) -> str:
        """The ARM id in the caller's spelling."""
        return f"{self.workspace.path}/experiments/{self.name}"

    @property
    def id(self) -> str:
        """The ARM id in lower case."""
        return self.path.lower()


@dataclass(frozen=True, slots=True)
class JobKey:
    """Names a job."""

    experiment: ExperimentKey
    name: str

    @property
    def path(self) -> str:
        """The ARM id in the caller's spelling."""
        return f"{self.experiment.path}/jobs/{self.name}"

    @property
    def id(self) -> str:
        """The ARM id in lower case."""
        return self.path.lower()


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a cluster: ``id`` as the service spells it, ``tvm-<number>_<index>-<time>z[-p]``."""

    id: str
    state: NodeState
    address: str = ""
    job: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster and where it stands. ``guid`` is its own for ever; ``engine`` runs its nodes."""

    key: ClusterKey
    guid: str
    definition: Mapping[str, Any]
    engine: str
    gpus: GpuMode
    created_at: datetime
    changed_at: datetime
    provisioning_state: ProvisioningState
    provisioning_changed_at: datetime
    allocation_state: AllocationState
    allocation_changed_at: datetime
    nodes: tuple[Node, ...] = ()
    errors: tuple[Problem, ...] = ()

    @property
    def setup_suffix(self) -> str:
        """``stdOutErrPathSuffix``: where the files of its setup task are, below the prefix that it gives."""
        where = self.key.workspace
        return setup_suffix(
            older_fields(self.definition).layout,
            subscription=where.subscription,
            group=where.group,
            workspace=where.workspace,
            cluster=self.key.name,
            guid=self.guid,
        )


@dataclass(frozen=True, slots=True)
class Job:
    """A job and where it stands.

    ``segment`` is ``jobOutputDirectoryPathSegment``. ``exit_code`` is None until the job ended, and stays
    None if it was ended on request; -1 if the machine failed it (see ``endings``). ``changed_at`` is when
    the definition changed (ETag); ``execution_changed_at`` when the state did.
    """

    key: JobKey
    guid: str
    definition: Mapping[str, Any]
    cluster: str
    segment: str
    created_at: datetime
    changed_at: datetime
    provisioning_state: ProvisioningState
    provisioning_changed_at: datetime
    execution_state: ExecutionState
    execution_changed_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    errors: tuple[Problem, ...] = ()
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteLogin:
    """How one logs in to a node: id, public address, port (50000 + n where that is free)."""

    node: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class LoginAccount:
    """The account of ``userAccountSettings``: its name, and a password or a public key in OpenSSH's form."""

    user: str
    password: str = field(repr=False)
    key: str


@dataclass(frozen=True, slots=True)
class LoginNode:
    """A node that one may log in to."""

    cluster: ClusterKey
    guid: str
    node: str
