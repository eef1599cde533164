"""Stand-ins for what the front asks: clusters and output files that stay until a test moves them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.cluster.model import (
    AllocationState,
    Cluster,
    ClusterKey,
    ExecutionState,
    ExperimentKey,
    Job,
    JobKey,
    Node,
    NodeState,
    ProvisioningState,
    RemoteLogin,
    WorkspaceKey,
)
from batchai_scenario.emulator.gateway.app import Gateway
from batchai_scenario.emulator.lazy import Lazy
from batchai_scenario.emulator.state.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from batchai_scenario.emulator.errors import Problem


def make_gateway(services: Any, report: Callable[[str], None] = print) -> Gateway:
    """Make a gateway behind which one object is everything; ``report`` hears what nobody expected."""
    return Gateway(
        manager=Lazy(lambda: services),
        identity=services,
        tokens=services,
        managed=services,
        graph=services,
        storage=Lazy(lambda: services),
        page=Lazy(lambda: services),
        clock=ManualClock(),
        host="127.0.0.1",
        blob_port=0,
        health=dict,
        stop_key="",
        stop=lambda: None,
        report=report,
        preempt=lambda *_: "",
    )


class FakeClusters:
    """A ClusterService in memory: things stay as they are until a test moves them on."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.clusters: dict[str, Cluster] = {}
        self.jobs: dict[str, Job] = {}
        self.secrets: dict[str, Mapping[str, str]] = {}
        self.looks: list[str] = []
        self.folders: dict[str, tuple[str, str, str] | None] = {}

    def create_cluster(
        self,
        key: ClusterKey,
        definition: Mapping[str, Any],
        secrets: Mapping[str, str],
        *,
        engine: str = "",
        gpus: Any = None,
    ) -> tuple[Cluster, bool]:
        if key.id in self.clusters:
            return self.clusters[key.id], False
        now = self.clock.now()
        count = definition["scaleSettings"].get("manual", {}).get("targetNodeCount", 0)
        nodes = tuple(Node(f"tvm-1_{n + 1}-20180606t120000z", NodeState.IDLE) for n in range(count))
        self.clusters[key.id] = Cluster(
            key=key,
            guid=str(uuid.uuid4()),
            definition=definition,
            engine=engine,
            gpus=gpus,
            created_at=now,
            changed_at=now,
            provisioning_state=ProvisioningState.SUCCEEDED,
            provisioning_changed_at=now,
            allocation_state=AllocationState.STEADY,
            allocation_changed_at=now,
            nodes=nodes,
        )
        self.secrets[key.id] = secrets
        return self.clusters[key.id], True

    def get_cluster(self, key: ClusterKey) -> Cluster | None:
        return self.clusters.get(key.id)

    def list_clusters(self, workspace: WorkspaceKey) -> list[Cluster]:
        return [one for one in self.clusters.values() if one.key.workspace.id == workspace.id]

    def page_clusters(
        self, workspaces: Sequence[WorkspaceKey], after: int = 0, limit: int | None = None
    ) -> list[tuple[int, Cluster]]:
        wanted = {key.id for key in workspaces}
        numbered = enumerate(self.clusters.values(), 1)
        found = [(place, one) for place, one in numbered if one.key.workspace.id in wanted and place > after]
        return found[:limit]

    def count_jobs(self, cluster: ClusterKey) -> int:
        mine = [job for job in self.jobs.values() if job.definition["cluster"]["id"] == cluster.path]
        return sum(not job.execution_state.final for job in mine)

    def update_cluster(self, key: ClusterKey, changes: Mapping[str, Any]) -> Cluster | None:
        cluster = self.clusters.get(key.id)
        if cluster is not None:
            definition = {**cluster.definition, **changes}
            cluster = replace(cluster, definition=definition, changed_at=self.clock.now())
            self.clusters[key.id] = cluster
        return cluster

    def delete_cluster(self, key: ClusterKey) -> bool:
        if key.id not in self.clusters:
            return False
        self.clusters[key.id] = replace(self.clusters[key.id], provisioning_state=ProvisioningState.DELETING)
        return True

    def create_job(
        self, key: JobKey, cluster: ClusterKey, definition: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> tuple[Job, bool]:
        if key.id in self.jobs:
            return self.jobs[key.id], False
        now = self.clock.now()
        self.jobs[key.id] = Job(
            key=key,
            guid=str(uuid.uuid4()),
            definition=definition,
            cluster=cluster.path,
            segment="some/segment",
            created_at=now,
            changed_at=now,
            provisioning_state=ProvisioningState.SUCCEEDED,
            provisioning_changed_at=now,
            execution_state=ExecutionState.QUEUED,
            execution_changed_at=now,
        )
        self.secrets[key.id] = secrets
        return self.jobs[key.id], True

    def get_job(self, key: JobKey) -> Job | None:
        return self.jobs.get(key.id)

    def list_jobs(self, experiment: ExperimentKey) -> list[Job]:
        return [one for one in self.jobs.values() if one.key.experiment.id == experiment.id]

    def page_jobs(
        self, experiments: Sequence[ExperimentKey], after: int = 0, limit: int | None = None
    ) -> list[tuple[int, Job]]:
        wanted = {key.id for key in experiments}
        numbered = enumerate(self.jobs.values(), 1)
        found = [(place, one) for place, one in numbered if one.key.experiment.id in wanted and place > after]
        return found[:limit]

    def seen(self, ids: Iterable[str]) -> None:
        self.looks.extend(ids)

    def terminate_job(self, key: JobKey) -> bool:
        return key.id in self.jobs

    def delete_job(self, key: JobKey) -> bool:
        if key.id not in self.jobs:
            return False
        self.jobs[key.id] = replace(self.jobs[key.id], provisioning_state=ProvisioningState.DELETING)
        return True

    def delete_jobs(self, experiment: ExperimentKey) -> bool:
        for job in self.list_jobs(experiment):
            self.delete_job(job.key)
        return not self.list_jobs(experiment)

    def remote_logins(self, cluster: ClusterKey, job: JobKey | None = None) -> list[RemoteLogin]:
        return [
            RemoteLogin(node.id, "127.0.0.1", 50000 + number)
            for number, node in enumerate(self.clusters[cluster.id].nodes)
        ]

    def file_folder(self, job: Job, directory: str) -> tuple[str, str, str] | None:
        return self.folders[directory]

    def finish(self, job: str, exit_code: int | None, *problems: Problem) -> None:
        """End a job, named by the last part of its id."""
        (key,) = [key for key in self.jobs if key.endswith(f"/{job}")]
        now = self.clock.now()
        self.jobs[key] = replace(
            self.jobs[key],
            execution_state=ExecutionState.SUCCEEDED if exit_code == 0 else ExecutionState.FAILED,
            execution_changed_at=now,
            ended_at=now,
            exit_code=exit_code,
            errors=problems,
        )

    def bury(self) -> None:
        """Complete every deletion that was begun."""
        going = ProvisioningState.DELETING
        self.jobs = {k: one for k, one in self.jobs.items() if one.provisioning_state is not going}
        self.clusters = {k: one for k, one in self.clusters.items() if one.provisioning_state is not going}


@dataclass
class FakeEntry:
    name: str
    is_directory: bool = False
    size: int = 0
    modified: datetime = datetime(2018, 6, 6, 12, 30, 15, 900_000, tzinfo=timezone.utc)


class FakeFiles:
    """Output files in memory; remembers which links were asked for."""

    Entry = FakeEntry

    def __init__(self) -> None:
        self.entries: dict[str, list[FakeEntry]] = {}
        self.expires: list[datetime] = []

    def list_folder(self, account: str, share: str, path: str) -> list[FakeEntry]:
        return self.entries.get(f"{account}/{share}/{path}", [])

    def link(self, account: str, share: str, path: str, *, expires: datetime, base_url: str) -> str:
        self.expires.append(expires)
        return f"{base_url}/{account}/{share}/{path}?sig=x"
