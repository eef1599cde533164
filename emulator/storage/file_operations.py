"""Operations on a file as a whole; its ranges are in ``range_operations``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from batchai_scenario.emulator.storage import content, journal, punching, smb, structured, tree, written
from batchai_scenario.emulator.storage.call import SERVER_ENCRYPTED, metadata_headers, smb_headers, stamps
from batchai_scenario.emulator.storage.conditions import check_conditions
from batchai_scenario.emulator.storage.errors import StorageError, bad_header, failure
from batchai_scenario.emulator.storage.records import EntryRecord, entity_tag
from batchai_scenario.emulator.storage.uploads import copy_range, receiving

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context
    from batchai_scenario.emulator.storage.slots import Slot
    from batchai_scenario.emulator.storage.tree import Found

MAX_SIZE = 4 * 1024**4
"""Bytes in a file (service, since 2020)."""

_CONTENT_SINCE = "2026-02-06"
"""From this version on Create File takes content (service)."""

_HEADERS = {
    "x-ms-content-type": "content-type",
    "x-ms-content-encoding": "content-encoding",
    "x-ms-content-language": "content-language",
    "x-ms-content-disposition": "content-disposition",
    "x-ms-cache-control": "cache-control",
    "x-ms-content-md5": "content-md5",
}


class Standing(NamedTuple):
    """What stands where a file is to be made: its true path, and its status."""

    path: str
    stat: os.stat_result


async def create_file(context: Context, call: Call) -> Response:
    """Make a file of ``x-ms-content-length`` bytes: zeros, and from its start on the body, if there is one.

    What stood there is replaced, as on the service.
    """
    root = context.root(call)
    if call.headers.get("x-ms-type", "").lower() != "file":
        raise _required(call, "x-ms-type")
    size = call.length("x-ms-content-length")
    if size is None:
        raise _required(call, "x-ms-content-length")
    if size > MAX_SIZE:
        raise bad_header("x-ms-content-length", str(size))
    smb.check_required(call)
    record = EntryRecord(_content_headers(call), call.metadata(), "Archive")
    last_write = smb.apply(context, call, record, directory=False)
    smb.apply_semantics(call, record)
    standing = check_replaceable(context, call, root)
    length = _content_length(call, size)
    if length is None:
        with context.drafts.take() as slot:
            return call.answer(201, _create(context, call, record, size, last_write, slot, standing))
    with context.drafts.take() as slot:
        async with receiving(call, slot.draft, length) as digest:
            md5 = await digest.value()
            content.check_md5(call, md5)
            standing = check_replaceable(context, call, root)
            headers = _create(context, call, record, size, last_write, slot, standing, length=length)
    headers["content-md5"] = content.encode_md5(md5)
    return call.answer(201, headers | structured.echo(call))


def _content_length(call: Call, size: int) -> int | None:
    """Give how many bytes of content come with Create File; None without a body.

    Raises:
        StorageError: InvalidHeaderValue for a body where the version knows none, or that is longer than the
            file; RequestBodyTooLarge (4 MiB), MissingContentLengthHeader.
    """
    if "transfer-encoding" in call.headers:
        raise failure("MissingContentLengthHeader")
    if not call.length("content-length") and not structured.is_asked(call):
        return None
    length = structured.body_length(call)
    if call.version < _CONTENT_SINCE:
        raise bad_header("content-length", call.headers["content-length"])
    if length > content.MAX_RANGE:
        raise failure("RequestBodyTooLarge", MaxLimit=str(content.MAX_RANGE))
    if length > size:
        raise bad_header("content-length", str(length))
    return length


def _create(  # noqa: PLR0917 - the file, all of it
    context: Context,
    call: Call,
    record: EntryRecord,
    size: int,
    last_write: int | None,
    slot: Slot,
    standing: Standing | None,
    *,
    length: int = 0,
) -> dict[str, str]:
    """Make the file, with the first ``length`` bytes of the draft, and give the answer's headers.

    ``standing`` is what stands there now, as ``check_replaceable`` has just seen it.
    """
    root = context.root(call)
    record.ranges = written.add([], 0, length - 1) if length else []
    path, before = standing or ("/".join(call.parts), None)
    what = {"create": [size, length], "record": journal.as_note(record), "written": last_write}
    with journal.noted(slot, call, path, before, **what):
        fd, path, made = tree.make_file(root, call.parts, is_new=standing is None)
        try:
            if made:
                context.leases.forget(f"{call.share_key}/{path}")  # of a file that somebody deleted on disk
            punching.reserve(fd, 0, length)  # a full disk leaves what stood there as it was
            if length:
                copy_range(slot.draft, fd, 0, length)
            os.ftruncate(fd, length)
            os.ftruncate(fd, size)
            smb.set_last_write(fd, last_write)
            record.created = record.created or os.fstat(fd).st_mtime_ns
        finally:
            os.close(fd)
        with tree.find_file(root, path.split("/")) as found:
            return save(context, call, found, record) | SERVER_ENCRYPTED


async def get_file(context: Context, call: Call) -> Response:
    """Read a file or, with ``x-ms-range`` or ``Range``, a part of it (206 even if that is the whole)."""
    root = context.root(call)
    with tree.find_file(root, call.parts) as found:
        record, headers = read(context, call, found)
        size = found.stat.st_size
        asked = content.range_to_send(call, headers)
        first, last = (0, size - 1) if asked is None else content.clip(asked, size)
        whole_md5 = headers.pop("content-md5", None)
        if asked is not None:
            headers["content-range"] = f"bytes {first}-{last}/{size}"
            if whole_md5:
                headers["x-ms-content-md5"] = whole_md5
        elif whole_md5:
            headers["content-md5"] = whole_md5
        headers |= _properties(context, call, found, record) | call.grant.overrides
        headers["accept-ranges"] = "bytes"
        checks = content.Checks.read(call, asked, first, last)
        fd = found.open(os.O_RDONLY | os.O_NONBLOCK)
        return content.body(call, 200 if asked is None else 206, headers, fd, (first, last), checks)


async def head_file(context: Context, call: Call) -> Response:
    """Read a file's properties."""
    root = context.root(call)
    with tree.find_file(root, call.parts) as found:
        record, headers = read(context, call, found)
        headers |= _properties(context, call, found, record) | call.grant.overrides
        headers["content-length"] = str(found.stat.st_size)
        return call.answer(200, headers)


async def get_file_metadata(context: Context, call: Call) -> Response:
    """Read a file's metadata."""
    root = context.root(call)
    with tree.find_file(root, call.parts) as found:
        record, headers = check(context, call, found)
        return call.answer(200, headers | metadata_headers(record.metadata))


async def set_file_metadata(context: Context, call: Call) -> Response:
    """Replace a file's metadata."""
    root = context.root(call)
    metadata = call.metadata()
    with tree.find_file(root, call.parts) as found:
        record, _ = check(context, call, found)
        record.metadata = metadata
        return call.answer(200, save(context, call, found, record) | SERVER_ENCRYPTED)


async def set_file_properties(context: Context, call: Call) -> Response:
    """Set a file's HTTP headers, attributes and times, or its size.

    A request that names none of the HTTP headers leaves them; one that names some clears the others
    (service).
    """
    root = context.root(call)
    headers = _content_headers(call, default_type=False)
    size = call.length("x-ms-content-length")
    if size is not None and size > MAX_SIZE:
        raise bad_header("x-ms-content-length", str(size))
    with tree.find_file(root, call.parts) as found:
        record, _ = check(context, call, found)
        if size is not None:
            smb.check_writable(record)
        last_write = smb.apply(context, call, record, directory=False)
        if headers:
            record.headers = headers
        if size is not None:
            fd = found.open(os.O_RDWR)
            try:
                os.ftruncate(fd, size)
            finally:
                os.close(fd)
            if record.ranges is not None:
                record.ranges = written.clip(record.ranges, size)
        smb.set_last_write(f"/proc/self/fd/{found.fd}", last_write)
        return call.answer(200, save(context, call, found, record) | SERVER_ENCRYPTED)


async def delete_file(context: Context, call: Call) -> Response:
    """Delete a file."""
    root = context.root(call)
    with tree.find_file(root, call.parts) as found:
        record, _ = check(context, call, found)
        smb.check_writable(record)
    path = tree.remove(root, call.parts, directory=False)
    context.shares.records.forget_entry(call.share_key, path)
    context.leases.forget(f"{call.share_key}/{path}")
    return call.answer(202, {})


async def lease_file(context: Context, call: Call) -> Response:
    """Acquire, change, release or break the lease of a file."""
    with tree.find_file(context.root(call), call.parts) as found:
        key = f"{call.share_key}/{found.path}"
        record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=False)
        tag, changed = entity_tag(found.stat, record.changed), max(record.changed, found.stat.st_mtime_ns)
        check_conditions(call, tag, changed)
        status, headers = context.leases.act(call, key, share=False)
        return call.answer(status, stamps(tag, changed) | headers)


def check_replaceable(context: Context, call: Call, root: str, *, read_only: bool = False) -> Standing | None:
    """Refuse to replace a file that may not be replaced; what does not exist yet may, and ``read_only`` too.

    Returns:
        What stands there, in whatever spelling; None if nothing does.

    Raises:
        StorageError: AuthorizationPermissionMismatch, ConditionNotMet and lease errors (412),
            ReadOnlyAttribute.
    """
    try:
        found = tree.find(root, call.parts)
    except (FileNotFoundError, NotADirectoryError):
        if call.headers.get("x-ms-lease-id"):
            raise failure("LeaseNotPresentWithFileOperation") from None
        if "if-match" in call.headers:
            raise failure("ConditionNotMet") from None
        return None
    with found:
        if "w" not in call.grant.permissions:
            raise failure("AuthorizationPermissionMismatch")
        if found.is_directory:
            return Standing(found.path, found.stat)  # refused where the file would be made
        record, _ = check(context, call, found)
        if not read_only:
            smb.check_writable(record)
        return Standing(found.path, found.stat)


def read(context: Context, call: Call, found: Found) -> tuple[EntryRecord, dict[str, str]]:
    """Read a file's record and check the request's conditions against it, as ``check`` does.

    Returns:
        The record, and ETag, Last-Modified, metadata, content MD5 and SMB properties as headers.
    """
    record, seen = check(context, call, found)
    headers = seen | metadata_headers(record.metadata) | smb_headers(call, found, record)
    if "sig" not in call.query:  # a link did not tell (recorded)
        headers["x-ms-server-encrypted"] = "true"
    if "content-md5" in record.headers:
        headers["content-md5"] = record.headers["content-md5"]
    return record, headers


def check(context: Context, call: Call, found: Found) -> tuple[EntryRecord, dict[str, str]]:
    """Read a file's record, and check the request's lease and conditions against the file.

    Returns:
        The record, and ETag and Last-Modified as headers.

    Raises:
        StorageError: ConditionNotMet (412, or 304 for a read), lease errors (412).
    """
    record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=False)
    context.leases.check(call, f"{call.share_key}/{found.path}", locks=call.method not in ("GET", "HEAD"))
    tag = entity_tag(found.stat, record.changed)
    changed = max(record.changed, found.stat.st_mtime_ns)
    check_conditions(call, tag, changed)
    return record, stamps(tag, changed)


def save(context: Context, call: Call, found: Found, record: EntryRecord) -> dict[str, str]:
    """Write a file's record as the file is now, and give ETag, Last-Modified and SMB properties."""
    found.stat = os.fstat(found.fd)
    context.shares.records.save_entry(call.share_key, found.path, found.stat, record, directory=False)
    return stamps(entity_tag(found.stat, record.changed), record.changed) | smb_headers(call, found, record)


def _properties(context: Context, call: Call, found: Found, record: EntryRecord) -> dict[str, str]:
    headers = {name: value for name, value in record.headers.items() if name != "content-md5"}
    headers.setdefault("content-type", "application/octet-stream")
    headers["x-ms-type"] = "File"
    headers |= context.copies.told(record.copy)
    if not call.snapshot:
        headers |= context.leases.headers(call, f"{call.share_key}/{found.path}")
    return headers


def _content_headers(call: Call, *, default_type: bool = True) -> dict[str, str]:
    headers = {name: call.headers[sent] for sent, name in _HEADERS.items() if call.headers.get(sent)}
    if "content-md5" in headers:
        content.decode_base64(headers["content-md5"])
    if default_type:
        headers.setdefault("content-type", "application/octet-stream")
    return headers


def _required(call: Call, name: str) -> StorageError:
    value = call.headers.get(name)
    return failure("MissingRequiredHeader", HeaderName=name) if value is None else bad_header(name, value)
