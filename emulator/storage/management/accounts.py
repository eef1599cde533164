"""A storage account as the resource manager reads and shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from batchai_scenario.emulator.arm.bodies import invalid_content, read_all, read_tags
from batchai_scenario.emulator.clouds import place_of, storage_url
from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.storage.management.catalogue import KINDS, SKUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from batchai_scenario.emulator.storage.accounts import Account


DEFAULT_SKU = "Standard_LRS"


def sku_of(body: Mapping[str, Any]) -> str:
    """Read ``sku.name``; empty if it is not said."""
    sku = body.get("sku")
    if sku is not None and not isinstance(sku, dict):
        raise invalid_content("sku must be an object. Path 'sku'", "sku")
    return _one_of((sku or {}).get("name"), SKUS, "sku.name")


def kind_of(body: Mapping[str, Any]) -> str:
    """Read ``kind``; empty if it is not said."""
    return _one_of(body.get("kind"), KINDS, "kind")


def _one_of(value: object, known: Iterable[str], path: str) -> str:
    """Give a value as the service writes it, from any case; empty for none."""
    if value is None or value == "":
        return ""
    found = {name.lower(): name for name in known}.get(str(value).lower())
    if found is None:
        text = f"The value '{value}' of '{path}' is not allowed; it is one of {', '.join(known)}."
        raise ServiceError(400, "InvalidRequestPropertyValue", text, path)
    return found


def merged_definition(account: Account, body: Mapping[str, Any]) -> dict[str, Any]:
    """Give an account's definition with what a body changes in it."""
    definition = dict(account.definition)
    tags, sku = read_all(lambda: read_tags(body), lambda: sku_of(body))
    if "tags" in body:
        definition["tags"] = tags or {}
    definition["sku"] = sku or definition["sku"]
    return definition


def account_body(account: Account, base_url: str, blob_url: str) -> dict[str, Any]:
    """Show an account; ``blob_url``: where containers are, if not behind ``base_url``."""
    kept = account.definition
    sku = kept["sku"]
    enabled = {"enabled": True, "lastEnabledTime": kept["created"]}
    return {
        "sku": {"name": sku, "tier": sku.partition("_")[0]},
        "kind": kept["kind"],
        "id": account_id(account),
        "name": account.name,
        "type": "Microsoft.Storage/storageAccounts",
        "location": kept["location"],
        "tags": kept["tags"],
        "properties": {
            "creationTime": kept["created"],
            "encryption": {
                "keySource": "Microsoft.Storage",
                "services": {"blob": dict(enabled), "file": dict(enabled)},
            },
            "networkAcls": {
                "bypass": "AzureServices",
                "defaultAction": "Allow",
                "ipRules": [],
                "virtualNetworkRules": [],
            },
            "primaryEndpoints": _endpoints(account.name, base_url, blob_url),
            "primaryLocation": kept["location"],
            "provisioningState": "Succeeded",
            "statusOfPrimary": "available",
            "supportsHttpsTrafficOnly": False,
        },
    }


def account_id(account: Account) -> str:
    """Give an account's resource id."""
    kept = account.definition
    return (
        f"/subscriptions/{kept['subscription']}/resourceGroups/{kept['group']}"
        f"/providers/Microsoft.Storage/storageAccounts/{account.name}"
    )


def _endpoints(account: str, base_url: str, blob_url: str) -> dict[str, str]:
    """Give the URLs of an account's services; those of queues and tables lead nowhere here."""
    file, blob = storage_url(base_url, account), storage_url(base_url, account, "blob")
    if blob_url and place_of(urlsplit(base_url).netloc) is None:
        host, port = urlsplit(base_url).hostname or "", urlsplit(blob_url).port
        blob = f"http://{f'[{host}]' if ':' in host else host}:{port}/{account}"
    named = {"blob": blob, "file": file}
    for service in ("queue", "table"):
        hosted = f"//{account}.file."
        named[service] = (
            file.replace(hosted, f"//{account}.{service}.")
            if hosted in file
            else f"{base_url.rstrip('/')}/{service}/{account}"
        )
    return {service: f"{url}/" for service, url in sorted(named.items())}
