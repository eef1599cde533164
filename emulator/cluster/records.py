"""What is kept of clusters and jobs: what the service shows, and what only we need to go on after a crash."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from batchai_scenario.emulator.cluster.model import Cluster, ExecutionState, Job, ProvisioningState


class Ending(str, Enum):
    """Why a job is being ended before its command ends by itself; written before anything is stopped."""

    NONE = ""
    TERMINATED = "terminated"
    DELETED = "deleted"
    TIMED_OUT = "timed out"
    DEALLOCATED = "deallocated"
    CLUSTER_DELETED = "cluster deleted"
    REQUEUED = "requeued"


@dataclass(frozen=True, slots=True)
class ShareMount:
    """Where a volume stands: the path below its mount root, and the share or ``_blob/<container>`` there."""

    path: str
    account: str
    share: str


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where execution.log goes: a mounted folder of this machine, and the folder below it.

    ``nodes``: the nodes of a job of several, each of which has a log of its own.
    """

    root: str = ""
    folder: str = ""
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterRecord:
    """A cluster, and the ids of nodes that are being placed: not part of it yet, but maybe on the engine.

    ``wanted``: how many nodes a cluster that scales by itself wants at present.
    On the loop's thread the cluster comes without its nodes, which stand in ``ResourceRecords.nodes``.
    """

    cluster: Cluster
    placing: tuple[str, ...] = ()
    wanted: int = 0

    def but(
        self,
        *,
        placing: tuple[str, ...] | None = None,
        wanted: int | None = None,
        **changes: Any,  # noqa: ANN401
    ) -> ClusterRecord:
        """Copy with changes, to our fields or to the cluster's."""
        return ClusterRecord(
            dataclasses.replace(self.cluster, **changes),
            self.placing if placing is None else placing,
            self.wanted if wanted is None else wanted,
        )

    @property
    def target(self) -> int:
        """How many nodes the cluster should have; 0 without a target (SDK 2.0.0: default 0)."""
        scale = self.cluster.definition.get("scaleSettings", {})
        if "autoScale" in scale:
            return self.wanted
        return int(scale.get("manual", {}).get("targetNodeCount", 0))


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job, and how far its launch came.

    ``tasks``: ids that the engine may hold, written before the engine is asked; empty again once they
    are removed. ``launched``: the engine said that they run. ``mounts``: the cluster's volumes when the
    job was made, so that its files are found when the cluster is gone. ``number`` grows from job to job in
    the order of their creation; 0 until it is stored.
    """

    job: Job
    tasks: tuple[str, ...] = ()
    launched: bool = False
    ending: Ending = Ending.NONE
    mounts: tuple[ShareMount, ...] = ()
    log: LogPlace = field(default_factory=LogPlace)
    number: int = field(default=0, compare=False)

    def but(self, **changes: Any) -> JobRecord:  # noqa: ANN401
        """Copy with changes, to our fields or to the job's."""
        ours = {name: changes.pop(name) for name in list(changes) if name in _OURS}
        return dataclasses.replace(self, job=dataclasses.replace(self.job, **changes), **ours)

    @property
    def deleting(self) -> bool:
        """Tell whether the job goes away."""
        return self.job.provisioning_state is ProvisioningState.DELETING

    @property
    def live(self) -> bool:
        """Tell whether something is left to do for the job."""
        return not self.job.execution_state.final or bool(self.tasks) or self.deleting

    @property
    def waiting(self) -> bool:
        """Tell whether the job stands in its cluster's queue, and nothing else is to be done with it."""
        return self.job.execution_state is ExecutionState.QUEUED and not self.deleting


_OURS = frozenset({"tasks", "launched", "ending", "mounts", "log", "number"})
