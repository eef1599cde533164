"""Clusters and jobs come back from disk as they went."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchai_scenario.emulator.cluster.keeping import ResourceRecords
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
    WorkspaceKey,
)
from batchai_scenario.emulator.cluster.records import (
    ClusterRecord,
    Ending,
    JobRecord,
    LogPlace,
    ShareMount,
)
from batchai_scenario.emulator.errors import Problem
from batchai_scenario.emulator.state.seal import Seal
from batchai_scenario.emulator.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
TIMES = st.integers(0, 10**11).map(
    lambda ms: datetime(2018, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=ms)
)
WORKSPACES = st.builds(WorkspaceKey, WORDS, WORDS, WORDS)
PROBLEMS = st.lists(
    st.builds(Problem, WORDS, WORDS, st.lists(st.tuples(WORDS, WORDS), max_size=2).map(tuple)), max_size=2
).map(tuple)
DEFINITIONS = st.dictionaries(WORDS, st.one_of(WORDS, st.integers(), st.lists(WORDS)), max_size=3).map(
    lambda words: {**words, "nodeCount": 1}
)
CLUSTERS = st.builds(
    ClusterRecord,
    st.builds(
        Cluster,
        key=st.builds(ClusterKey, WORKSPACES, WORDS),
        guid=WORDS,
        definition=DEFINITIONS,
        engine=WORDS,
        gpus=st.sampled_from(["auto", "none", "required", "shared"]),
        created_at=TIMES,
        changed_at=TIMES,
        provisioning_state=st.sampled_from(ProvisioningState),
        provisioning_changed_at=TIMES,
        allocation_state=st.sampled_from(AllocationState),
        allocation_changed_at=TIMES,
        errors=PROBLEMS,
    ),
    st.lists(WORDS, max_size=2).map(tuple),
)
NODES = st.lists(
    st.builds(Node, WORDS, st.sampled_from(NodeState), WORDS, WORDS), max_size=3, unique_by=lambda n: n.id
)
JOBS = st.builds(
    JobRecord,
    st.builds(
        Job,
        key=st.builds(JobKey, st.builds(ExperimentKey, WORKSPACES, WORDS), WORDS),
        guid=WORDS,
        definition=DEFINITIONS,
        cluster=WORDS,
        segment=WORDS,
        created_at=TIMES,
        changed_at=TIMES,
        provisioning_state=st.sampled_from(ProvisioningState),
        provisioning_changed_at=TIMES,
        execution_state=st.sampled_from(ExecutionState),
        execution_changed_at=TIMES,
        started_at=st.one_of(st.none(), TIMES),
        ended_at=st.one_of(st.none(), TIMES),
        exit_code=st.one_of(st.none(), st.integers(-1, 255)),
        errors=PROBLEMS,
        nodes=st.lists(WORDS, max_size=2).map(tuple),
    ),
    tasks=st.lists(WORDS, max_size=2).map(tuple),
    launched=st.booleans(),
    ending=st.sampled_from(Ending),
    mounts=st.lists(st.builds(ShareMount, WORDS, WORDS, WORDS), max_size=2).map(tuple),
    log=st.builds(LogPlace, WORDS, WORDS),
)
same_store = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state.sqlite3", Seal.at(tmp_path / "key"))
    yield store
    store.close()


@same_store
@given(CLUSTERS, NODES)
def test_clusters_and_their_nodes(store: Store, record: ClusterRecord, nodes: list[Node]) -> None:
    records = ResourceRecords(store)
    key = record.cluster.key
    records.save_cluster(record, {"pointer": "secret"})
    records.save_nodes(key.id, nodes)
    records.load()
    assert records.clusters[key.id] == record
    whole = record.but(nodes=tuple(nodes))
    assert records.view(record) == whole.cluster
    assert records.read_cluster(key) == whole
    assert whole.cluster in [cluster for _, cluster in records.page_clusters([key.workspace])]
    assert records.cluster_secrets(key) == {"pointer": "secret"}
    for node in nodes:
        records.remove_node(key.id, node.id)
    assert records.view(record) == record.cluster
    records.remove_cluster(key)
    assert records.read_cluster(key) is None
    assert store.list("node") == []


@same_store
@given(JOBS)
def test_jobs(store: Store, record: JobRecord) -> None:
    records = ResourceRecords(store)
    records.save_job(record, {"pointer": "secret"})
    key, queue = record.job.key, records.queue(record.job.cluster.lower())
    assert (key.id in records.jobs) == (key.id in queue.active) == (record.live and not record.waiting)
    assert (key.id in queue.waiting) == record.waiting
    held, waiting = dict(records.jobs), list(queue.waiting)
    records.load()
    assert records.jobs == held
    assert list(records.queue(record.job.cluster.lower()).waiting) == waiting
    assert records.read_job(key) == record
    assert records.live_job(key.id) == (record if record.live else None)
    assert [job for _, job in records.page_jobs([key.experiment])] == [record.job]
    assert records.live_jobs() == ([record.job] if record.live else [])
    assert records.job_secrets(key) == {"pointer": "secret"}
    records.remove_job(record)
    assert (records.read_job(key), records.jobs) == (None, {})
    assert records.queue(record.job.cluster.lower()).empty


@same_store
@given(CLUSTERS)
def test_the_memory_follows_the_disk_when_a_transaction_fails(store: Store, record: ClusterRecord) -> None:
    records = ResourceRecords(store)

    def fail() -> None:
        with records.transaction():
            records.save_cluster(record)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert records.clusters == {}
    assert records.read_cluster(record.cluster.key) is None
