"""Operations on a share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage import premium
from batchai_scenario.emulator.storage.call import XML, document, element, metadata_headers, stamps
from batchai_scenario.emulator.storage.errors import StorageError, bad_header, failure
from batchai_scenario.emulator.storage.records import DEFAULT_QUOTA, ShareRecord, entity_tag

if TYPE_CHECKING:
    import os

    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context

MAX_QUOTA = 102_400
"""GiB: what the service allows to an account with large file shares; 5120 to others."""


_TOLD_SINCE = "2019-12-12"
"""From this version on answers tell a share's tier, protocols and lease (service)."""

_DIRECTORY_LEASE = "x-ms-enable-smb-directory-lease"
"""Kept and told, and does nothing: nobody speaks SMB."""


async def create_share(context: Context, call: Call) -> Response:
    """Make a share: 201, or 409 ShareAlreadyExists."""
    record = ShareRecord(_quota(call) or DEFAULT_QUOTA, call.metadata(), properties=_properties(call))
    premium.note_quota(call, record, 0, context.clock.now())
    context.shares.create(call.account.name, call.share, record)
    return call.answer(201, _stamps(*context.shares.read(call.account.name, call.share)))


async def get_share(context: Context, call: Call) -> Response:
    """Read the properties and metadata of a share or of its snapshot."""
    try:
        record, status = context.shares.read(call.account.name, call.share, call.snapshot)
    except StorageError as error:
        # The service tells a missing snapshot from a missing share everywhere but here.
        raise failure("ShareNotFound") if error.code == "ShareSnapshotNotFound" else error from None
    context.leases.check(call, call.share_key, locks=False, share=True)
    headers = _stamps(record, status) | metadata_headers(record.metadata)
    headers["x-ms-share-quota"] = str(record.quota)
    if call.version >= _TOLD_SINCE:
        headers |= {"x-ms-enabled-protocols": "SMB"} | premium.told(call.account, record)
        headers |= context.leases.headers(call, call.share_key)
    return call.answer(200, headers)


async def get_share_metadata(context: Context, call: Call) -> Response:
    """Read the metadata of a share or of its snapshot."""
    record, status = context.shares.read(call.account.name, call.share, call.snapshot)
    context.leases.check(call, call.share_key, locks=False, share=True)
    return call.answer(200, _stamps(record, status) | metadata_headers(record.metadata))


async def set_share_metadata(context: Context, call: Call) -> Response:
    """Replace a share's metadata."""
    record, status = context.shares.read(call.account.name, call.share)
    context.leases.check(call, call.share_key, locks=False, share=True)
    record.metadata = call.metadata()
    context.shares.records.save_share(call.share_key, record)
    return call.answer(200, _stamps(record, status))


async def set_share_properties(context: Context, call: Call) -> Response:
    """Set a share's quota and tier, which are kept and told, not enforced."""
    record, status = context.shares.read(call.account.name, call.share)
    context.leases.check(call, call.share_key, locks=False, share=True)
    quota, properties = _quota(call), _properties(call)
    if quota is None and not properties:
        raise failure("MissingRequiredHeader", HeaderName="x-ms-share-quota")
    before, record.quota = record.quota, quota or record.quota
    record.properties |= properties
    premium.note_quota(call, record, before, context.clock.now())
    context.shares.records.save_share(call.share_key, record)
    return call.answer(200, _stamps(record, status))


async def delete_share(context: Context, call: Call) -> Response:
    """Delete a share and all that is in it, or one of its snapshots.

    A share that has snapshots is refused with ShareHasSnapshots unless ``x-ms-delete-snapshots`` is
    ``include`` or ``include-leased``.
    """
    account, share = call.account.name, call.share
    shares = context.shares
    choice = call.headers.get("x-ms-delete-snapshots", "").lower()
    if choice not in ("", "include", "include-leased") or (choice and call.snapshot):
        raise bad_header("x-ms-delete-snapshots", choice)
    if call.snapshot:
        shares.root(account, share, call.snapshot)
        context.leases.check(call, call.share_key, locks=True, share=True)
        await asyncio.to_thread(shares.discard, shares.delete_snapshot(account, share, call.snapshot))
        return call.answer(202, {})
    shares.root(account, share)
    context.leases.check(call, call.share_key, locks=True, share=True)
    snapshots = shares.snapshots(account, share)
    if snapshots and not choice:
        raise failure("ShareHasSnapshots")
    leased = any(context.leases.is_held(f"{call.share_key}@{snapshot}") for snapshot in snapshots)
    if leased and choice != "include-leased":
        raise failure("LeaseIdMissing", "A snapshot of the share is leased.")
    if context.deleted.keep(account, share):
        return call.answer(202, {})
    folders = [shares.delete_snapshot(account, share, snapshot) for snapshot in snapshots]
    folders.append(shares.delete(account, share))
    for folder in folders:
        await asyncio.to_thread(shares.discard, folder)
    return call.answer(202, {})


async def restore_share(context: Context, call: Call) -> Response:
    """Give a deleted share back that its account still keeps, with its snapshots: 201."""
    name, version = (call.require(f"x-ms-deleted-share-{part}") for part in ("name", "version"))
    if name != call.share:
        raise bad_header("x-ms-deleted-share-name", name)
    context.deleted.restore(call.account.name, call.share, version)
    record, status = context.shares.read(call.account.name, call.share)
    return call.answer(201, _stamps(record, status) | {"x-ms-share-quota": str(record.quota)})


async def lease_share(context: Context, call: Call) -> Response:
    """Acquire, renew, change, release or break the lease of a share or of its snapshot."""
    record, status = context.shares.read(call.account.name, call.share, call.snapshot)
    code, headers = context.leases.act(call, call.share_key, share=True)
    return call.answer(code, _stamps(record, status) | headers)


async def get_share_stats(context: Context, call: Call) -> Response:
    """Tell how many bytes a share holds."""
    record, status = context.shares.read(call.account.name, call.share)
    context.leases.check(call, call.share_key, locks=False, share=True)
    usage = await asyncio.to_thread(context.shares.usage, call.account.name, call.share)
    body = element("ShareUsageBytes", str(usage))
    if call.version < "2018-11-09":
        body = element("ShareUsage", str(-(-usage // 1024**3)))
    content = document(f"<ShareStats>{body}</ShareStats>")
    return call.answer(200, _stamps(record, status), content, content_type=XML)


def _quota(call: Call) -> int | None:
    quota = call.length("x-ms-share-quota")
    if quota is not None and not 1 <= quota <= MAX_QUOTA:
        raise bad_header("x-ms-share-quota", str(quota))
    return quota


def _properties(call: Call) -> dict[str, str]:
    """Read what newer versions keep about a share."""
    kept = {"x-ms-access-tier": premium.read_tier(call), _DIRECTORY_LEASE: call.headers.get(_DIRECTORY_LEASE)}
    return {name: text for name, text in kept.items() if text} | premium.read_bursting(call)


def _stamps(record: ShareRecord, status: os.stat_result) -> dict[str, str]:
    return stamps(entity_tag(status, record.changed, directory=True), record.changed)
