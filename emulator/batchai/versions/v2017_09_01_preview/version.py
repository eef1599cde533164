"""Api-version 2017-09-01-preview: requests in, entities out, as differences from 2018-03-01.

Known from recorded traffic of October 2017 and later (the first weeks of that version spelt enumerations
otherwise), and from the models of SDK 0.2.0.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.batchai.refusals import invalid_value
from batchai_scenario.emulator.batchai.versions.v2018_03_01 import version as newer
from batchai_scenario.emulator.batchai.versions.v2018_05_01 import version as newest
from batchai_scenario.emulator.state.clock import wire_time
from batchai_scenario.schema.layout import Layout
from batchai_scenario.schema.older import older_fields, with_older

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.batchai.model import FileServer
    from batchai_scenario.emulator.batchai.ports import FolderEntry
    from batchai_scenario.emulator.cluster.model import Cluster, Job

    Read = tuple[dict[str, Any], dict[str, str]]

VERSION = "2017-09-01-preview"
FLAT = True
LAYOUT = Layout.FIRST
FOLDERS = False
FOLDERS_TWICE = False
QUOTAS = None
FINAL = "operationresults"
"""Both headers of an operation lead to one URL (recorded traffic)."""
NAME = newer.NAME
OPERATIONS = newer.FLAT_OPERATIONS

read_cluster_update = newer.read_cluster_update
cluster_names = newer.cluster_names
job_names = newer.job_names

_UNKNOWN = frozenset({"jobOutputDirectoryPathSegment", "mountVolumes", "secrets", "pyTorchSettings"})
_UNKNOWN_TOOLKITS = frozenset({"pyTorchSettings", "customMpiSettings", "horovodSettings"})
_FIRST, _SINCE = "credentialsInfo", "credentials"
"""What a volume's credentials were called in the first weeks, and since."""

_CODES = {"JobPreparationFailed": "JobNodePreparationFailed"}
_TEXTS = {
    "Job failed with non-zero exit code": " job failed with non-zero exit code",
    "Job preparation task failed with non-zero exit code": (
        " job node preparation task failed with non-zero exit code"
    ),
}


def read_cluster(body: Mapping[str, Any] | None) -> Read:
    """Read the body of a cluster's PUT: definition and secrets; ServiceError 400."""
    from batchai_scenario.emulator.batchai.versions.v2017_09_01_preview import models

    first = _is_first(body or {})
    model = models.FirstCluster if first else models.PreviewCluster
    definition, secrets = newer.finish_cluster(model, body, LAYOUT)
    if first:
        definition = with_older(definition, replace(older_fields(definition), first_weeks=True))
        secrets = {name.replace(f"/{_FIRST}/", f"/{_SINCE}/"): value for name, value in secrets.items()}
    return _renamed(definition, _FIRST, _SINCE), secrets


def read_job(body: Mapping[str, Any] | None) -> Read:
    """Read the body of a job's PUT: definition and secrets; ServiceError 400."""
    from batchai_scenario.emulator.batchai.versions.v2017_09_01_preview import models

    def read() -> dict[str, Any]:
        definition = newest.read_job_body(models.PreviewJob, body, _UNKNOWN_TOOLKITS)
        if "masterCommandLineArgs" not in definition.get("tensorFlowSettings", {"masterCommandLineArgs": ""}):
            raise invalid_value("properties.tensorFlowSettings.masterCommandLineArgs", "it is required")
        del definition["constraints"]["maxRetryCount"]
        return definition

    return newer.finish_job(read, body, LAYOUT)


def read_file_server(body: Mapping[str, Any] | None) -> dict[str, Any]:
    """Read the body of a file server's PUT; ServiceError 400."""
    from batchai_scenario.emulator.batchai.versions.v2017_09_01_preview import models

    return newer.finish_file_server(models.PreviewFileServer, body, LAYOUT)


def write_cluster(cluster: Cluster) -> dict[str, Any]:
    """Write a cluster as GET gives it; it does not say where a setup task's files are.

    In the first weeks it said when the cluster was changed, and had a ``subnet``, if an empty one (recorded).
    """
    body = newer.write_cluster(cluster)
    body["properties"].get("nodeSetup", {}).get("setupTask", {}).pop("stdOutErrPathSuffix", None)
    if older_fields(cluster.definition).first_weeks:
        properties = {"subnet": {}, "lastModified": wire_time(cluster.changed_at), **body["properties"]}
        body["properties"] = _renamed(properties, _SINCE, _FIRST)
    return body


def _is_first(body: Mapping[str, Any]) -> bool:
    """Tell whether a body is written as SDK 0.1.0 and the command line of October 2017 did (recorded)."""
    return f'"{_FIRST.lower()}"' in json.dumps(body).lower()


def _renamed(properties: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """Rename a property of each volume of a cluster."""
    setup = properties.get("nodeSetup") or {}
    volumes = {
        kind: [{new if name == old else name: value for name, value in item.items()} for item in items]
        for kind, items in (setup.get("mountVolumes") or {}).items()
    }
    return {**properties, "nodeSetup": {**setup, "mountVolumes": volumes}} if volumes else properties


def write_job(job: Job) -> dict[str, Any]:
    """Write a job as GET gives it."""
    body = newer.write_job(job)
    properties = {name: value for name, value in body["properties"].items() if name not in _UNKNOWN}
    properties["constraints"] = {**properties["constraints"], "maxRetryCount": 0}
    for error in properties.get("executionInfo", {}).get("errors", ()):
        error["code"] = _CODES.get(error["code"], error["code"])
        error["message"] = _TEXTS.get(error["message"], error["message"])
    return {**body, "properties": properties}


def write_file_server(server: FileServer) -> dict[str, Any]:
    """Write a file server as GET gives it; of its disks it told two things more (recorded)."""
    body = newer.write_file_server(server)
    properties = body["properties"]
    properties["mountSettings"]["mountPoint"] = "/mnt/data"
    properties["dataDisks"] = {"fileSystemType": "BRTFS", "raidLevel": "NoRaid", **properties["dataDisks"]}
    return body


def shows_file(name: str, /) -> bool:
    """Tell whether lists show a file: they held no log of the node agent's (recorded)."""
    return not (name.startswith("execution") and name.endswith(".log"))


def write_file(entry: FolderEntry, url: str) -> dict[str, Any]:
    """Write an entry of ``listOutputFiles``; there are only files."""
    body = newer.write_file(entry, url)
    del body["isDirectory"]
    return body
