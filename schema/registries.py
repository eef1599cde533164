"""Container images and the registries that they come from: credentials go to one registry alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from batchai_scenario.schema.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DOCKER_HUB = "docker.io"
"""Where an image comes from whose name begins with no host."""

_ALSO_DOCKER_HUB = {
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
    "hub.docker.com",
    "registry.docker.io",
}


def image_host(image: str) -> str:
    """Give the host of an image's registry, as the engine reads the image's name."""
    first, slash, _ = image.strip().partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return _plain(first) if named else DOCKER_HUB


def server_host(server_url: str) -> str:
    """Give the host (and port) of a ``serverUrl``, which may or may not begin with a scheme."""
    text = server_url.strip()
    return _plain(urlsplit(text if "//" in text else f"//{text}").netloc.rpartition("@")[2])


def _plain(host: str) -> str:
    host = host.lower()
    for port in (":443", ":80"):
        host = host.removesuffix(port)
    return DOCKER_HUB if host in _ALSO_DOCKER_HUB else host


def registry_faults(properties: Mapping[str, Any], where: str = "properties") -> Iterator[Fault]:
    """Find an image that does not come from the registry that the job names for it; ``where`` is their path.

    An engine sends credentials to the host that the image's name begins with, wherever they were meant for.
    """
    registry: Any = properties.get("containerSettings")
    registry = registry.get("imageSourceRegistry") if isinstance(registry, dict) else None
    if not isinstance(registry, dict):
        return
    image, server = registry.get("image"), registry.get("serverUrl")
    if not (isinstance(image, str) and isinstance(server, str) and server.strip()):
        return
    path = f"{where}.containerSettings.imageSourceRegistry".lstrip(".")
    host = server_host(server)
    if not host:
        yield Fault(f"{path}.serverUrl", "it names no host")
    elif image_host(image) != host:
        why = (
            "it must begin with the host of serverUrl, HOST/NAME:TAG: an engine asks the host that the name "
            "begins with, and would send the credentials there"
        )
        yield Fault(f"{path}.image", why)
