"""The list of an account's shares, with their snapshots and those that were deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from batchai_scenario.emulator.storage import premium
from batchai_scenario.emulator.storage.call import XML, document, element
from batchai_scenario.emulator.storage.errors import StorageError, bad_query
from batchai_scenario.emulator.storage.paging import (
    MAX_RESULTS,
    echo,
    read_marker,
    service_endpoint,
    write_marker,
)
from batchai_scenario.emulator.storage.records import entity_tag
from batchai_scenario.emulator.storage.times import http_date

if TYPE_CHECKING:
    import os

    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context
    from batchai_scenario.emulator.storage.deleted import DeletedShare
    from batchai_scenario.emulator.storage.records import ShareRecord

_INCLUDES = {"metadata", "snapshots", "deleted"}
"""What a listing may include."""

_TOLD_SINCE = "2019-12-12"
_LEASE_ELEMENTS = {
    "x-ms-lease-status": "LeaseStatus",
    "x-ms-lease-state": "LeaseState",
    "x-ms-lease-duration": "LeaseDuration",
}


class _Row(NamedTuple):
    """A line of the list: a share, its snapshot of a time, or one that was deleted."""

    name: str
    snapshot: str = ""
    deleted: DeletedShare | None = None

    @property
    def key(self) -> str:
        """Give its place in the list: by name; of one name what was deleted, snapshots, then the share."""
        place = self.snapshot or "~"  # no time comes after it
        return f"{self.name}\0{place if self.deleted is None else '!' + self.deleted.version}"


async def list_shares(context: Context, call: Call) -> Response:
    """List shares by name, page by page; ``include`` adds snapshots, metadata and deleted shares."""
    include = {word.strip().lower() for word in call.query.get("include", "").split(",") if word.strip()}
    if not include <= _INCLUDES:
        raise bad_query("include", call.query["include"])
    limit = call.number("maxresults", MAX_RESULTS, 1, MAX_RESULTS)
    start = read_marker(call)
    found = [row for row in _rows(context, call, include, start.partition("\0")[0]) if row.key >= start]
    found.sort(key=lambda row: row.key)
    rows = [_share(context, call, row, include) for row in found[:limit]]
    following = write_marker(found[limit].key) if len(found) > limit else ""
    body = (
        f"<EnumerationResults ServiceEndpoint={service_endpoint(call)}>{echo(call)}"
        f"<Shares>{''.join(rows)}</Shares>{element('NextMarker', following)}</EnumerationResults>"
    )
    return call.answer(200, {}, document(body), content_type=XML)


def _rows(context: Context, call: Call, include: set[str], first: str) -> list[_Row]:
    """Give what is to be listed, from the name ``first`` on."""
    account, prefix = call.account.name, call.query.get("prefix", "")
    rows = []
    for name in context.shares.list(account):
        if name.startswith(prefix) and name >= first:
            rows.append(_Row(name))
            if "snapshots" in include:
                rows += [_Row(name, snapshot) for snapshot in context.shares.snapshots(account, name)]
    if "deleted" in include:
        gone = context.deleted.kept(account)
        rows += [_Row(share.name, deleted=share) for share in gone if share.name.startswith(prefix)]
    return rows


def _share(context: Context, call: Call, row: _Row, include: set[str]) -> str:
    gone = row.deleted
    try:
        record, status = (
            context.shares.read(call.account.name, row.name, row.snapshot)
            if gone is None
            else (gone.record, gone.status)
        )
    except StorageError:
        return ""  # it vanished meanwhile
    properties = _properties(context, call, row, record, status)
    which = element("Snapshot", row.snapshot) if row.snapshot else ""
    if gone is not None:
        which = element("Deleted", "true") + element("Version", gone.version)
        properties += element("DeletedTime", http_date(int(gone.at.timestamp())))
        properties += element("RemainingRetentionDays", str(gone.remaining))
    metadata = "".join(element(key, value) for key, value in record.metadata.items())
    extra = f"<Metadata>{metadata}</Metadata>" if "metadata" in include and metadata else ""
    return f"<Share>{element('Name', row.name)}{which}<Properties>{properties}</Properties>{extra}</Share>"


def _properties(context: Context, call: Call, row: _Row, record: ShareRecord, status: os.stat_result) -> str:
    properties = (
        element("Last-Modified", http_date(record.changed // 1_000_000_000))
        + element("Etag", entity_tag(status, record.changed, directory=True))
        + element("Quota", str(record.quota))
    )
    if call.version < _TOLD_SINCE:
        return properties
    told = premium.told(call.account, record)
    properties += "".join(element(tag, told[name]) for name, tag in premium.ELEMENTS.items() if name in told)
    properties += element("EnabledProtocols", "SMB")
    if row.deleted is not None:
        return properties
    at = f"@{row.snapshot}" if row.snapshot else ""
    lease = context.leases.headers(call, f"{call.account.name}/{row.name}{at}")
    return properties + "".join(
        element(tag, lease[header]) for header, tag in _LEASE_ELEMENTS.items() if header in lease
    )
