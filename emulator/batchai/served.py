"""Every operation of the three published descriptions: what answers is tested by asking for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.operations import Row

if TYPE_CHECKING:
    from collections.abc import Mapping

_SUBSCRIPTION = "/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI"
_GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI"
_WORKSPACE = f"{_GROUP}/workspaces/{{workspaceName}}"
_EXPERIMENT = f"{_WORKSPACE}/experiments/{{experimentName}}"


def _resource(name: str, parent: str, segment: str, parameter: str, verbs: str) -> list[Row]:
    """Write the operations of one resource, named by its verbs."""
    path = f"{parent}/{segment}/{{{parameter}}}"
    methods = {"Create": "PUT", "Update": "PATCH", "Get": "GET", "Delete": "DELETE"}
    rows = [Row(f"{name}_{verb}", methods[verb], path) for verb in verbs.split() if verb in methods]
    actions = [verb for verb in verbs.split() if verb not in methods]
    return rows + [Row(f"{name}_{verb}", "POST", f"{path}/{verb[0].lower()}{verb[1:]}") for verb in actions]


def _lists(name: str, segment: str, **parents: str) -> list[Row]:
    return [Row(f"{name}_{verb}", "GET", f"{parent}/{segment}") for verb, parent in parents.items()]


_LOGINS = "ListRemoteLoginInformation"
_CLUSTER = f"Create Update Get Delete {_LOGINS}"
_JOB = f"Create Get Delete Terminate ListOutputFiles {_LOGINS}"
_FILE_SERVER = "Create Get Delete"
_FLAT_PARENTS = {"List": _SUBSCRIPTION, "ListByResourceGroup": _GROUP}
_OPERATIONS = Row("Operations_List", "GET", "/providers/Microsoft.BatchAI/operations")
_USAGES = "/locations/{location}/usages"

_FLAT = [
    *_resource("Clusters", _GROUP, "clusters", "clusterName", _CLUSTER),
    *_lists("Clusters", "clusters", **_FLAT_PARENTS),
    *_resource("Jobs", _GROUP, "jobs", "jobName", _JOB),
    *_lists("Jobs", "jobs", **_FLAT_PARENTS),
    *_resource("FileServers", _GROUP, "fileServers", "fileServerName", _FILE_SERVER),
    *_lists("FileServers", "fileServers", **_FLAT_PARENTS),
    _OPERATIONS,
]

ROWS: Mapping[str, list[Row]] = {
    "2018-05-01": [
        *_resource("Workspaces", _GROUP, "workspaces", "workspaceName", "Create Update Get Delete"),
        *_lists("Workspaces", "workspaces", **_FLAT_PARENTS),
        *_resource("Experiments", _WORKSPACE, "experiments", "experimentName", "Create Get Delete"),
        *_lists("Experiments", "experiments", ListByWorkspace=_WORKSPACE),
        *_resource("Clusters", _WORKSPACE, "clusters", "clusterName", _CLUSTER),
        *_lists("Clusters", "clusters", ListByWorkspace=_WORKSPACE),
        *_resource("Jobs", _EXPERIMENT, "jobs", "jobName", _JOB),
        *_lists("Jobs", "jobs", ListByExperiment=_EXPERIMENT),
        *_resource("FileServers", _WORKSPACE, "fileServers", "fileServerName", _FILE_SERVER),
        *_lists("FileServers", "fileServers", ListByWorkspace=_WORKSPACE),
        Row("Usages_List", "GET", f"{_SUBSCRIPTION}{_USAGES}"),
        _OPERATIONS,
    ],
    "2018-03-01": [*_FLAT, Row("Usage_List", "GET", f"{_SUBSCRIPTION}{_USAGES}")],
    "2017-09-01-preview": _FLAT,
}
"""API version -> its operations."""
