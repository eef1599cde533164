"""The provider's operations, as ``GET /providers/Microsoft.BatchAI/operations`` lists them.

Names and their order are the service's (the published descriptions' examples); the texts are ours.
"""

from __future__ import annotations

from typing import Any

from batchai_scenario.emulator.batchai.tree import NAMESPACE

_FLAT = (
    "clusters/read",
    "clusters/write",
    "clusters/delete",
    "clusters/listRemoteLoginInformation",
    "jobs/read",
    "jobs/write",
    "jobs/delete",
    "jobs/terminate/action",
    "jobs/listRemoteLoginInformation",
    "fileservers/read",
    "fileservers/write",
    "fileservers/delete",
)

_NESTED = (
    "workspaces/read",
    "workspaces/write",
    "workspaces/delete",
    "workspaces/experiments/read",
    "workspaces/experiments/write",
    "workspaces/experiments/delete",
    "clusters/read",
    "workspaces/clusters/read",
    "workspaces/clusters/write",
    "workspaces/clusters/delete",
    "workspaces/clusters/remoteLoginInformation/action",
    "workspaces/experiments/jobs/read",
    "workspaces/experiments/jobs/write",
    "workspaces/experiments/jobs/delete",
    "workspaces/experiments/jobs/terminate/action",
    "workspaces/experiments/jobs/remoteLoginInformation/action",
    "workspaces/experiments/jobs/listoutputfiles/action",
    "fileservers/read",
    "workspaces/fileservers/read",
    "workspaces/fileservers/write",
    "workspaces/fileservers/delete",
    "locations/usages/read",
    "register/action",
    "unregister/action",
    "locations/operationresults/read",
    "locations/operationstatuses/read",
)

_NOUNS = {
    "workspaces": "workspaces",
    "experiments": "experiments",
    "clusters": "clusters",
    "jobs": "jobs",
    "fileservers": "file servers",
    "usages": "usages and quotas",
    "operationresults": "long-running operations",
    "operationstatuses": "states of long-running operations",
    "": "the resource provider",
}
_VERBS = {
    "read": "Read {}",
    "write": "Create or change {}",
    "delete": "Delete {}",
    "terminate": "Terminate {}",
    "remoteLoginInformation": "List how to log in to nodes of {}",
    "listRemoteLoginInformation": "List how to log in to nodes of {}",
    "listoutputfiles": "List output files of {}",
    "register": "Register {}",
    "unregister": "Unregister {}",
}


def operations(*, flat: bool) -> dict[str, Any]:
    """List the operations; before workspaces, everything stood in a resource group itself."""
    return {"value": [_operation(name) for name in (_FLAT if flat else _NESTED)]}


def _operation(name: str) -> dict[str, Any]:
    resource, _, verb = name.removesuffix("/action").rpartition("/")
    noun = _NOUNS[resource.rpartition("/")[2]]
    text = _VERBS[verb].format(noun)
    return {
        "name": f"{NAMESPACE}/{name}",
        "display": {
            "provider": "Microsoft Batch AI",
            "resource": noun.capitalize(),
            "operation": text,
            "description": text,
        },
        "origin": "user,system",
    }
