"""Which operation a request asks for, and what it needs: method, ``restype`` and ``comp`` decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from batchai_scenario.emulator.storage import copying, handles, permissions, policies, renaming, snapshots
from batchai_scenario.emulator.storage import directory_operations as directories
from batchai_scenario.emulator.storage import file_operations as files
from batchai_scenario.emulator.storage import range_operations as ranges
from batchai_scenario.emulator.storage import service_operations as service
from batchai_scenario.emulator.storage import share_operations as shares
from batchai_scenario.emulator.storage.conditions import refuse_conditions
from batchai_scenario.emulator.storage.errors import bad_query, failure, not_built
from batchai_scenario.emulator.storage.lookup import look_up
from batchai_scenario.emulator.storage.premium import may_ask
from batchai_scenario.emulator.storage.share_listing import list_shares

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context


class FilesRoute(NamedTuple):
    """An operation, its level in ``Grant`` and the permissions one of which it needs."""

    run: Callable[[Context, Call], Awaitable[Response]]
    level: str
    permissions: str


_SERVICE = {
    ("GET", "", "list"): FilesRoute(list_shares, "s", "l"),
    ("GET", "service", "properties"): FilesRoute(service.get_properties, "s", "r"),
    ("PUT", "service", "properties"): FilesRoute(service.set_properties, "s", "w"),
    ("POST", "service", "userdelegationkey"): FilesRoute(service.get_delegation_key, "s", "r"),
}
_SHARE = {
    ("PUT", "share", ""): FilesRoute(shares.create_share, "c", "cw"),
    ("GET", "share", ""): FilesRoute(shares.get_share, "c", "r"),
    ("DELETE", "share", ""): FilesRoute(shares.delete_share, "c", "d"),
    ("GET", "share", "metadata"): FilesRoute(shares.get_share_metadata, "c", "r"),
    ("PUT", "share", "metadata"): FilesRoute(shares.set_share_metadata, "c", "w"),
    ("PUT", "share", "properties"): FilesRoute(shares.set_share_properties, "c", "w"),
    ("GET", "share", "stats"): FilesRoute(shares.get_share_stats, "c", "r"),
    ("GET", "share", "acl"): FilesRoute(policies.get_acl, "k", "r"),
    ("PUT", "share", "acl"): FilesRoute(policies.set_acl, "k", "w"),
    ("PUT", "share", "undelete"): FilesRoute(shares.restore_share, "c", "cw"),
    ("PUT", "share", "lease"): FilesRoute(shares.lease_share, "c", "wd"),
    ("PUT", "share", "snapshot"): FilesRoute(snapshots.create_snapshot, "c", "cw"),
    ("PUT", "share", "filepermission"): FilesRoute(permissions.create_permission, "c", "cw"),
    ("GET", "share", "filepermission"): FilesRoute(permissions.get_permission, "c", "r"),
}
_DIRECTORY = {
    ("PUT", "directory", ""): FilesRoute(directories.create_directory, "d", "cw"),
    ("GET", "directory", ""): FilesRoute(directories.get_directory, "d", "r"),
    ("DELETE", "directory", ""): FilesRoute(directories.delete_directory, "d", "d"),
    ("GET", "directory", "list"): FilesRoute(directories.list_directory, "l", "l"),
    ("GET", "directory", "metadata"): FilesRoute(directories.get_directory_metadata, "d", "r"),
    ("PUT", "directory", "metadata"): FilesRoute(directories.set_directory_metadata, "d", "w"),
    ("PUT", "directory", "properties"): FilesRoute(directories.set_directory_properties, "d", "w"),
    ("PUT", "directory", "rename"): FilesRoute(renaming.rename_directory, "d", "w"),
}
_FILE = {
    ("PUT", "", ""): FilesRoute(files.create_file, "o", "cw"),
    ("GET", "", ""): FilesRoute(files.get_file, "o", "r"),
    ("HEAD", "", ""): FilesRoute(files.head_file, "o", "r"),
    ("DELETE", "", ""): FilesRoute(files.delete_file, "o", "d"),
    ("GET", "", "metadata"): FilesRoute(files.get_file_metadata, "o", "r"),
    ("PUT", "", "metadata"): FilesRoute(files.set_file_metadata, "o", "w"),
    ("PUT", "", "properties"): FilesRoute(files.set_file_properties, "o", "w"),
    ("PUT", "", "range"): FilesRoute(ranges.put_range, "o", "w"),
    ("GET", "", "rangelist"): FilesRoute(ranges.list_ranges, "o", "r"),
    ("PUT", "", "rename"): FilesRoute(renaming.rename_file, "o", "w"),
    ("PUT", "", "lease"): FilesRoute(files.lease_file, "o", "wd"),
    ("PUT", "", "copy"): FilesRoute(copying.abort_copy, "o", "w"),
}
_HANDLES = {
    ("GET", "", "listhandles"): FilesRoute(handles.list_handles, "d", "l"),
    ("PUT", "", "forceclosehandles"): FilesRoute(handles.force_close_handles, "d", "w"),
}
_CONDITIONAL = frozenset(
    {
        *(route.run for route in _FILE.values() if route.run is not renaming.rename_file),
        copying.copy_file,
        ranges.put_range_from_url,
    }
)
"""What looks at conditional headers (``If-Match`` and its kin)."""

_ON_SNAPSHOTS = (shares.delete_share, shares.lease_share)
"""What may be done to a share snapshot besides reading it."""

_COPY = FilesRoute(copying.copy_file, "o", "cw")
_PUT_RANGE_FROM_URL = FilesRoute(ranges.put_range_from_url, "o", "w")
_NOT_BUILT_KINDS = {
    "symboliclink": "NFS shares (restype=symboliclink)",
    "hardlink": "NFS shares (restype=hardlink)",
}
_NOT_BUILT_HEADERS = {
    "x-ms-root-squash": "NFS shares (x-ms-root-squash)",
    "x-ms-mode": "NFS shares (x-ms-mode)",
    "x-ms-owner": "NFS shares (x-ms-owner)",
    "x-ms-group": "NFS shares (x-ms-group)",
    "x-ms-file-mode-copy-mode": "NFS shares (x-ms-file-mode-copy-mode)",
    "x-ms-file-owner-copy-mode": "NFS shares (x-ms-file-owner-copy-mode)",
    "x-ms-link-text": "NFS shares (x-ms-link-text)",
    "x-ms-file-target-file": "NFS shares (x-ms-file-target-file)",
    "x-ms-file-file-type": "NFS shares (x-ms-file-file-type)",
    "x-ms-enable-snapshot-virtual-directory-access": "NFS shares (their snapshot directories)",
    "x-ms-share-provisioned-iops": "provisioned shares (x-ms-share-provisioned-iops)",
    "x-ms-share-provisioned-bandwidth-mibps": "provisioned shares (x-ms-share-provisioned-bandwidth-mibps)",
    "x-ms-share-paid-bursting-enabled": "bursting of other accounts (x-ms-share-paid-bursting-enabled)",
    "x-ms-share-paid-bursting-max-iops": "bursting of other accounts (x-ms-share-paid-bursting-max-iops)",
    "x-ms-share-paid-bursting-max-bandwidth-mibps": "paid bursting of other accounts (its bandwidth)",
}
_NAMED_HEADERS = frozenset(_NOT_BUILT_HEADERS)


def find_operation(call: Call) -> FilesRoute:
    """Find the operation that a request asks for.

    Raises:
        StorageError: NotImplemented (501) for what the service has and this emulator has not;
            InvalidQueryParameterValue, InvalidUri, UnsupportedHttpVerb for what no service has;
            ConditionHeadersNotSupported for conditions that nothing looks at.
    """
    kind, component = call.query.get("restype", "").lower(), call.query.get("comp", "").lower()
    _refuse_unbuilt(call, kind)
    operation = _find(call, kind, component)
    if call.snapshot and call.method not in ("GET", "HEAD") and operation.run not in _ON_SNAPSHOTS:
        raise failure("ShareSnapshotOperationNotSupported")
    if call.method == "PUT" and "x-ms-copy-source" in call.headers and kind == "":
        if component in ("", "copy"):
            operation = _COPY
        elif component == "range":
            operation = _PUT_RANGE_FROM_URL
    if operation.run not in _CONDITIONAL:
        refuse_conditions(call)
    return operation


def _find(call: Call, kind: str, component: str) -> FilesRoute:
    if not call.share:
        table = _SERVICE
    elif kind == "share" and not call.parts:
        table = _SHARE
    elif kind in ("", "directory") and component in ("listhandles", "forceclosehandles"):
        table, kind = _HANDLES, ""
    elif kind == "directory":
        table = _DIRECTORY
    elif kind == "" and call.parts:
        table = _FILE
    else:
        raise bad_query("restype", kind) if kind else failure("InvalidUri")
    return look_up(table, call.method, kind, component)


def _refuse_unbuilt(call: Call, kind: str) -> None:
    what = _NOT_BUILT_KINDS.get(kind)
    if what is None and call.headers.get("x-ms-enabled-protocols", "SMB").upper() != "SMB":
        what = "NFS shares (x-ms-enabled-protocols)"
    if what is None and not _NAMED_HEADERS.isdisjoint(call.headers):
        named = (name for name in call.headers if name in _NOT_BUILT_HEADERS)
        what = next((_NOT_BUILT_HEADERS[name] for name in named if not may_ask(call, kind, name)), None)
    if what is not None:
        raise not_built(what)
