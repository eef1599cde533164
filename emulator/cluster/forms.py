"""Clusters, nodes and jobs as JSON: how they stand in the store."""

from __future__ import annotations

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
    WorkspaceKey,
)
from batchai_scenario.emulator.cluster.records import ClusterRecord, Ending, JobRecord, LogPlace, ShareMount
from batchai_scenario.emulator.errors import Problem
from batchai_scenario.emulator.state.clock import parse_time, wire_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


def _time(value: datetime | None) -> str | None:
    return None if value is None else wire_time(value)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def _write_problems(problems: tuple[Problem, ...]) -> list[list[Any]]:
    return [[item.code, item.message, [list(pair) for pair in item.details]] for item in problems]


def _read_problems(rows: list[list[Any]]) -> tuple[Problem, ...]:
    return tuple(Problem(code, text, tuple((n, v) for n, v in details)) for code, text, details in rows)


def _write_workspace(key: WorkspaceKey) -> list[str]:
    return [key.subscription, key.group, key.workspace]


def write_cluster(record: ClusterRecord) -> dict[str, Any]:
    """Write a cluster; its nodes are documents of their own."""
    cluster = record.cluster
    return {
        "key": [*_write_workspace(cluster.key.workspace), cluster.key.name],
        "guid": cluster.guid,
        "definition": cluster.definition,
        "engine": cluster.engine,
        "gpus": cluster.gpus,
        "created": _time(cluster.created_at),
        "changed": _time(cluster.changed_at),
        "provisioning": [cluster.provisioning_state.value, _time(cluster.provisioning_changed_at)],
        "allocation": [cluster.allocation_state.value, _time(cluster.allocation_changed_at)],
        "errors": _write_problems(cluster.errors),
        "placing": list(record.placing),
        "wanted": record.wanted,
    }


def read_cluster(body: Mapping[str, Any], nodes: tuple[Node, ...] = ()) -> ClusterRecord:
    """Read a cluster, and give it its nodes."""
    *workspace, name = body["key"]
    provisioning, allocation = body["provisioning"], body["allocation"]
    cluster = Cluster(
        key=ClusterKey(WorkspaceKey(*workspace), name),
        guid=body["guid"],
        definition=body["definition"],
        engine=body["engine"],
        gpus=body["gpus"],
        created_at=parse_time(body["created"]),
        changed_at=parse_time(body["changed"]),
        provisioning_state=ProvisioningState(provisioning[0]),
        provisioning_changed_at=parse_time(provisioning[1]),
        allocation_state=AllocationState(allocation[0]),
        allocation_changed_at=parse_time(allocation[1]),
        nodes=nodes,
        errors=_read_problems(body["errors"]),
    )
    return ClusterRecord(cluster, tuple(body["placing"]), body["wanted"])


def write_job(record: JobRecord) -> dict[str, Any]:
    """Write a job."""
    job = record.job
    experiment = job.key.experiment
    return {
        "key": [*_write_workspace(experiment.workspace), experiment.name, job.key.name],
        "guid": job.guid,
        "definition": job.definition,
        "cluster": job.cluster,
        "segment": job.segment,
        "created": _time(job.created_at),
        "changed": _time(job.changed_at),
        "provisioning": [job.provisioning_state.value, _time(job.provisioning_changed_at)],
        "execution": [job.execution_state.value, _time(job.execution_changed_at)],
        "started": _time(job.started_at),
        "ended": _time(job.ended_at),
        "exit_code": job.exit_code,
        "errors": _write_problems(job.errors),
        "nodes": list(job.nodes),
        "tasks": list(record.tasks),
        "launched": record.launched,
        "ending": record.ending.value,
        "mounts": [[mount.path, mount.account, mount.share] for mount in record.mounts],
        "log": [record.log.root, record.log.folder, *record.log.nodes],
    }


def read_job(body: Mapping[str, Any], number: int) -> JobRecord:
    """Read a job; ``number`` is its document's."""
    *workspace, experiment, name = body["key"]
    provisioning, execution = body["provisioning"], body["execution"]
    job = Job(
        key=JobKey(ExperimentKey(WorkspaceKey(*workspace), experiment), name),
        guid=body["guid"],
        definition=body["definition"],
        cluster=body["cluster"],
        segment=body["segment"],
        created_at=parse_time(body["created"]),
        changed_at=parse_time(body["changed"]),
        provisioning_state=ProvisioningState(provisioning[0]),
        provisioning_changed_at=parse_time(provisioning[1]),
        execution_state=ExecutionState(execution[0]),
        execution_changed_at=parse_time(execution[1]),
        started_at=_moment(body["started"]),
        ended_at=_moment(body["ended"]),
        exit_code=body["exit_code"],
        errors=_read_problems(body["errors"]),
        nodes=tuple(body["nodes"]),
    )
    return JobRecord(
        job=job,
        tasks=tuple(body["tasks"]),
        launched=body["launched"],
        ending=Ending(body["ending"]),
        mounts=tuple(ShareMount(*row) for row in body["mounts"]),
        log=LogPlace(body["log"][0], body["log"][1], tuple(body["log"][2:])),
        number=number,
    )


def write_node(node: Node) -> dict[str, Any]:
    """Write a node."""
    return {"id": node.id, "state": node.state.value, "address": node.address, "job": node.job}


def read_node(body: Mapping[str, Any]) -> Node:
    """Read a node."""
    return Node(body["id"], NodeState(body["state"]), body["address"], body["job"])
