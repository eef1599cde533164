"""Every operation of the three published descriptions: what answers is tested by asking for each.

``python -m batchai_scenario.emulator.batchai.served`` prints the page ``docs/operations.md``; a test holds
the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD = """# Batch AI: operations

Made by `python -m batchai_scenario.emulator.batchai.served > docs/operations.md`: do not edit.
Names are those of the published descriptions. A row that is not *served* says with what error it is refused.
Each is tested. What a body may say is told in [front.md](front.md) and [api-versions.md](api-versions.md).
The operations of Azure Files have a page of their own, [files-operations.md](files-operations.md).

`P` is `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI`, and
`S` is `/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI`.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """An operation: ``path`` as in the description; ``refused`` says with what error, empty: it is served."""

    name: str
    method: str
    path: str
    refused: str = ""


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


def page() -> str:
    """Write the page: a count and a table for each API version."""
    lines = [_HEAD]
    for version, rows in ROWS.items():
        served = sum(not row.refused for row in rows)
        lines += [f"## {version}", "", f"{served} of {len(rows)} operations are served.", ""]
        lines += ["| operation | request | |", "|---|---|---|"]
        for row in sorted(rows, key=lambda row: row.name):
            path = row.path.replace(_GROUP, "P").replace(_SUBSCRIPTION, "S")
            lines.append(f"| {row.name} | `{row.method} {path}` | {row.refused or 'served'} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - a page for a file
