"""Which operation a request asks for, and what it needs: method, ``restype`` and ``comp`` decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from emulator.storage import directory_operations as directories
from emulator.storage import file_operations as files
from emulator.storage import range_operations as ranges
from emulator.storage import service_operations as service
from emulator.storage import share_operations as shares
from emulator.storage.errors import bad_query, failure, not_built

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response

    from emulator.storage.call import Call, Context


class Operation(NamedTuple):
    """An operation, its level in ``Grant`` and the permissions one of which it needs."""

    run: Callable[[Context, Call], Awaitable[Response]]
    level: str
    permissions: str


_SERVICE = {
    ("GET", "", "list"): Operation(service.list_shares, "s", "l"),
    ("GET", "service", "properties"): Operation(service.get_properties, "s", "r"),
}
_SHARE = {
    ("PUT", "share", ""): Operation(shares.create_share, "c", "cw"),
    ("GET", "share", ""): Operation(shares.get_share, "c", "r"),
    ("DELETE", "share", ""): Operation(shares.delete_share, "c", "d"),
    ("GET", "share", "metadata"): Operation(shares.get_share_metadata, "c", "r"),
    ("PUT", "share", "metadata"): Operation(shares.set_share_metadata, "c", "w"),
    ("PUT", "share", "properties"): Operation(shares.set_share_properties, "c", "w"),
    ("GET", "share", "stats"): Operation(shares.get_share_stats, "c", "r"),
}
_DIRECTORY = {
    ("PUT", "directory", ""): Operation(directories.create_directory, "d", "cw"),
    ("GET", "directory", ""): Operation(directories.get_directory, "d", "r"),
    ("DELETE", "directory", ""): Operation(directories.delete_directory, "d", "d"),
    ("GET", "directory", "list"): Operation(directories.list_directory, "l", "l"),
    ("GET", "directory", "metadata"): Operation(directories.get_directory_metadata, "d", "r"),
    ("PUT", "directory", "metadata"): Operation(directories.set_directory_metadata, "d", "w"),
    ("PUT", "directory", "properties"): Operation(directories.set_directory_properties, "d", "w"),
}
_FILE = {
    ("PUT", "", ""): Operation(files.create_file, "o", "cw"),
    ("GET", "", ""): Operation(files.get_file, "o", "r"),
    ("HEAD", "", ""): Operation(files.head_file, "o", "r"),
    ("DELETE", "", ""): Operation(files.delete_file, "o", "d"),
    ("GET", "", "metadata"): Operation(files.get_file_metadata, "o", "r"),
    ("PUT", "", "metadata"): Operation(files.set_file_metadata, "o", "w"),
    ("PUT", "", "properties"): Operation(files.set_file_properties, "o", "w"),
    ("PUT", "", "range"): Operation(ranges.put_range, "o", "w"),
    ("GET", "", "rangelist"): Operation(ranges.list_ranges, "o", "r"),
}
_NOT_BUILT = {
    "acl": "stored access policies (comp=acl)",
    "copy": "copies (comp=copy)",
    "filepermission": "permissions (comp=filepermission)",
    "forceclosehandles": "handles (comp=forceclosehandles)",
    "lease": "leases (comp=lease)",
    "listhandles": "handles (comp=listhandles)",
    "rename": "renaming (comp=rename)",
    "snapshot": "snapshots (comp=snapshot)",
    "undelete": "soft deletion (comp=undelete)",
}
_NOT_BUILT_HEADERS = {
    "x-ms-copy-source": "copies (x-ms-copy-source)",
    "x-ms-file-rename-source": "renaming (x-ms-file-rename-source)",
    "x-ms-enabled-protocols": "NFS shares (x-ms-enabled-protocols)",
    "x-ms-access-tier": "access tiers (x-ms-access-tier)",
}
_NOT_BUILT_QUERIES = {
    "sharesnapshot": "snapshots (sharesnapshot)",
    "prevsharesnapshot": "snapshots (prevsharesnapshot)",
}


def find_operation(call: Call) -> Operation:
    """Find the operation that a request asks for.

    Raises:
        StorageError: NotImplemented (501) for what the service has and this emulator has not;
            InvalidQueryParameterValue, InvalidUri, UnsupportedHttpVerb for what no service has.
    """
    kind, component = call.query.get("restype", "").lower(), call.query.get("comp", "").lower()
    _refuse_unbuilt(call, component)
    if not call.share:
        table = _SERVICE
    elif kind == "share" and not call.parts:
        table = _SHARE
    elif kind == "directory":
        table = _DIRECTORY
    elif kind == "" and call.parts:
        table = _FILE
    else:
        raise bad_query("restype", kind) if kind else failure("InvalidUri")
    operation = table.get((call.method, kind, component))
    if operation is None and call.method == "HEAD":
        operation = table.get(("GET", kind, component))
    if operation is not None:
        return operation
    if call.method == "PUT" and (kind, component) == ("service", "properties"):
        raise not_built("setting the service's properties")
    if any(key[1:] == (kind, component) for key in table):
        raise failure("UnsupportedHttpVerb")
    raise bad_query("comp", component) if component else bad_query("restype", kind)


def _refuse_unbuilt(call: Call, component: str) -> None:
    if component in _NOT_BUILT:
        raise not_built(_NOT_BUILT[component])
    for name, what in _NOT_BUILT_QUERIES.items():
        if call.query.get(name):
            raise not_built(what)
    for name, what in _NOT_BUILT_HEADERS.items():
        if call.headers.get(name):
            raise not_built(what)
    if call.headers.get("x-ms-lease-id"):
        raise failure("LeaseNotPresentWithFileOperation")
