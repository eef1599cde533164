"""Usages and quotas: figures in the order of each API version (recorded traffic)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.messages import ArmResponse
from batchai_scenario.emulator.batchai.tree import WORKSPACE, workspace_key
from batchai_scenario.emulator.batchai.versions.quotas import CLUSTERS
from batchai_scenario.emulator.batchai.versions.registry import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchai_scenario.emulator.arm.messages import ArmRequest
    from batchai_scenario.emulator.batchai.tree import Tree
    from batchai_scenario.emulator.cluster.model import Cluster
    from batchai_scenario.emulator.cluster.ports import ClusterService

_D_CORES = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 11: 2, 12: 4, 13: 8, 14: 16, 15: 20}
"""Number in a D size's name -> vCPUs; in N sizes the number itself is the count."""

_SIZE = re.compile(r"STANDARD_(D|NC|ND|NV)(\d+)[a-z]*(?:_(v\d))?")


def usages(request: ArmRequest, tree: Tree, clusters: ClusterService) -> ArmResponse:
    """Answer ``.../locations/L/usages``."""
    location = request.types[0][1].replace(" ", "").lower()
    found = [
        cluster
        for workspace in tree.list(WORKSPACE)
        if workspace.body["subscription"].lower() == request.subscription.lower()
        and workspace.body["location"] == location
        for cluster in clusters.list_clusters(workspace_key(workspace))
    ]
    quotas = version_of(request).QUOTAS
    assert quotas is not None  # noqa: S101 - versions without usages have no such resource
    items = [_item("Clusters", len(found), CLUSTERS)]
    for priority in quotas.priorities:
        cores = _cores(one for one in found if one.definition["vmPriority"] == priority.value)
        total = f"Total Cluster {priority.word} Regional vCPUs"
        items.append(_item(total, sum(cores.values()), priority.limit))
        items += [
            _item(f"Standard {family} Family Cluster {priority.word} vCPUs", cores.get(family, 0), limit)
            for family, limit in priority.families.items()
        ]
    if quotas.jobs is not None:
        active = sum(clusters.count_jobs(cluster.key) for cluster in found)
        items.append(_item("ActiveJobs", active, quotas.jobs))
    return ArmResponse(200, {"value": items})


def _cores(clusters: Iterable[Cluster]) -> dict[str, int]:
    """Count vCPUs of allocated nodes by family; sizes of no known family count as none."""
    cores: dict[str, int] = {}
    for cluster in clusters:
        match = _SIZE.fullmatch(cluster.definition["vmSize"])
        if match is None:
            continue
        stem, size, generation = match.groups()
        each = _D_CORES.get(int(size), 0) if stem == "D" else int(size)
        family = f"{stem}{generation or ''}"
        cores[family] = cores.get(family, 0) + each * len(cluster.nodes)
    return cores


def _item(name: str, value: int, limit: int) -> dict[str, Any]:
    shown = name.replace("LowPriority", "Low Priority").replace("ActiveJobs", "Active Jobs")
    return {
        "unit": "Count",
        "currentValue": value,
        "limit": limit,
        "name": {"value": name, "localizedValue": shown},
    }
