"""The ids by which jobs name their clusters."""

from __future__ import annotations

import re

from batchai_scenario.emulator.batchai.refusals import invalid_value

_NESTED = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/([^/]+)/providers/microsoft\.batchai"
    r"/workspaces/([^/]+)/clusters/([^/]+)/?",
    re.IGNORECASE,
)
_FLAT = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/([^/]+)/providers/microsoft\.batchai/clusters/([^/]+)/?",
    re.IGNORECASE,
)


def cluster_names(cluster_id: str, path: str) -> tuple[str, str, str, str]:
    """Take a cluster's id apart: subscription, group, workspace, cluster."""
    match = _NESTED.fullmatch(cluster_id)
    if match is None:
        raise invalid_value(path, "it is no id of a cluster in a workspace")
    return match.group(1), match.group(2), match.group(3), match.group(4)


def flat_cluster_names(cluster_id: str, path: str) -> tuple[str, str, str]:
    """Take a cluster's id of a flat API version apart: subscription, group, cluster."""
    match = _FLAT.fullmatch(cluster_id)
    if match is None:
        raise invalid_value(path, "it is no id of a cluster in a resource group")
    return match.group(1), match.group(2), match.group(3)
