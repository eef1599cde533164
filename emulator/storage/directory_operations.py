"""Operations on a directory; a share's own is named by no path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from emulator.storage import smb, tree
from emulator.storage.call import XML, document, element, metadata_headers, smb_headers, stamps
from emulator.storage.errors import failure, not_built
from emulator.storage.records import EntryRecord, entity_tag
from emulator.storage.service_operations import MAX_RESULTS, echo, read_marker, service_endpoint, write_marker

if TYPE_CHECKING:
    from starlette.responses import Response

    from emulator.storage.call import Call, Context
    from emulator.storage.tree import Found

_SERVER_ENCRYPTED = {"x-ms-request-server-encrypted": "true"}


async def create_directory(context: Context, call: Call) -> Response:
    """Make a directory: 201, or 409 ResourceAlreadyExists in any spelling."""
    root = context.shares.root(call.account.name, call.share)
    smb.check_required(call)
    record = EntryRecord(metadata=call.metadata(), attributes="Directory")
    written = smb.apply(call, record, directory=True)
    if not call.parts:
        raise failure("ResourceAlreadyExists")
    path = tree.make_directory(root, call.parts)
    with tree.find_directory(root, path.split("/")) as found:
        smb.set_last_write(f"/proc/self/fd/{found.fd}", written)
        record.created = record.created or found.stat.st_mtime_ns
        return call.answer(201, _save(context, call, found, record) | _SERVER_ENCRYPTED)


async def get_directory(context: Context, call: Call) -> Response:
    """Read a directory's properties and metadata."""
    root = context.shares.root(call.account.name, call.share)
    with tree.find_directory(root, call.parts) as found:
        record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=True)
        headers = _headers(call, found, record) | metadata_headers(record.metadata)
        return call.answer(200, headers | {"x-ms-server-encrypted": "true"})


async def get_directory_metadata(context: Context, call: Call) -> Response:
    """Read a directory's metadata."""
    root = context.shares.root(call.account.name, call.share)
    with tree.find_directory(root, call.parts) as found:
        record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=True)
        headers = stamps(entity_tag(found.stat, record.changed, directory=True), record.changed)
        return call.answer(200, headers | metadata_headers(record.metadata))


async def set_directory_metadata(context: Context, call: Call) -> Response:
    """Replace a directory's metadata."""
    root = context.shares.root(call.account.name, call.share)
    metadata = call.metadata()
    with tree.find_directory(root, call.parts) as found:
        record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=True)
        record.metadata = metadata
        return call.answer(200, _save(context, call, found, record) | _SERVER_ENCRYPTED)


async def set_directory_properties(context: Context, call: Call) -> Response:
    """Set a directory's attributes and times."""
    root = context.shares.root(call.account.name, call.share)
    with tree.find_directory(root, call.parts) as found:
        record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=True)
        written = smb.apply(call, record, directory=True)
        smb.set_last_write(f"/proc/self/fd/{found.fd}", written)
        return call.answer(200, _save(context, call, found, record) | _SERVER_ENCRYPTED)


async def delete_directory(context: Context, call: Call) -> Response:
    """Delete an empty directory."""
    root = context.shares.root(call.account.name, call.share)
    if not call.parts:
        raise failure("CannotDeleteFileOrDirectory", "The root directory of a share cannot be deleted.")
    path = tree.remove(root, call.parts, directory=True)
    context.shares.records.forget_entry(call.share_key, path)
    return call.answer(202, {})


async def list_directory(context: Context, call: Call) -> Response:
    """List a directory by name without regard to case, page by page."""
    root = context.shares.root(call.account.name, call.share)
    if call.query.get("include") or call.headers.get("x-ms-file-extended-info", "false").lower() == "true":
        raise not_built("details in listings (include, x-ms-file-extended-info)")
    limit = call.number("maxresults", MAX_RESULTS, 1, MAX_RESULTS)
    start = read_marker(call)
    key = (start.lower(), start)
    with tree.find_directory(root, call.parts) as found:
        names = tree.entries(found, call.query.get("prefix", ""))
        if start:
            names = [item for item in names if (item[0].lower(), item[0]) >= key]
        listed = tree.describe(found, names[:limit])
    rows = []
    for entry in listed:
        name = element("Name", entry.name)
        if entry.is_directory:
            rows.append(f"<Directory>{name}<Properties /></Directory>")
        else:
            size = element("Content-Length", str(entry.size))
            rows.append(f"<File>{name}<Properties>{size}</Properties></File>")
    following = write_marker(names[limit][0]) if len(names) > limit else ""
    body = (
        f"<EnumerationResults ServiceEndpoint={service_endpoint(call)} ShareName={quoteattr(call.share)} "
        f"DirectoryPath={quoteattr('/'.join(call.parts))}>{echo(call)}<Entries>{''.join(rows)}</Entries>"
        f"{element('NextMarker', following)}</EnumerationResults>"
    )
    return call.answer(200, {}, document(body), content_type=XML)


def _headers(call: Call, found: Found, record: EntryRecord) -> dict[str, str]:
    tag = entity_tag(found.stat, record.changed, directory=True)
    return stamps(tag, record.changed) | smb_headers(call, found, record)


def _save(context: Context, call: Call, found: Found, record: EntryRecord) -> dict[str, str]:
    found.stat = os.fstat(found.fd)
    context.shares.records.save_entry(call.share_key, found.path, found.stat, record, directory=True)
    return _headers(call, found, record)
