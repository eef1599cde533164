"""Api-version 2018-05-01: requests in, entities out. Older versions are told as differences from it.

Spellings, defaults, order and what is left out: recorded traffic.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.batchai.refusals import read_body
from batchai_scenario.emulator.batchai.unsupported import (
    unsupported_in_cluster,
    unsupported_in_job,
)
from batchai_scenario.emulator.batchai.versions.quotas import Priority, Quotas
from batchai_scenario.emulator.batchai.versions.rows import (
    CLUSTER,
    EXPERIMENT,
    FILE_SERVER,
    GROUP,
    JOB,
    PARENTS,
    USAGES,
    WORKSPACE,
    Row,
    lists,
    resource,
)
from batchai_scenario.emulator.batchai.versions.rows import OPERATIONS as ROW_OPERATIONS
from batchai_scenario.emulator.cluster.model import ExecutionState, NodeState
from batchai_scenario.emulator.state.clock import wire_time
from batchai_scenario.schema.older import without_older
from batchai_scenario.schema.secrets import split_secrets
from batchai_scenario.training.toolkits.registry import delivered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.batchai.model import FileServer
    from batchai_scenario.emulator.batchai.ports import FolderEntry
    from batchai_scenario.emulator.cluster.model import Cluster, ClusterKey, Job, JobKey
    from batchai_scenario.emulator.errors import Problem
    from batchai_scenario.schema.body import Body

VERSION = "2018-05-01"
FLAT = False
FOLDERS = True
FOLDERS_TWICE = True
FINAL = "operationstatuses"
_FAMILIES = {"D": 24, "Dv2": 24, "NC": 24, "NCv2": 0, "NCv3": 0, "ND": 0, "NV": 24}
QUOTAS = Quotas(
    (
        Priority("dedicated", "Dedicated", 24, _FAMILIES),
        Priority("lowpriority", "LowPriority", 24, _FAMILIES),
    )
)
NAME = re.compile(r"[-\w]{1,64}", re.ASCII)
"""Names of everything (SDK 2.0.0), as ``schema.names`` has them; here, for that needs pydantic."""

OPERATIONS = (
    *resource("Workspaces", GROUP, "workspaces", "workspaceName", "Create Update Get Delete"),
    *lists("Workspaces", "workspaces", **PARENTS),
    *resource("Experiments", WORKSPACE, "experiments", "experimentName", "Create Get Delete"),
    *lists("Experiments", "experiments", ListByWorkspace=WORKSPACE),
    *resource("Clusters", WORKSPACE, "clusters", "clusterName", CLUSTER),
    *lists("Clusters", "clusters", ListByWorkspace=WORKSPACE),
    *resource("Jobs", EXPERIMENT, "jobs", "jobName", JOB),
    *lists("Jobs", "jobs", ListByExperiment=EXPERIMENT),
    *resource("FileServers", WORKSPACE, "fileServers", "fileServerName", FILE_SERVER),
    *lists("FileServers", "fileServers", ListByWorkspace=WORKSPACE),
    Row("Usages_List", "GET", USAGES),
    ROW_OPERATIONS,
)

_IMAGE = {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "16.04-LTS", "version": "latest"}
_SCALE = {"manual": {"targetNodeCount": 0, "nodeDeallocationOption": "requeue"}}
_USERS = frozenset(
    {
        "AZFMountError",
        "BFSMountError",
        "ClusterDeleted",
        "FileServerMountError",
        "JobFailed",
        "JobPreparationFailed",
        "JobTerminated",
        "JobTimedOut",
    }
)
"""Codes of job errors that are the user's: ``category`` (a public report of 2021 shows the first)."""


def read_cluster(body: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the body of a cluster's PUT: definition and secrets; ServiceError 400."""
    from batchai_scenario.schema.clusters import ClusterCreate  # pydantic: only where a body is read

    return finish_cluster(read_body(ClusterCreate, body, unsupported_in_cluster))


def finish_cluster(definition: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Fill in the defaults of a cluster's properties, and part the secrets from them."""
    definition.setdefault("scaleSettings", _SCALE)
    definition.setdefault("virtualMachineConfiguration", {}).setdefault("imageReference", dict(_IMAGE))
    return split_secrets(definition)


def read_cluster_update(body: Mapping[str, Any] | None) -> dict[str, Any]:
    """Read the body of a cluster's PATCH: its ``scaleSettings``; ServiceError 400."""
    from batchai_scenario.schema.clusters import ClusterUpdate

    return read_body(ClusterUpdate, body)


def read_job(body: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the body of a job's PUT: definition and secrets; ServiceError 400."""
    from batchai_scenario.schema.jobs import JobCreate

    return split_secrets(read_job_body(JobCreate, body))


def read_job_body(
    model: type[Body], body: Mapping[str, Any] | None, unknown: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Read the body of a job's PUT, with the toolkits that its API version knows; ServiceError 400."""
    from batchai_scenario.schema.jobs import toolkit_faults, with_toolkits

    toolkits = delivered()
    return read_body(
        with_toolkits(model, toolkits, unknown),
        body,
        lambda properties: unsupported_in_job(properties, toolkits),
        lambda properties: toolkit_faults(properties, toolkits),
    )


def read_file_server(body: Mapping[str, Any] | None) -> dict[str, Any]:
    """Read the body of a file server's PUT; ServiceError 400."""
    from batchai_scenario.schema.fileservers import FileServerCreate

    return finish_file_server(read_body(FileServerCreate, body))


def finish_file_server(definition: dict[str, Any]) -> dict[str, Any]:
    """Drop a file server's password, for nobody can log in."""
    return split_secrets(definition)[0]


def write_cluster(cluster: Cluster) -> dict[str, Any]:
    """Write a cluster as GET gives it."""
    states = [node.state for node in cluster.nodes]
    definition = without_older(cluster.definition)
    if "setupTask" in definition.get("nodeSetup", {}):
        definition["nodeSetup"] = {**definition["nodeSetup"], "setupTask": _setup_task(cluster)}
    properties = {
        "creationTime": wire_time(cluster.created_at),
        "provisioningState": cluster.provisioning_state.value,
        "provisioningStateTransitionTime": wire_time(cluster.provisioning_changed_at),
        "allocationState": cluster.allocation_state.value,
        "allocationStateTransitionTime": wire_time(cluster.allocation_changed_at),
        "vmSize": definition.pop("vmSize"),
        "currentNodeCount": len(states),
        "nodeStateCounts": {
            "idleNodeCount": states.count(NodeState.IDLE),
            "runningNodeCount": states.count(NodeState.RUNNING),
            "preparingNodeCount": states.count(NodeState.PREPARING),
            "unusableNodeCount": states.count(NodeState.UNUSABLE),
            "leavingNodeCount": states.count(NodeState.LEAVING),
        },
        **definition,
    }
    if cluster.errors:
        properties["errors"] = _errors(cluster.errors)
    return _entity(cluster.key.path, "Microsoft.BatchAI/workspaces/clusters", properties)


def _setup_task(cluster: Cluster) -> dict[str, Any]:
    """Write a setup task: where its files are is the service's to say (recorded)."""
    suffix = cluster.setup_suffix
    task = dict(cluster.definition["nodeSetup"]["setupTask"])
    task.pop("runElevated", None)
    return {**task, "stdOutErrPathSuffix": suffix}


def write_job(job: Job) -> dict[str, Any]:
    """Write a job as GET gives it."""
    definition = without_older(job.definition)
    if "outputDirectories" in definition:
        definition["outputDirectories"] = [
            {name: value for name, value in entry.items() if name not in ("type", "createNew")}
            for entry in definition["outputDirectories"]
        ]
    properties = {
        "experimentName": job.key.experiment.name,
        **definition,
        "toolType": delivered().tool_type(definition),
        "jobOutputDirectoryPathSegment": job.segment,
        "creationTime": wire_time(job.created_at),
        "provisioningState": job.provisioning_state.value,
        "provisioningStateTransitionTime": wire_time(job.provisioning_changed_at),
        "executionState": job.execution_state.value,
        "executionStateTransitionTime": wire_time(job.execution_changed_at),
    }
    if job.execution_state is not ExecutionState.QUEUED:
        properties["executionInfo"] = _execution_info(job)
    return _entity(job.key.path, "Microsoft.BatchAI/workspaces/experiments/jobs", properties)


def _execution_info(job: Job) -> dict[str, Any]:
    info: dict[str, Any] = {}
    # A job that never ran started when it ended: clients compute end - start.
    started = job.started_at or job.ended_at
    if started is not None:
        info["startTime"] = wire_time(started)
    if job.ended_at is not None:
        info["endTime"] = wire_time(job.ended_at)
    if job.exit_code is not None:
        info["exitCode"] = job.exit_code
    if job.ended_at is not None and started is not None:
        hours = (job.ended_at - started).total_seconds() * len(job.nodes) / 3600
        info["totalJobNodeHours"] = round(hours, 6)
    if job.errors:
        info["errors"] = _errors(job.errors, category="UserError")
    return info


def write_file_server(server: FileServer) -> dict[str, Any]:
    """Write a file server as GET gives it; the type, and its part of the id, in lower case (recorded)."""
    properties = {
        **_provisioning(server.state),
        **without_older(server.definition),
        "subnet": {"id": server.subnet},
        "mountSettings": {
            "mountPoint": "/data",
            "fileServerPublicIP": server.public_address,
            "fileServerInternalIP": server.internal_address,
        },
    }
    path = f"{server.key.workspace.path}/fileservers/{server.key.name}"
    return _entity(path, "Microsoft.BatchAI/workspaces/fileservers", properties)


def shows_file(name: str, /) -> bool:  # noqa: ARG001 - older versions keep some back
    """Tell whether lists of standard output show a file."""
    return True


def write_file(entry: FolderEntry, url: str) -> dict[str, Any]:
    """Write an entry of ``listOutputFiles``; a folder has a name and a type, and nothing else (recorded)."""
    if entry.is_directory:
        return {"name": entry.name, "fileType": "directory"}
    return {
        "name": entry.name,
        "fileType": "file",
        "downloadUrl": url,
        "properties": {
            "lastModified": f"{entry.modified:%Y-%m-%dT%H:%M:%SZ}",
            "contentLength": entry.size,
        },
    }


def cluster_names(key: ClusterKey) -> tuple[str, ...]:
    """Name a cluster as an operation's ``resourceId`` does."""
    workspace = key.workspace
    return workspace.subscription, workspace.group, workspace.workspace, key.name


def job_names(key: JobKey) -> tuple[str, ...]:
    """Name a job as an operation's ``resourceId`` does."""
    workspace = key.experiment.workspace
    return workspace.subscription, workspace.group, workspace.workspace, key.experiment.name, key.name


def write_experiment(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Write an experiment from its document."""
    return _entity(path, "Microsoft.BatchAI/workspaces/experiments", _provisioning(body))


def write_workspace(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Write a workspace from its document."""
    entity = _entity(path, "Microsoft.BatchAI/workspaces", _provisioning(body))
    entity["location"] = body["location"]
    if body["tags"] is not None:
        entity["tags"] = body["tags"]
    return entity


def _provisioning(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "creationTime": body["creationTime"],
        "provisioningState": body["provisioningState"],
        "provisioningStateTransitionTime": body["provisioningStateTransitionTime"],
    }


def _entity(path: str, kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"id": path, "name": path.rpartition("/")[2], "type": kind, "properties": properties}


def _errors(problems: Sequence[Problem], **more: str) -> list[dict[str, Any]]:
    written = []
    for problem in problems:
        error: dict[str, Any] = {"code": problem.code, "message": problem.message}
        if problem.code in _USERS:
            error |= more
        if problem.details:
            error["details"] = [{"name": name, "value": value} for name, value in problem.details]
        written.append(error)
    return written
