"""Azure's own addresses, cloud by cloud: whose host a name is, and where an account's endpoint is.

The names are those that ``az cloud list`` printed in 2018 for the public cloud and the sovereign ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

Service = Literal["file", "blob"]
HostKind = Literal["management", "login", "graph", "file", "blob"]

SERVICES: tuple[Service, ...] = ("file", "blob")
"""Storage services that stand in for ``<account>.<service>.<storage suffix>``."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """One of Azure's clouds.

    All are host names but ``name``. ``classic`` is the older management host, which lives on as the
    audience of tokens. ``logins``: the first is what documents of this cloud name.
    ``graph`` is Azure AD Graph, ``new_graph`` Microsoft Graph.
    """

    name: str
    management: str
    classic: str
    logins: tuple[str, ...]
    storage_suffix: str
    portal: str
    gallery: str
    graph: str
    new_graph: str
    key_vault_suffix: str

    @property
    def audiences(self) -> tuple[str, ...]:
        """Audiences of tokens for the resource manager, without a trailing slash."""
        return f"https://{self.classic}", f"https://{self.management}"


CLOUDS = (
    Cloud(
        "AzureCloud",
        "management.azure.com",
        "management.core.windows.net",
        ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"),
        "core.windows.net",
        "portal.azure.com",
        "gallery.azure.com",
        "graph.windows.net",
        "graph.microsoft.com",
        "vault.azure.net",
    ),
    Cloud(
        "AzureChinaCloud",
        "management.chinacloudapi.cn",
        "management.core.chinacloudapi.cn",
        ("login.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
        "core.chinacloudapi.cn",
        "portal.azure.cn",
        "gallery.chinacloudapi.cn",
        "graph.chinacloudapi.cn",
        "microsoftgraph.chinacloudapi.cn",
        "vault.azure.cn",
    ),
    Cloud(
        "AzureUSGovernment",
        "management.usgovcloudapi.net",
        "management.core.usgovcloudapi.net",
        ("login.microsoftonline.us", "login-us.microsoftonline.com"),
        "core.usgovcloudapi.net",
        "portal.azure.us",
        "gallery.usgovcloudapi.net",
        "graph.windows.net",
        "graph.microsoft.us",
        "vault.usgovcloudapi.net",
    ),
    Cloud(
        "AzureGermanCloud",
        "management.microsoftazure.de",
        "management.core.cloudapi.de",
        ("login.microsoftonline.de",),
        "core.cloudapi.de",
        "portal.microsoftazure.de",
        "gallery.cloudapi.de",
        "graph.cloudapi.de",
        "graph.microsoft.de",
        "vault.microsoftazure.de",
    ),
)

AUDIENCES = tuple(audience for cloud in CLOUDS for audience in cloud.audiences)
"""Audiences of tokens for the resource manager, in every cloud."""


@dataclass(frozen=True, slots=True)
class CloudHost:
    """What a host name stands for; ``account`` is empty but for storage, ``host`` but for the directory."""

    kind: HostKind
    cloud: Cloud
    account: str = ""
    host: str = ""


def fixed_hosts() -> list[str]:
    """List the hosts whose whole name is known: management, login and the directory, cloud by cloud."""
    found = [
        host for cloud in CLOUDS for host in (cloud.management, *cloud.logins, cloud.graph, cloud.new_graph)
    ]
    return list(dict.fromkeys(found))


def storage_domains() -> list[str]:
    """List the domains right below which accounts have their hosts."""
    return [f"{service}.{cloud.storage_suffix}" for cloud in CLOUDS for service in SERVICES]


@lru_cache(maxsize=512)
def place_of(host: str) -> CloudHost | None:
    """Tell what a host (``name`` or ``name:port``, in any case) stands for; None if it is not Azure's."""
    name = host.partition(":")[0].rstrip(".").lower()
    for cloud in CLOUDS:
        if name == cloud.management:
            return CloudHost("management", cloud)
        if name in cloud.logins:
            return CloudHost("login", cloud)
        if name in (cloud.graph, cloud.new_graph):
            return CloudHost("graph", cloud, host=name)
        for service in SERVICES:
            account, dot, domain = name.partition(".")
            if dot and account and domain == f"{service}.{cloud.storage_suffix}":
                return CloudHost(service, cloud, account)
    return None


def _place_of_url(url: str) -> CloudHost | None:
    return place_of(urlsplit(url).netloc.rpartition("@")[2])


OWN_PATHS = frozenset({"blob", "metadata", "providers", "subscriptions", "tenants"})
"""First parts of paths at the emulator's own address that are no account's; no account may be called so."""


def storage_url(base_url: str, account: str, service: Service = "file") -> str:
    """Give an account's endpoint as the client that used ``base_url`` will reach it; no slash at its end.

    A client that knows Azure's addresses gets the account's own host; one that came to the emulator's
    address gets that with the account as first part of the path, behind ``blob/`` for containers.
    """
    place = _place_of_url(base_url)
    if place is None:
        return (
            f"{base_url.rstrip('/')}/{account}"
            if service == "file"
            else f"{base_url.rstrip('/')}/blob/{account}"
        )
    return f"{urlsplit(base_url).scheme}://{account}.{service}.{place.cloud.storage_suffix}"


def login_url(base_url: str) -> str:
    """Give the address that issues tokens, as the client that used ``base_url`` will reach it."""
    place = _place_of_url(base_url)
    if place is None or place.kind == "login":
        return base_url.rstrip("/")
    return f"https://{place.cloud.logins[0]}"
