"""What Microsoft.Storage tells of itself: SKUs, usages, and the operations that are served here.

``python -m batchai_scenario.emulator.storage.management.catalogue`` prints the page
``docs/storage-management.md``; a test asks for each row over the wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ACCOUNTS = 250
"""Accounts in a region of a subscription (the service's default limit); told, not enforced."""

SKUS = {
    "Standard_LRS": ("Storage", "StorageV2", "BlobStorage"),
    "Standard_GRS": ("Storage", "StorageV2", "BlobStorage"),
    "Standard_RAGRS": ("Storage", "StorageV2", "BlobStorage"),
    "Standard_ZRS": ("Storage", "StorageV2"),
    "Standard_GZRS": ("Storage", "StorageV2"),
    "Standard_RAGZRS": ("Storage", "StorageV2"),
    "Premium_LRS": ("Storage", "StorageV2", "BlockBlobStorage", "FileStorage"),
    "Premium_ZRS": ("BlockBlobStorage", "FileStorage"),
}
"""Name -> kinds of accounts that may have it."""

KINDS = ("Storage", "StorageV2", "BlobStorage", "BlockBlobStorage", "FileStorage")


class ManagementOperation(NamedTuple):
    """A row of the page: ``path`` is below ``A``, the account, or begins with a slash."""

    name: str
    method: str
    path: str
    served: str = "yes"


OPERATIONS = (
    ManagementOperation("StorageAccounts_CheckNameAvailability", "POST", "/checkNameAvailability"),
    ManagementOperation("StorageAccounts_Create", "PUT", "A"),
    ManagementOperation("StorageAccounts_Update", "PATCH", "A", "tags and SKU"),
    ManagementOperation("StorageAccounts_GetProperties", "GET", "A"),
    ManagementOperation("StorageAccounts_Delete", "DELETE", "A"),
    ManagementOperation("StorageAccounts_List", "GET", "/storageAccounts"),
    ManagementOperation("StorageAccounts_ListByResourceGroup", "GET", "/storageAccounts (of a group)"),
    ManagementOperation("StorageAccounts_ListKeys", "POST", "A/listKeys"),
    ManagementOperation("StorageAccounts_RegenerateKey", "POST", "A/regenerateKey"),
    ManagementOperation("StorageAccounts_ListAccountSAS", "POST", "A/ListAccountSas"),
    ManagementOperation(
        "StorageAccounts_ListServiceSAS", "POST", "A/ListServiceSas", "of shares, files, blobs, containers"
    ),
    ManagementOperation("Skus_List", "GET", "/skus"),
    ManagementOperation("Usages_List, Usage_List", "GET", "/usages"),
    ManagementOperation("Usages_ListByLocation", "GET", "/locations/L/usages"),
    ManagementOperation("BlobServices_List", "GET", "A/blobServices"),
    ManagementOperation("BlobServices_GetServiceProperties", "GET", "A/blobServices/default"),
    ManagementOperation("BlobServices_SetServiceProperties", "PUT", "A/blobServices/default", "CORS rules"),
    ManagementOperation("BlobContainers_List", "GET", "A/blobServices/default/containers"),
    ManagementOperation(
        "BlobContainers_Create", "PUT", "A/blobServices/default/containers/C", "private ones"
    ),
    ManagementOperation("BlobContainers_Update", "PATCH", "A/blobServices/default/containers/C"),
    ManagementOperation("BlobContainers_Get", "GET", "A/blobServices/default/containers/C"),
    ManagementOperation("BlobContainers_Delete", "DELETE", "A/blobServices/default/containers/C"),
    ManagementOperation("FileServices_List", "GET", "A/fileServices"),
    ManagementOperation("FileServices_GetServiceProperties", "GET", "A/fileServices/default"),
    ManagementOperation(
        "FileServices_SetServiceProperties",
        "PUT",
        "A/fileServices/default",
        "CORS rules, retention of deleted shares",
    ),
    ManagementOperation("FileShares_List", "GET", "A/fileServices/default/shares"),
    ManagementOperation("FileShares_Create", "PUT", "A/fileServices/default/shares/S"),
    ManagementOperation("FileShares_Update", "PATCH", "A/fileServices/default/shares/S"),
    ManagementOperation("FileShares_Get", "GET", "A/fileServices/default/shares/S"),
    ManagementOperation(
        "FileShares_Delete", "DELETE", "A/fileServices/default/shares/S", "without snapshots"
    ),
    ManagementOperation("FileShares_Restore", "POST", "A/fileServices/default/shares/S/restore"),
)


def skus(regions: Sequence[str]) -> dict[str, Any]:
    """Give the body of ``GET .../skus``: each SKU and kind, in every region."""
    return {
        "value": [
            {
                "resourceType": "storageAccounts",
                "name": name,
                "tier": name.partition("_")[0],
                "kind": kind,
                "locations": list(regions),
                "capabilities": [],
                "restrictions": [],
            }
            for name, kinds in SKUS.items()
            for kind in kinds
        ]
    }


def usages(count: int) -> dict[str, Any]:
    """Give the body of ``GET .../usages`` for a number of accounts."""
    name = {"value": "StorageAccounts", "localizedValue": "Storage Accounts"}
    return {"value": [{"unit": "Count", "currentValue": count, "limit": MOST_ACCOUNTS, "name": name}]}


def page() -> str:
    """Write ``docs/storage-management.md``."""
    rows = "\n".join(f"| {row.name} | {row.method} | `{row.path}` | {row.served} |" for row in OPERATIONS)
    return f"""# Microsoft.Storage: operations of the resource manager

Made by `python -m batchai_scenario.emulator.storage.management.catalogue > docs/storage-management.md`: do
not edit. `A` is `/storageAccounts/ACCOUNT`, and all paths stand below
`/subscriptions/S[/resourceGroups/G]/providers/Microsoft.Storage`. A version newer than those that are known
is served as the newest, with a `Warning`. What has no row here is refused: 404 `InvalidResourceType` with its
name. A property of a service, share or container that would have no effect here is refused by its path, a
query parameter (`$expand` except `deleted` of shares, `include`, `$filter`) and `x-ms-snapshot` by its
name. A share that has snapshots stays: its own endpoint deletes them. Of an account location, tags, SKU and
kind are kept; its other properties are as the answer tells, whatever was asked.

| operation | method | path | served |
| --- | --- | --- | --- |
{rows}
"""


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - it is what this program is for
