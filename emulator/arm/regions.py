"""Azure's regions as the emulator knows them: those in which Batch AI was offered."""

from __future__ import annotations

REGIONS = {
    "eastus": "East US",
    "eastus2": "East US 2",
    "northcentralus": "North Central US",
    "southcentralus": "South Central US",
    "westus2": "West US 2",
    "northeurope": "North Europe",
    "westeurope": "West Europe",
    "uksouth": "UK South",
    "southeastasia": "Southeast Asia",
    "australiaeast": "Australia East",
}
"""Name -> display name. Our decision: the service's own list grew over its life."""


def normal_region(text: str) -> str:
    """Write a location as the service does: ``East US`` is ``eastus``."""
    return text.replace(" ", "").lower()
