"""Api-version 2018-03-01: requests in, entities out, as differences from 2018-05-01.

Clusters, jobs and file servers stand directly in a resource group; those of a location live in its
workspace ``migrated-<location>`` (``migrated``). Spellings, codes and what is left out: recorded
traffic; properties: the models of SDK 1.0.1. Our decision: ``priority`` keeps its number, and its sign
is the ``schedulingPriority`` that newer versions see.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.bodies import read_all, read_tags
from batchai_scenario.emulator.batchai import migrated
from batchai_scenario.emulator.batchai.refusals import read_body
from batchai_scenario.emulator.batchai.unsupported import (
    unsupported_in_cluster,
)
from batchai_scenario.emulator.batchai.versions.quotas import Priority, Quotas
from batchai_scenario.emulator.batchai.versions.rows import (
    CLUSTER,
    FILE_SERVER,
    GROUP,
    JOB,
    PARENTS,
    USAGES,
    Row,
    lists,
    resource,
)
from batchai_scenario.emulator.batchai.versions.rows import OPERATIONS as ROW_OPERATIONS
from batchai_scenario.emulator.batchai.versions.v2018_05_01 import version as newer
from batchai_scenario.schema.layout import Layout
from batchai_scenario.schema.older import OlderFields, older_fields, with_older
from batchai_scenario.schema.secrets import split_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.emulator.batchai.model import FileServer
    from batchai_scenario.emulator.batchai.ports import FolderEntry
    from batchai_scenario.emulator.cluster.model import Cluster, ClusterKey, Job, JobKey
    from batchai_scenario.schema.body import Body

    Read = tuple[dict[str, Any], dict[str, str]]

VERSION = "2018-03-01"
FLAT = True
LAYOUT = Layout.FLAT
FOLDERS = True
FOLDERS_TWICE = False
FINAL = "operationstatuses"
QUOTAS = Quotas(
    (
        Priority("dedicated", "Dedicated", 24, dict.fromkeys(("D", "NC", "Dv2", "NV"), 24)),
        Priority("lowpriority", "LowPriority", 50, dict.fromkeys(("D", "Dv2", "NC", "NV"), 50)),
    ),
    jobs=20,
)
NAME = re.compile(r"(?!\.+\Z)[-\w.]{1,64}", re.ASCII)
"""Names may hold dots (SDK 1.0.1); one of nothing but dots would be a path (our decision)."""

FLAT_OPERATIONS = (
    *resource("Clusters", GROUP, "clusters", "clusterName", CLUSTER),
    *lists("Clusters", "clusters", **PARENTS),
    *resource("Jobs", GROUP, "jobs", "jobName", JOB),
    *lists("Jobs", "jobs", **PARENTS),
    *resource("FileServers", GROUP, "fileServers", "fileServerName", FILE_SERVER),
    *lists("FileServers", "fileServers", **PARENTS),
    ROW_OPERATIONS,
)
OPERATIONS = (*FLAT_OPERATIONS, Row("Usage_List", "GET", USAGES))

_PRIORITIES = {"low": -1000, "normal": 0, "high": 1000}
_CODES = {"JobTerminated": "JobTerminate"}
"""Codes of job errors that were others then."""

_UNKNOWN = frozenset({"customMpiSettings", "horovodSettings"})


def read_cluster(body: Mapping[str, Any] | None) -> Read:
    """Read the body of a cluster's PUT: definition and secrets; ServiceError 400."""
    from batchai_scenario.emulator.batchai.versions.v2018_03_01 import models

    return finish_cluster(models.MarchCluster, body, LAYOUT)


def read_cluster_update(body: Mapping[str, Any] | None) -> dict[str, Any]:
    """Read the body of a cluster's PATCH: ``scaleSettings``, ``tags``, or both; ServiceError 400."""
    from batchai_scenario.emulator.batchai.versions.v2018_03_01 import models

    changes, tags = read_all(lambda: read_body(models.FlatClusterUpdate, body), lambda: read_tags(body or {}))
    return changes if tags is None else {**changes, "tags": tags}


def read_job(body: Mapping[str, Any] | None) -> Read:
    """Read the body of a job's PUT: definition and secrets; ServiceError 400."""
    from batchai_scenario.emulator.batchai.versions.v2018_03_01 import models

    return finish_job(lambda: newer.read_job_body(models.MarchJob, body, _UNKNOWN), body, LAYOUT)


def read_file_server(body: Mapping[str, Any] | None) -> dict[str, Any]:
    """Read the body of a file server's PUT; ServiceError 400."""
    from batchai_scenario.emulator.batchai.versions.v2018_03_01 import models

    return finish_file_server(models.FlatFileServer, body, LAYOUT)


def finish_cluster(model: type[Body], body: Mapping[str, Any] | None, layout: Layout) -> Read:
    """Read a cluster of a flat version."""
    read, older = read_all(
        lambda: read_body(model, body, unsupported_in_cluster), lambda: _older(body, layout)
    )
    definition, secrets = newer.finish_cluster(read)
    return with_older(definition, older), secrets


def finish_file_server(model: type[Body], body: Mapping[str, Any] | None, layout: Layout) -> dict[str, Any]:
    """Read a file server of a flat version."""
    read, older = read_all(lambda: read_body(model, body), lambda: _older(body, layout))
    return with_older(newer.finish_file_server(read), older)


def finish_job(read: Callable[[], dict[str, Any]], body: Mapping[str, Any] | None, layout: Layout) -> Read:
    """Read a job of a flat version, take what only these know from it, and go on as newer versions do."""
    definition, older = read_all(read, lambda: _older(body, layout))
    priority = definition.pop("priority")
    older = replace(older, priority=priority, experiment=definition.pop("experimentName", None))
    sign = (priority > 0) - (priority < 0)
    definition["schedulingPriority"] = ("normal", "high", "low")[sign]
    definition, secrets = split_secrets(definition)
    return with_older(definition, older), secrets


def _older(body: Mapping[str, Any] | None, layout: Layout) -> OlderFields:
    return OlderFields(layout, read_tags(body or {}))


def write_cluster(cluster: Cluster) -> dict[str, Any]:
    """Write a cluster as GET gives it."""
    body = newer.write_cluster(cluster)
    body["properties"]["userAccountSettings"] = _account(body["properties"]["userAccountSettings"])
    setup_task = body["properties"].get("nodeSetup", {}).get("setupTask")
    if setup_task is not None:
        asked = cluster.definition["nodeSetup"]["setupTask"]
        setup_task["runElevated"] = asked.get("runElevated", False)
    return _tracked(body, cluster.key, "Clusters", cluster.definition)


def write_job(job: Job) -> dict[str, Any]:
    """Write a job as GET gives it; it shows neither location nor tags (recorded traffic)."""
    body = newer.write_job(job)
    older = older_fields(job.definition)
    properties = {name: value for name, value in body["properties"].items() if name not in _UNKNOWN}
    del properties["experimentName"]
    if older.experiment is not None:
        properties["experimentName"] = older.experiment
    usual = _PRIORITIES[properties.pop("schedulingPriority")]
    properties["priority"] = usual if older.priority is None else older.priority
    properties["cluster"] = {"id": migrated.flat_cluster_id(properties["cluster"]["id"])}
    if "outputDirectories" in properties:
        properties["outputDirectories"] = [
            {"type": "custom", "createNew": True, **entry} for entry in job.definition["outputDirectories"]
        ]
    info = properties.get("executionInfo", {})
    info.pop("totalJobNodeHours", None)
    for error in info.get("errors", ()):
        error["code"] = _CODES.get(error["code"], error["code"])
        error.pop("category", None)
    workspace = job.key.experiment.workspace
    path = f"{migrated.group_path(workspace)}/jobs/{job.key.name}"
    return {"id": path, "name": job.key.name, "type": "Microsoft.BatchAI/Jobs", "properties": properties}


def write_file_server(server: FileServer) -> dict[str, Any]:
    """Write a file server as GET gives it."""
    body = newer.write_file_server(server)
    properties = body["properties"]
    ssh = properties["sshConfiguration"]
    properties["sshConfiguration"] = {**ssh, "userAccountSettings": _account(ssh["userAccountSettings"])}
    properties["mountSettings"]["fileServerType"] = "nfs"
    return _tracked(body, server.key, "FileServers", server.definition)


shows_file = newer.shows_file


def write_file(entry: FolderEntry, url: str) -> dict[str, Any]:
    """Write an entry of ``listOutputFiles``."""
    body = newer.write_file(entry, url)
    del body["fileType"]
    return {"name": body.pop("name"), "isDirectory": entry.is_directory, **body}


def cluster_names(key: ClusterKey) -> tuple[str, ...]:
    """Name a cluster as an operation's ``resourceId`` does."""
    return key.workspace.subscription, key.workspace.group, key.name


def job_names(key: JobKey) -> tuple[str, ...]:
    """Name a job as an operation's ``resourceId`` does."""
    workspace = key.experiment.workspace
    return workspace.subscription, workspace.group, key.name


def _account(settings: Mapping[str, Any]) -> dict[str, Any]:
    names = {"adminUserSshPublicKey": "adminUserSSHPublicKey"}
    return {names.get(name, name): value for name, value in settings.items()}


def _tracked(
    body: Mapping[str, Any], key: ClusterKey, kind: str, definition: Mapping[str, Any]
) -> dict[str, Any]:
    """Write what stands in a resource group itself, with its location and tags."""
    entity: dict[str, Any] = {
        "id": f"{migrated.group_path(key.workspace)}/{kind.lower()}/{key.name}",
        "name": key.name,
        "type": f"Microsoft.BatchAI/{kind}",
        "location": migrated.location_of(key.workspace),
    }
    tags = older_fields(definition).tags
    if tags is not None:
        entity["tags"] = tags
    return {**entity, "properties": body["properties"]}
