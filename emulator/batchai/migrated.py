"""Where resources of the flat API versions live: the workspace and experiment of the service's own migration.

For each location of a resource group, old resources were put into a workspace ``migrated-<location>``,
jobs there into an experiment ``migrated`` (documentation of the migration, June 2018). Here they live
there from the start (our decision), so that newer clients see them, and nothing else is seen by old ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchai_scenario.emulator.cluster.model import WorkspaceKey

if TYPE_CHECKING:
    from batchai_scenario.emulator.state.store import Document

EXPERIMENT_NAME = "migrated"

_PREFIX = "migrated-"
_CLUSTER_ID = re.compile(
    r"(?P<group>/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.batchai)"
    r"/workspaces/migrated-[^/]+/clusters/(?P<name>[^/]+)",
    re.IGNORECASE,
)


def home_key(subscription: str, group: str, location: str) -> WorkspaceKey:
    """Name the workspace of a group's flat resources in a location."""
    return WorkspaceKey(subscription, group, f"{_PREFIX}{location}")


def location_of(workspace: WorkspaceKey) -> str:
    """Tell the location of such a workspace."""
    return workspace.workspace[len(_PREFIX) :].lower()


def is_home(found: Document) -> bool:
    """Tell whether a workspace is one of flat resources."""
    name: str = found.body["name"]
    location: str = found.body["location"]
    return name.lower() == f"{_PREFIX}{location}"


def group_path(workspace: WorkspaceKey) -> str:
    """Give the path below which flat resources are named."""
    group = f"/subscriptions/{workspace.subscription}/resourceGroups/{workspace.group}"
    return f"{group}/providers/Microsoft.BatchAI"


def flat_cluster_id(cluster_id: str) -> str:
    """Write a cluster's id as flat versions do, if it is one that they see."""
    match = _CLUSTER_ID.fullmatch(cluster_id)
    return f"{match['group']}/clusters/{match['name']}" if match else cluster_id
