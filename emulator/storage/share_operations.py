"""Operations on a share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from emulator.storage.call import XML, document, element, metadata_headers, stamps
from emulator.storage.errors import bad_header, failure
from emulator.storage.records import DEFAULT_QUOTA, ShareRecord, entity_tag

if TYPE_CHECKING:
    import os

    from starlette.responses import Response

    from emulator.storage.call import Call, Context

MAX_QUOTA = 102_400
"""GiB: what the service allows to an account with large file shares; 5120 to others."""


async def create_share(context: Context, call: Call) -> Response:
    """Make a share: 201, or 409 ShareAlreadyExists."""
    record = ShareRecord(_quota(call) or DEFAULT_QUOTA, call.metadata())
    context.shares.create(call.account.name, call.share, record)
    return call.answer(201, _stamps(*context.shares.read(call.account.name, call.share)))


async def get_share(context: Context, call: Call) -> Response:
    """Read a share's properties and metadata."""
    record, status = context.shares.read(call.account.name, call.share)
    headers = _stamps(record, status) | metadata_headers(record.metadata)
    return call.answer(200, headers | {"x-ms-share-quota": str(record.quota)})


async def get_share_metadata(context: Context, call: Call) -> Response:
    """Read a share's metadata."""
    record, status = context.shares.read(call.account.name, call.share)
    return call.answer(200, _stamps(record, status) | metadata_headers(record.metadata))


async def set_share_metadata(context: Context, call: Call) -> Response:
    """Replace a share's metadata."""
    record, status = context.shares.read(call.account.name, call.share)
    record.metadata = call.metadata()
    context.shares.records.save_share(call.share_key, record)
    return call.answer(200, _stamps(record, status))


async def set_share_properties(context: Context, call: Call) -> Response:
    """Set a share's quota, which is kept and told, not enforced."""
    record, status = context.shares.read(call.account.name, call.share)
    quota = _quota(call)
    if quota is None:
        raise failure("MissingRequiredHeader", HeaderName="x-ms-share-quota")
    record.quota = quota
    context.shares.records.save_share(call.share_key, record)
    return call.answer(200, _stamps(record, status))


async def delete_share(context: Context, call: Call) -> Response:
    """Delete a share and all that is in it."""
    folder = context.shares.delete(call.account.name, call.share)
    await asyncio.to_thread(context.shares.discard, folder)
    return call.answer(202, {})


async def get_share_stats(context: Context, call: Call) -> Response:
    """Tell how many bytes a share holds."""
    record, status = context.shares.read(call.account.name, call.share)
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


def _stamps(record: ShareRecord, status: os.stat_result) -> dict[str, str]:
    return stamps(entity_tag(status, record.changed, directory=True), record.changed)
