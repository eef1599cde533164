"""Operations on ranges of a file: write, clear, list."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage import changes, journal, punching, smb, structured, tree, written
from batchai_scenario.emulator.storage.call import SERVER_ENCRYPTED, XML, document, element
from batchai_scenario.emulator.storage.content import (
    MAX_RANGE,
    check_md5,
    clip,
    data_ranges,
    decode_md5,
    encode_md5,
    parse_range,
    requested_range,
)
from batchai_scenario.emulator.storage.errors import StorageError, bad_header, failure
from batchai_scenario.emulator.storage.file_operations import check, save
from batchai_scenario.emulator.storage.sources import find_source, open_source
from batchai_scenario.emulator.storage.uploads import copy_range, receiving, write

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context
    from batchai_scenario.emulator.storage.records import EntryRecord
    from batchai_scenario.emulator.storage.slots import Slot

_MAX_LISTED = 10_000


async def put_range(context: Context, call: Call) -> Response:
    """Write (``x-ms-write: update``) or clear a range.

    The body is streamed into a file beside the shares and copied into place when it has arrived whole and
    its MD5 fits, in one step as far as clients of this service can see: after a broken upload the file is as
    it was.
    """
    root = context.root(call)
    write = call.headers.get("x-ms-write", "").lower()
    if write not in ("update", "clear"):
        raise (
            failure("MissingRequiredHeader", HeaderName="x-ms-write")
            if not write
            else bad_header("x-ms-write", write)
        )
    first, last = _target(call)
    with tree.find_file(root, call.parts) as found:
        check(context, call, found)
        _check_inside(last, found.stat.st_size)
    if write == "clear":
        if call.length("content-length"):
            raise bad_header("content-length", call.headers["content-length"])
        with context.drafts.take() as slot:
            return call.answer(201, _commit(context, call, slot, first, last, cleared=True))
    _check_length(call, last - first + 1)
    with context.drafts.take() as slot:
        async with receiving(call, slot.draft, last - first + 1) as digest:
            if "content-md5" in call.headers:
                check_md5(call, await digest.value())
            # Unless the client wants it checked, its MD5 need not be known before the bytes are in place.
            headers = _commit(context, call, slot, first, last)
            headers["content-md5"] = encode_md5(await digest.value())
    return call.answer(201, headers | structured.echo(call))


async def put_range_from_url(context: Context, call: Call) -> Response:
    """Write a range with bytes of another file of this emulator, of at most 4 MiB."""
    root = context.root(call)
    if call.headers.get("x-ms-write", "update").lower() != "update":
        raise bad_header("x-ms-write", call.headers["x-ms-write"])
    if call.length("content-length"):
        raise bad_header("content-length", call.headers["content-length"])
    first, last = _target(call)
    asked = parse_range("x-ms-source-range", call.require("x-ms-source-range"))
    if asked[1] is None or asked[1] - asked[0] != last - first:
        raise bad_header("x-ms-source-range", call.headers["x-ms-source-range"])
    if last - first >= MAX_RANGE:
        raise failure("RequestBodyTooLarge", MaxLimit=str(MAX_RANGE))
    source = find_source(context, call, "x-ms-copy-source", "r", fetched=True)
    with tree.find_file(root, call.parts) as found:
        check(context, call, found)
        _check_inside(last, found.stat.st_size)
    with open_source(context, source) as found:
        clip(asked, found.stat.st_size)
        _check_inside(asked[1], found.stat.st_size)
        fd = found.open(os.O_RDONLY | os.O_NONBLOCK)
        try:
            data = os.pread(fd, last - first + 1, asked[0])
        finally:
            os.close(fd)
    _check_source(call, structured.crc(data))
    with context.drafts.take() as slot:
        write(slot.draft, data, 0)
        headers = _commit(context, call, slot, first, last)
    headers["content-md5"] = encode_md5(hashlib.md5(data, usedforsecurity=False).digest())
    return call.answer(201, headers)


def _check_source(call: Call, value: int) -> None:
    """Check the CRC64 that a source is said to have, or the condition on it."""
    given = call.headers.get("x-ms-source-content-crc64")
    if given is not None:
        structured.check_crc64("x-ms-source-content-crc64", given, value)
    wanted, unwanted = (call.headers.get(f"x-ms-source-if-{word}-crc64") for word in ("match", "none-match"))
    told = structured.encode_crc64(value)
    if (wanted is not None and wanted != told) or unwanted == told:
        raise failure("ConditionNotMet")


async def list_ranges(context: Context, call: Call) -> Response:
    """List the ranges that were written, in pages of 512 bytes; with ``prevsharesnapshot`` what has changed.

    What jobs wrote is told as the file system knows it, in whole blocks. Changes since a snapshot are pages
    that differ in content, or in whether they are written: ``Range`` or ``ClearRange``.
    """
    root = context.root(call)
    asked = requested_range(call)
    limit = call.number("maxresults", _MAX_LISTED, 1, _MAX_LISTED)
    marker = call.number("marker", 0, 0, 1 << 62)
    earlier = call.query.get("prevsharesnapshot", "")
    with tree.find_file(root, call.parts) as found:
        record, headers = check(context, call, found)
        size = found.stat.st_size
        start, end = (0, size - 1) if asked is None else clip(asked, size)
        start = max(start, marker)
        fd = found.open(os.O_RDONLY | os.O_NONBLOCK)
        try:
            if earlier:
                now = changes.File(fd, record.ranges, written.since(record.cleared, earlier))
                rows = await asyncio.to_thread(_changes, context, call, found.path, now, (start, end))
            elif record.ranges is not None:
                rows = [("Range", first, last) for first, last in written.within(record.ranges, start, end)]
            else:
                rows = [("Range", first, last) for first, last in data_ranges(fd, start, end)]
        finally:
            os.close(fd)
    following = element("NextMarker", str(rows[limit][1])) if len(rows) > limit else ""
    listed = "".join(
        f"<{tag}>{element('Start', str(first))}{element('End', str(last))}</{tag}>"
        for tag, first, last in rows[:limit]
    )
    body = document(f"<Ranges>{listed}{following}</Ranges>" if rows else "<Ranges />")
    return call.answer(200, headers | {"x-ms-content-length": str(size)}, body, content_type=XML)


def _changes(
    context: Context, call: Call, path: str, now: changes.File, span: tuple[int, int]
) -> list[tuple[str, int, int]]:
    """Compare a file with what it was in an earlier snapshot; a file that was not there was empty.

    Raises:
        StorageError: PreviousSnapshotNotFound (409) if there is no such snapshot, or if the file had another
            path then and the request does not follow renames.
    """
    earlier = call.query["prevsharesnapshot"]
    account, share = call.account.name, call.share
    try:
        root = context.shares.root(account, share, earlier)
    except StorageError as error:
        raise (
            failure("PreviousSnapshotNotFound") if error.code == "ShareSnapshotNotFound" else error
        ) from None
    then = changes.path_then(context.shares.read(account, share)[0].renames, path, earlier, call.snapshot)
    if then != path and not call.flag("x-ms-file-support-rename"):
        raise failure("PreviousSnapshotNotFound")
    try:
        found = tree.find_file(root, then.split("/"))
    except StorageError:
        return changes.compare(now, None, *span)
    with found:
        key = f"{account}/{share}@{earlier}"
        record = context.shares.records.entry(key, found.path, found.stat, directory=False)
        old = found.open(os.O_RDONLY | os.O_NONBLOCK)
        try:
            return changes.compare(now, changes.File(old, record.ranges), *span)
        finally:
            os.close(old)


def _note_cleared(context: Context, call: Call, record: EntryRecord, first: int, last: int) -> None:
    """Note what is cleared for those who ask what has changed since a snapshot."""
    snapshots = context.shares.snapshots(call.account.name, call.share)
    if snapshots:
        kept = [item for item in record.cleared if item[0] >= snapshots[0]]
        record.cleared = [*kept, (snapshots[-1], first, last)]


def _target(call: Call) -> tuple[int, int]:
    asked = requested_range(call)
    if asked is None or asked[1] is None:
        raise failure("MissingRequiredHeader", HeaderName="x-ms-range")
    return asked[0], asked[1]


def _keeps_time(call: Call) -> bool:
    text = call.headers.get("x-ms-file-last-write-time", "now")
    if text.lower() not in ("now", "preserve"):
        raise bad_header("x-ms-file-last-write-time", text)
    return text.lower() == "preserve"


def _check_inside(last: int, size: int) -> None:
    if last >= size:
        raise failure("InvalidRange", headers={"content-range": f"bytes */{size}"})


def _check_length(call: Call, length: int) -> None:
    sent = structured.body_length(call)
    if sent > MAX_RANGE or length > MAX_RANGE:
        raise failure("RequestBodyTooLarge", MaxLimit=str(MAX_RANGE))
    if sent != length:
        raise bad_header("content-length", str(sent))
    if "content-md5" in call.headers:
        decode_md5(call.headers["content-md5"])


def _commit(
    context: Context, call: Call, slot: Slot, first: int, last: int, *, cleared: bool = False
) -> dict[str, str]:
    """Put the draft, or zeros, into the file, and give the answer's headers.

    Nothing else of this service runs meanwhile, and a kill leaves nothing half done (``journal``).
    """
    root = context.root(call)
    length = last - first + 1
    with tree.find_file(root, call.parts) as found:
        record, _ = check(context, call, found)
        smb.check_writable(record)
        size = found.stat.st_size
        _check_inside(last, size)
        found_time = found.stat.st_mtime_ns
        kept_time = found.stat.st_mtime_ns if _keeps_time(call) else None
        what = {"clear" if cleared else "range": [first, length]}
        fd = found.open(os.O_RDWR)
        try:
            with journal.noted(slot, call, found.path, found.stat, **what):
                if cleared:
                    punching.clear(fd, first, length)
                else:
                    try:
                        punching.reserve(fd, first, length)  # changes the file's time, also where it fails
                    except OSError:
                        smb.set_last_write(f"/proc/self/fd/{found.fd}", found_time)
                        raise
                    copy_range(slot.draft, fd, first, length)
                if kept_time is not None:
                    smb.set_last_write(f"/proc/self/fd/{found.fd}", kept_time)
                record.copy = {}
                if cleared:
                    _note_cleared(context, call, record, first, last)
                if record.ranges is not None:
                    record.ranges = (
                        written.clear(record.ranges, first, last, size)
                        if cleared
                        else written.add(record.ranges, first, last)
                    )
                try:
                    headers = save(context, call, found, record)
                except BaseException:
                    # What is kept of the file goes on to be believed.
                    smb.set_last_write(f"/proc/self/fd/{found.fd}", found_time)
                    raise
        finally:
            os.close(fd)
    return headers | SERVER_ENCRYPTED
