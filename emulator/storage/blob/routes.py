"""Which operation on containers and blobs a request asks for, and what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from batchai_scenario.emulator.storage.blob import blob_operations as blobs
from batchai_scenario.emulator.storage.blob import block_operations as blocks
from batchai_scenario.emulator.storage.blob import container_operations as containers
from batchai_scenario.emulator.storage.blob import copying
from batchai_scenario.emulator.storage.blob.listing import list_blobs
from batchai_scenario.emulator.storage.conditions import refuse_conditions
from batchai_scenario.emulator.storage.errors import bad_query, failure, not_built
from batchai_scenario.emulator.storage.lookup import look_up

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response

    from batchai_scenario.emulator.storage.blob.call import BlobCall
    from batchai_scenario.emulator.storage.blob.context import BlobContext


class BlobRoute(NamedTuple):
    """An operation, its level in ``Grant`` and the permissions one of which it needs."""

    run: Callable[[BlobContext, BlobCall], Awaitable[Response]]
    level: str
    permissions: str


_SERVICE = {
    ("GET", "", "list"): BlobRoute(containers.list_containers, "s", "l"),
    ("GET", "service", "properties"): BlobRoute(containers.get_properties, "s", "r"),
    ("PUT", "service", "properties"): BlobRoute(containers.set_properties, "s", "w"),
    ("POST", "service", "userdelegationkey"): BlobRoute(containers.get_delegation_key, "s", "r"),
}
_CONTAINER = {
    ("PUT", "container", ""): BlobRoute(containers.create_container, "c", "cw"),
    ("GET", "container", ""): BlobRoute(containers.get_container, "c", "r"),
    ("GET", "container", "metadata"): BlobRoute(containers.get_container, "c", "r"),
    ("PUT", "container", "metadata"): BlobRoute(containers.set_container_metadata, "c", "w"),
    ("DELETE", "container", ""): BlobRoute(containers.delete_container, "c", "d"),
    ("GET", "container", "acl"): BlobRoute(containers.get_container_acl, "k", "r"),
    ("PUT", "container", "acl"): BlobRoute(containers.set_container_acl, "k", "w"),
    ("GET", "container", "list"): BlobRoute(list_blobs, "l", "l"),
}
_BLOB = {
    ("PUT", "", ""): BlobRoute(blobs.put_blob, "o", "cw"),
    ("GET", "", ""): BlobRoute(blobs.get_blob, "o", "r"),
    ("HEAD", "", ""): BlobRoute(blobs.head_blob, "o", "r"),
    ("DELETE", "", ""): BlobRoute(blobs.delete_blob, "o", "d"),
    ("GET", "", "metadata"): BlobRoute(blobs.get_blob_metadata, "o", "r"),
    ("PUT", "", "metadata"): BlobRoute(blobs.set_blob_metadata, "o", "w"),
    ("PUT", "", "properties"): BlobRoute(blobs.set_blob_properties, "o", "w"),
    ("PUT", "", "block"): BlobRoute(blocks.put_block, "o", "cw"),
    ("PUT", "", "copy"): BlobRoute(copying.abort_copy, "o", "w"),
    ("PUT", "", "blocklist"): BlobRoute(blocks.put_block_list, "o", "cw"),
    ("GET", "", "blocklist"): BlobRoute(blocks.get_block_list, "o", "r"),
}
_UNCONDITIONAL = frozenset(
    {
        *(route.run for route in _SERVICE.values()),
        containers.create_container,
        containers.get_container,
        containers.get_container_acl,
        list_blobs,
        blocks.put_block,
        blocks.get_block_list,
        copying.put_block_from_url,
    }
)
"""What looks at no conditional headers (``If-Match`` and its kin)."""

_COPIES = {
    "": BlobRoute(copying.copy_blob, "o", "cw"),
    "block": BlobRoute(copying.put_block_from_url, "o", "cw"),
}
_NOT_BUILT = {
    "appendblock": "append blobs (comp=appendblock)",
    "batch": "batches of blob requests (comp=batch)",
    "blobs": "searches by blob tags (comp=blobs)",
    "expiry": "expiry of blobs (comp=expiry)",
    "immutabilitypolicies": "immutable blobs (comp=immutabilityPolicies)",
    "incrementalcopy": "page blobs (comp=incrementalcopy)",
    "lease": "leases of containers and blobs (comp=lease)",
    "legalhold": "immutable blobs (comp=legalhold)",
    "page": "page blobs (comp=page)",
    "pagelist": "page blobs (comp=pagelist)",
    "query": "queries of blob contents (comp=query)",
    "rename": "renames of containers (comp=rename)",
    "seal": "append blobs (comp=seal)",
    "snapshot": "snapshots of blobs (comp=snapshot)",
    "stats": "statistics of the blob service (comp=stats)",
    "tags": "blob tags (comp=tags)",
    "tier": "access tiers (comp=tier)",
    "undelete": "soft deletion (comp=undelete)",
}
_NOT_BUILT_KINDS = {
    "account": "account information (restype=account)",
    "directory": "hierarchical namespaces (restype=directory)",
}
_NOT_BUILT_QUERY = {
    "deletetype": "permanent deletion (deletetype)",
    "endbefore": "listings between two names (endBefore)",
    "prevsnapshot": "snapshots of blobs (prevsnapshot)",
    "snapshot": "snapshots of blobs (snapshot)",
    "showonly": "hierarchical namespaces (showonly)",
    "startfrom": "listings between two names (startFrom)",
    "versionid": "versions of blobs (versionid)",
    "where": "searches by blob tags (where)",
}
_KINDS = {
    "access tiers": (
        "x-ms-access-tier",
        "x-ms-access-tier-if-modified-since",
        "x-ms-access-tier-if-unmodified-since",
        "x-ms-rehydrate-priority",
    ),
    "append blobs": ("x-ms-blob-condition-appendpos", "x-ms-blob-condition-maxsize", "x-ms-seal-blob"),
    "blob tags": ("x-ms-tags", "x-ms-if-tags", "x-ms-source-if-tags", "x-ms-copy-source-tag-option"),
    "conditions on tags": (
        "x-ms-blob-if-match",
        "x-ms-blob-if-modified-since",
        "x-ms-blob-if-none-match",
        "x-ms-blob-if-unmodified-since",
    ),
    "encryption scopes": (
        "x-ms-default-encryption-scope",
        "x-ms-deny-encryption-scope-override",
        "x-ms-encryption-scope",
    ),
    "expiry of blobs": ("x-ms-expiry-option", "x-ms-expiry-time"),
    "immutable blobs": (
        "x-ms-immutability-policy-mode",
        "x-ms-immutability-policy-until-date",
        "x-ms-legal-hold",
    ),
    "keys of customers": (
        "x-ms-encryption-algorithm",
        "x-ms-encryption-key",
        "x-ms-encryption-key-sha256",
        "x-ms-source-encryption-algorithm",
        "x-ms-source-encryption-key",
        "x-ms-source-encryption-key-sha256",
    ),
    "leases of containers and blobs": ("x-ms-lease-id", "x-ms-source-lease-id"),
    "page blobs": (
        "x-ms-blob-content-length",
        "x-ms-blob-sequence-number",
        "x-ms-if-sequence-number-eq",
        "x-ms-if-sequence-number-le",
        "x-ms-if-sequence-number-lt",
        "x-ms-page-write",
        "x-ms-previous-snapshot-url",
        "x-ms-sequence-number-action",
    ),
    "renames of containers": ("x-ms-source-container-name",),
    "soft deletion": ("x-ms-deleted-container-name", "x-ms-deleted-container-version"),
}
_NOT_BUILT_HEADERS = {name: f"{what} ({name})" for what, names in _KINDS.items() for name in names}


def find_operation(call: BlobCall) -> BlobRoute:
    """Find the operation that a request asks for.

    Raises:
        StorageError: NotImplemented (501) for what the service has and this emulator has not, by name;
            InvalidQueryParameterValue, InvalidUri, UnsupportedHttpVerb for what no service has;
            ConditionHeadersNotSupported for conditions that nothing looks at.
    """
    kind, component = call.query.get("restype", "").lower(), call.query.get("comp", "").lower()
    _refuse_unbuilt(call, kind, component)
    if not call.share:
        table = _SERVICE
    elif kind == "container" and not call.parts:
        table = _CONTAINER
    elif kind == "" and call.parts:
        table = _BLOB
    else:
        raise bad_query("restype", kind) if kind else failure("InvalidUri")
    if (
        table is _BLOB
        and call.method == "PUT"
        and "x-ms-copy-source" in call.headers
        and component in _COPIES
    ):
        operation = _COPIES[component]
    else:
        operation = look_up(table, call.method, kind, component)
    if operation.run in _UNCONDITIONAL:
        refuse_conditions(call)
    return operation


def _refuse_unbuilt(call: BlobCall, kind: str, component: str) -> None:
    what = _NOT_BUILT.get(component) or _NOT_BUILT_KINDS.get(kind)
    for table, given in ((_NOT_BUILT_QUERY, call.query), (_NOT_BUILT_HEADERS, call.headers)):
        if what is None:
            what = next((text for name, text in table.items() if name in given), None)
    if what is not None:
        raise not_built(what)
