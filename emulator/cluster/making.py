"""Clusters and jobs as they are when they are made."""

from __future__ import annotations

import copy
import uuid
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.cluster.autoscale import first_size
from batchai_scenario.emulator.cluster.model import (
    AllocationState,
    Cluster,
    ExecutionState,
    Job,
    ProvisioningState,
)
from batchai_scenario.emulator.cluster.mounts import CLUSTER_VOLUMES, volumes
from batchai_scenario.emulator.cluster.records import ClusterRecord, JobRecord
from batchai_scenario.schema.layout import job_segment
from batchai_scenario.schema.older import older_fields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from batchai_scenario.emulator.cluster.model import ClusterKey, JobKey
    from batchai_scenario.emulator.launch.plan import GpuMode


def new_cluster(
    key: ClusterKey, definition: Mapping[str, Any], engine: str, gpus: GpuMode, now: datetime
) -> ClusterRecord:
    """Make a cluster: steady, without nodes, and wanting its first size if it scales by itself."""
    cluster = Cluster(
        key=key,
        guid=str(uuid.uuid4()),
        definition=copy.deepcopy(dict(definition)),
        engine=engine,
        gpus=gpus,
        created_at=now,
        changed_at=now,
        provisioning_state=ProvisioningState.SUCCEEDED,
        provisioning_changed_at=now,
        allocation_state=AllocationState.STEADY,
        allocation_changed_at=now,
    )
    return ClusterRecord(cluster, wanted=first_size(cluster.definition))


def new_job(
    key: JobKey,
    cluster: ClusterKey,
    definition: Mapping[str, Any],
    owner: ClusterRecord | None,
    now: datetime,
) -> JobRecord:
    """Make a queued job; ``owner`` is its cluster, None if that is gone."""
    guid, workspace = str(uuid.uuid4()), key.experiment.workspace
    mounts = () if owner is None else volumes(owner.cluster.definition, CLUSTER_VOLUMES)
    job = Job(
        key=key,
        guid=guid,
        definition=copy.deepcopy(dict(definition)),
        cluster=cluster.path,
        segment=job_segment(
            older_fields(definition).layout,
            subscription=workspace.subscription,
            group=workspace.group,
            workspace=workspace.workspace,
            experiment=key.experiment.name,
            job=key.name,
            guid=guid,
        ),
        created_at=now,
        changed_at=now,
        provisioning_state=ProvisioningState.SUCCEEDED,
        provisioning_changed_at=now,
        execution_state=ExecutionState.QUEUED,
        execution_changed_at=now,
    )
    return JobRecord(job, mounts=tuple(volume.place for volume in mounts))
