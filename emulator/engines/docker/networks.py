"""A cluster's own bridge network, and the addresses of its nodes on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.engines.docker.api import network_name
from batchai_scenario.emulator.engines.labels import LABEL_HOME, is_orphan, labels
from batchai_scenario.emulator.engines.subnets import free_subnet
from batchai_scenario.emulator.errors import EngineError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker.errors import APIError

    from batchai_scenario.emulator.engines.base import Swept
    from batchai_scenario.emulator.engines.docker.api import Api
    from batchai_scenario.emulator.state.home import Home

_FIXED = "scenario.subnet"

_CHOICES = 10
"""How often the engine chooses a subnet before its refusal is told."""


class Networks:
    """Makes and removes networks; a network's name says whose it is, so any process finds it.

    Args:
        api: the engine's client.
        home: whose clusters these are.
    """

    def __init__(self, api: Api, home: Home) -> None:
        self._api = api
        self._home = home

    def make(self, cluster: str, subnet: str = "") -> str:
        """Make a cluster's network unless it is there; give its subnet.

        Args:
            cluster: the cluster's guid.
            subnet: what it must be, if nodes have addresses already; empty: the engine chooses.

        Raises:
            EngineError: the engine has no subnet left, or the wanted one is taken.
        """
        from docker.errors import APIError

        found = self._find(cluster)
        if found is not None and _FIXED in (found.get("Labels") or {}):
            return _subnet(found)
        try:
            if found is not None:
                self.drop(cluster)  # left by a process that died before it had fixed the subnet
            if not subnet and (preferred := self._create_preferred(cluster)):
                return preferred
            if not subnet:
                return self._create_chosen(cluster)
            self._create(cluster, subnet)
        except APIError as error:
            message = f"The cluster's network cannot be made: {error.explanation or error}"
            raise EngineError(Problem("InternalError", message)) from error
        return subnet

    def _create_preferred(self, cluster: str) -> str:
        """Make the network with the service's own subnet, or one like it; empty if the engine will not."""
        from docker.errors import APIError

        subnet = free_subnet()
        try:
            self._create(cluster, subnet)
        except APIError:
            return ""  # another network of the engine has it
        return subnet

    def _create_chosen(self, cluster: str) -> str:
        """Make the network with a subnet that the engine chooses.

        Only a subnet that was named lets containers have addresses of our choice, and only the engine knows
        which are free: it chooses, then the network is made again with its choice. In between somebody else
        may have been given the same: then it chooses once more.
        """
        from docker.errors import APIError

        for left in reversed(range(_CHOICES)):
            self._create(cluster)
            subnet = _subnet(self._find(cluster) or {})
            self.drop(cluster)
            try:
                self._create(cluster, subnet)
            except APIError:
                if not left:
                    raise
            else:
                break
        return subnet

    def _create(self, cluster: str, subnet: str = "") -> None:
        from docker.types import IPAMConfig, IPAMPool

        marks = labels(self._home, cluster)
        self._api.create_network(
            network_name(cluster),
            driver="bridge",
            ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]) if subnet else None,
            labels={**marks, _FIXED: subnet} if subnet else marks,
        )

    def _find(self, cluster: str) -> dict[str, Any] | None:
        name = network_name(cluster)
        found = self._api.networks(names=[name])
        return next((dict(network) for network in found if network["Name"] == name), None)

    def drop(self, cluster: str) -> None:
        """Remove a cluster's network if it is there."""
        from docker.errors import APIError, NotFound

        try:
            self._api.remove_network(network_name(cluster))
        except NotFound:
            return
        except APIError as error:
            message = f"The cluster's network cannot be removed: {self._why(network_name(cluster), error)}"
            raise EngineError(Problem("InternalError", message)) from error

    def sweep(self, keep: frozenset[str], swept: Swept) -> None:
        """Remove networks that belong to nobody."""
        from docker.errors import APIError, NotFound

        for network in self._api.networks(filters={"label": [LABEL_HOME]}):
            if is_orphan(network.get("Labels") or {}, self._home, keep):
                name = str(network["Name"])
                try:
                    self._api.remove_network(network["Id"])
                except NotFound:
                    continue
                except APIError as error:
                    swept.stays.append(f"network {name}: {self._why(name, error)}")
                else:
                    swept.removed.append(f"network {name}")

    def _why(self, network: str, error: APIError) -> str:
        """Say why the engine does not remove a network, and the way out: who is on it is not ours to end."""
        from docker.errors import APIError

        text = str(error.explanation or error).strip()
        try:
            found = self._api.inspect_network(network).get("Containers") or {}
        except APIError:
            found = {}
        names = sorted(str(item.get("Name") or key) for key, item in found.items())
        remedy = "".join(f" 'docker network disconnect -f {network} {name}' frees it." for name in names)
        return f"{text}.{remedy}"


def _subnet(network: Mapping[str, Any]) -> str:
    """Give a network's IPv4 subnet."""
    pools = (network.get("IPAM") or {}).get("Config") or ()
    return next((str(pool["Subnet"]) for pool in pools if "." in pool.get("Subnet", "")), "")
