"""What a cloud says of itself: ``GET /metadata/endpoints``, asked when a command line registers a cloud."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from batchai_scenario.emulator.clouds import AUDIENCES, CLOUDS, Cloud, place_of

LISTED_SINCE = "2019-05-01"
"""From this api-version on the answer is a list of clouds and says more of each."""

EMULATED = "BatchAIEmulator"
"""Name of the cloud that is the emulator at its own address."""


def cloud_metadata(base_url: str, api_version: str) -> dict[str, Any] | list[dict[str, Any]]:
    """Describe the cloud at an address; no token is needed.

    At Azure's own hosts this is what Azure says (the list then holds all clouds); at the emulator's address
    every endpoint is the emulator's.
    """
    place = place_of(urlsplit(base_url).netloc)
    if place is None:
        described = _own(base_url)
        return [described] if api_version >= LISTED_SINCE else _short(described)
    if api_version >= LISTED_SINCE:
        return [_described(cloud) for cloud in CLOUDS]
    return _short(_described(place.cloud))


def _short(described: dict[str, Any]) -> dict[str, Any]:
    login = described["authentication"]
    return {
        "galleryEndpoint": described["gallery"],
        "graphEndpoint": described["graph"],
        "portalEndpoint": described["portal"],
        "authentication": {"loginEndpoint": login["loginEndpoint"], "audiences": login["audiences"]},
    }


def _described(cloud: Cloud) -> dict[str, Any]:
    return {
        "portal": f"https://{cloud.portal}",
        "authentication": {
            "loginEndpoint": f"https://{cloud.logins[0]}/",
            "audiences": [f"{audience}/" for audience in cloud.audiences],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graphAudience": f"https://{cloud.graph}/",
        "graph": f"https://{cloud.graph}/",
        "name": cloud.name,
        "suffixes": {"keyVaultDns": cloud.key_vault_suffix, "storage": cloud.storage_suffix},
        "resourceManager": f"https://{cloud.management}/",
        "gallery": f"https://{cloud.gallery}/",
    }


def _own(base_url: str) -> dict[str, Any]:
    return {
        "portal": base_url,
        "authentication": {
            "loginEndpoint": base_url,
            "audiences": [f"{audience}/" for audience in AUDIENCES],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graphAudience": base_url,
        "graph": base_url,
        "name": EMULATED,
        "suffixes": {},
        "resourceManager": base_url,
        "gallery": base_url,
    }
