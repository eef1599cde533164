"""What the provider keeps of its own: file servers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.cluster.model import ClusterKey


@dataclass(frozen=True, slots=True)
class FileServer:
    """A file server: ``state`` holds its provisioning state and times as they are written.

    ``key`` names it as a cluster would be named: a workspace and a name. Its addresses are what clients
    are told; nobody listens there: its disk is mounted and not served.
    """

    key: ClusterKey
    definition: Mapping[str, Any]
    state: Mapping[str, Any]
    public_address: str = "127.0.0.1"
    internal_address: str = "10.0.0.4"

    @property
    def subnet(self) -> str:
        """The id of its subnet: the one that was asked for, else as the service made them (recorded)."""
        asked: str = (self.definition.get("subnet") or {}).get("id", "")
        made = uuid.uuid5(uuid.NAMESPACE_URL, f"{self.key.id} {self.state['creationTime']}")
        return asked or (
            f"/subscriptions/{self.key.workspace.subscription}/resourceGroups/fileserverrg-{made}"
            f"/providers/Microsoft.Network/virtualNetworks/{made}vnet/subnets/Subnet-1"
        )
