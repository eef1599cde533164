"""Addresses of a cluster's nodes: which network they are taken from."""

from __future__ import annotations

import hashlib
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFERRED = "10.0.0.0/24"
"""The service's own: published programs name its addresses."""

LOOPBACK = "127."
"""What subnets begin with whose nodes have no network of their own."""

_OTHERS = [f"10.{number}.0.0/24" for number in (1, 2, 77, 177, 233)]

LOOPBACK_MPI = {
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl_tcp_if_include": "lo",
    "OMPI_MCA_oob_tcp_if_include": "lo",
}
"""Keeps Open MPI to the loopback where nodes share the machine's network.

It would take any interface that it finds instead, and hang when that goes, as bridges of containers do.
"""


def free_subnet() -> str:
    """Choose the network of a cluster: the service's own unless this machine has routes into it."""
    routes = list(_routes())
    for text in (PREFERRED, *_OTHERS):
        network = ipaddress.IPv4Network(text)
        if not any(network.overlaps(route) for route in routes):
            return text
    return PREFERRED


def _routes() -> Iterable[ipaddress.IPv4Network]:
    """List this machine's routes, without the default one."""
    try:
        lines = Path("/proc/net/route").read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        fields = line.split()
        network, mask = (ipaddress.IPv4Address(bytes.fromhex(fields[i])[::-1]) for i in (1, 7))
        if int(mask):
            yield ipaddress.IPv4Network(f"{network}/{mask}", strict=False)


def loopback_subnet(cluster: str) -> str:
    """Choose loopback addresses for a cluster's nodes that hardly another cluster has."""
    digest = hashlib.sha256(cluster.encode()).digest()
    return f"127.{1 + digest[0] % 254}.{digest[1]}.0/24"


def gateway(subnet: str) -> str:
    """Give the address at which nodes reach this machine's loopback, and everything else through it."""
    return str(ipaddress.IPv4Network(subnet).network_address + 2)
