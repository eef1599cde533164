"""Azure's public regions as the resource manager knows them, and those in which Batch AI was offered."""

from __future__ import annotations

REGIONS = {
    "eastus": "East US",
    "eastus2": "East US 2",
    "centralus": "Central US",
    "northcentralus": "North Central US",
    "southcentralus": "South Central US",
    "westcentralus": "West Central US",
    "westus": "West US",
    "westus2": "West US 2",
    "westus3": "West US 3",
    "canadacentral": "Canada Central",
    "canadaeast": "Canada East",
    "mexicocentral": "Mexico Central",
    "brazilsouth": "Brazil South",
    "brazilsoutheast": "Brazil Southeast",
    "chilecentral": "Chile Central",
    "northeurope": "North Europe",
    "westeurope": "West Europe",
    "uksouth": "UK South",
    "ukwest": "UK West",
    "francecentral": "France Central",
    "francesouth": "France South",
    "germanynorth": "Germany North",
    "germanywestcentral": "Germany West Central",
    "switzerlandnorth": "Switzerland North",
    "switzerlandwest": "Switzerland West",
    "italynorth": "Italy North",
    "spaincentral": "Spain Central",
    "polandcentral": "Poland Central",
    "austriaeast": "Austria East",
    "norwayeast": "Norway East",
    "norwaywest": "Norway West",
    "swedencentral": "Sweden Central",
    "israelcentral": "Israel Central",
    "qatarcentral": "Qatar Central",
    "uaecentral": "UAE Central",
    "uaenorth": "UAE North",
    "southafricanorth": "South Africa North",
    "southafricawest": "South Africa West",
    "eastasia": "East Asia",
    "southeastasia": "Southeast Asia",
    "japaneast": "Japan East",
    "japanwest": "Japan West",
    "koreacentral": "Korea Central",
    "koreasouth": "Korea South",
    "centralindia": "Central India",
    "southindia": "South India",
    "westindia": "West India",
    "indonesiacentral": "Indonesia Central",
    "malaysiawest": "Malaysia West",
    "australiacentral": "Australia Central",
    "australiacentral2": "Australia Central 2",
    "australiaeast": "Australia East",
    "australiasoutheast": "Australia Southeast",
    "newzealandnorth": "New Zealand North",
}
"""Name -> display name: where groups and storage accounts may be."""

BATCH_AI_REGIONS = {
    name: REGIONS[name]
    for name in (
        "eastus",
        "eastus2",
        "northcentralus",
        "southcentralus",
        "westus2",
        "northeurope",
        "westeurope",
        "uksouth",
        "southeastasia",
        "australiaeast",
    )
}
"""Name -> display name. Our decision: the service's own list grew over its life."""


def normal_region(text: str) -> str:
    """Write a location as the service does: ``East US`` is ``eastus``."""
    return text.replace(" ", "").lower()
