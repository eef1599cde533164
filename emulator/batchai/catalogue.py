"""The provider's operations, as ``GET /providers/Microsoft.BatchAI/operations`` lists them."""

from __future__ import annotations

from typing import Any

from emulator.batchai.tree import NAMESPACE

_OPERATIONS = (
    ("workspaces", "read", "List or get workspaces"),
    ("workspaces", "write", "Create or update a workspace"),
    ("workspaces", "delete", "Delete a workspace"),
    ("workspaces/experiments", "read", "List or get experiments"),
    ("workspaces/experiments", "write", "Create an experiment"),
    ("workspaces/experiments", "delete", "Delete an experiment"),
    ("workspaces/clusters", "read", "List or get clusters"),
    ("workspaces/clusters", "write", "Create or update a cluster"),
    ("workspaces/clusters", "delete", "Delete a cluster"),
    ("workspaces/clusters", "remoteLoginInformation/action", "List how to log in to a cluster's nodes"),
    ("workspaces/fileservers", "read", "List or get file servers"),
    ("workspaces/fileservers", "write", "Create a file server"),
    ("workspaces/fileservers", "delete", "Delete a file server"),
    ("workspaces/experiments/jobs", "read", "List or get jobs"),
    ("workspaces/experiments/jobs", "write", "Create a job"),
    ("workspaces/experiments/jobs", "delete", "Delete a job"),
    ("workspaces/experiments/jobs", "terminate/action", "Terminate a job"),
    ("workspaces/experiments/jobs", "remoteLoginInformation/action", "List how to log in to a job's nodes"),
    ("workspaces/experiments/jobs", "listoutputfiles/action", "List a job's output files"),
    ("locations/usages", "read", "List usages and quotas"),
    ("locations/operationresults", "read", "Get a long-running operation"),
    ("locations/operationstatuses", "read", "Get a long-running operation's status"),
)


def operations(*, flat: bool) -> dict[str, Any]:
    """List what the provider can do; before workspaces, everything stood in a resource group itself."""
    listed = [(_flat_resource(resource), verb, text) for resource, verb, text in _OPERATIONS]
    shown = [item for item in listed if item[0]] if flat else _OPERATIONS
    return {
        "value": [
            {
                "name": f"{NAMESPACE}/{resource}/{verb}",
                "display": {
                    "provider": "Microsoft Batch AI",
                    "resource": resource,
                    "operation": text,
                    "description": text,
                },
                "origin": "user,system",
            }
            for resource, verb, text in shown
        ]
    }


def _flat_resource(resource: str) -> str:
    """Name a resource as flat API versions do; empty for what they did not have."""
    last = resource.rpartition("/")[2]
    if not resource.startswith("workspaces"):
        return resource
    return last if last in ("clusters", "jobs", "fileservers") else ""
