"""How an API version writes down its operations: names and paths are those of the published descriptions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """An operation: ``path`` as in the description; ``refused`` says with what error, empty: it is served."""

    name: str
    method: str
    path: str
    refused: str = ""


SUBSCRIPTION = "/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI"
GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI"
WORKSPACE = f"{GROUP}/workspaces/{{workspaceName}}"
EXPERIMENT = f"{WORKSPACE}/experiments/{{experimentName}}"


def resource(name: str, parent: str, segment: str, parameter: str, verbs: str) -> list[Row]:
    """Write the operations of one resource, named by its verbs."""
    path = f"{parent}/{segment}/{{{parameter}}}"
    methods = {"Create": "PUT", "Update": "PATCH", "Get": "GET", "Delete": "DELETE"}
    rows = [Row(f"{name}_{verb}", methods[verb], path) for verb in verbs.split() if verb in methods]
    actions = [verb for verb in verbs.split() if verb not in methods]
    return rows + [Row(f"{name}_{verb}", "POST", f"{path}/{verb[0].lower()}{verb[1:]}") for verb in actions]


def lists(name: str, segment: str, **parents: str) -> list[Row]:
    """Write the operations that list a resource: their verb and where."""
    return [Row(f"{name}_{verb}", "GET", f"{parent}/{segment}") for verb, parent in parents.items()]


_LOGINS = "ListRemoteLoginInformation"
CLUSTER = f"Create Update Get Delete {_LOGINS}"
JOB = f"Create Get Delete Terminate ListOutputFiles {_LOGINS}"
FILE_SERVER = "Create Get Delete"
PARENTS = {"List": SUBSCRIPTION, "ListByResourceGroup": GROUP}
OPERATIONS = Row("Operations_List", "GET", "/providers/Microsoft.BatchAI/operations")
USAGES = f"{SUBSCRIPTION}/locations/{{location}}/usages"
