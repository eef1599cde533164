"""What the emulator does not do of what the service did: refused by name, never ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.schema.faults import Fault
from batchai_scenario.schema.unsupported import unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchai_scenario.training.toolkits.registry import Toolkits

_VOLUMES = {
    f"{kind}[*].{name}.accountKeySecretReference": "give the accountKey"
    for kind in ("azureFileShares", "azureBlobFileSystems")
    for name in ("credentials", "credentialsInfo")  # as all but the first SDK, and as that wrote it
}

_COUNTERS = "nodeSetup.performanceCountersSettings.appInsightsReference"
REFUSED_IN_CLUSTER = {
    f"{_COUNTERS}.instrumentationKeySecretReference": "give the instrumentationKey",
    "nodeSetup.setupTask.secrets[*].valueSecretReference": "give the value",
    **{f"nodeSetup.mountVolumes.{name}": instead for name, instead in _VOLUMES.items()},
}
"""Property of a cluster -> what to do instead; docs/differences.md has the reasons."""

REFUSED_IN_JOB = {
    **{f"mountVolumes.{name}": instead for name, instead in _VOLUMES.items()},
    "containerSettings.imageSourceRegistry.credentials.passwordSecretReference": "give the password",
    "secrets[*].valueSecretReference": "give the value",
}
"""Property of a job -> what to do instead."""


def unsupported_in_cluster(properties: Mapping[str, Any]) -> Iterator[Fault]:
    """Find what a cluster has and the emulator does not do."""
    return unsupported(properties, REFUSED_IN_CLUSTER)


def unsupported_in_job(properties: Mapping[str, Any], toolkits: Toolkits) -> Iterator[Fault]:
    """Find what a job has and the emulator does not do."""
    yield from unsupported(properties, REFUSED_IN_JOB)
    known = ", ".join(toolkit.settings_name for toolkit in toolkits)
    for name in toolkits.names:
        if properties.get(name) is not None and name not in toolkits:
            yield Fault(f"properties.{name}", f"the toolkits are {known}", "unsupported")
