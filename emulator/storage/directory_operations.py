"""Operations on a directory; a share's own is named by no path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from batchai_scenario.emulator.storage import listing, smb, tree
from batchai_scenario.emulator.storage.call import (
    PERMISSION_KEY,
    SERVER_ENCRYPTED,
    XML,
    document,
    element,
    is_xml,
    metadata_headers,
    name_element,
    smb_headers,
    stamps,
)
from batchai_scenario.emulator.storage.errors import bad_header, bad_query, failure
from batchai_scenario.emulator.storage.paging import (
    MAX_RESULTS,
    echo,
    read_marker,
    service_endpoint,
    write_marker,
)
from batchai_scenario.emulator.storage.records import EntryRecord, entity_tag
from batchai_scenario.emulator.storage.times import http_date, smb_time

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context
    from batchai_scenario.emulator.storage.listing import Listed
    from batchai_scenario.emulator.storage.tree import Found

_IDS_SINCE = "2020-04-08"
_INCLUDES = {"timestamps", "etag", "attributes", "permissionkey"}


async def create_directory(context: Context, call: Call) -> Response:
    """Make a directory: 201, or 409 ResourceAlreadyExists in any spelling."""
    root = context.root(call)
    smb.check_required(call)
    record = EntryRecord(metadata=call.metadata(), attributes="Directory")
    written = smb.apply(context, call, record, directory=True)
    smb.apply_semantics(call, record, directory=True)
    if not call.parts:
        raise failure("ResourceAlreadyExists")
    path = tree.make_directory(root, call.parts)
    with tree.find_directory(root, path.split("/")) as found:
        smb.set_last_write(f"/proc/self/fd/{found.fd}", written)
        record.created = record.created or found.stat.st_mtime_ns
        return call.answer(201, _save(context, call, found, record) | SERVER_ENCRYPTED)


async def get_directory(context: Context, call: Call) -> Response:
    """Read a directory's properties and metadata."""
    root = context.root(call)
    with tree.find_directory(root, call.parts) as found:
        record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=True)
        headers = _headers(call, found, record) | metadata_headers(record.metadata)
        return call.answer(200, headers | {"x-ms-server-encrypted": "true"})


async def get_directory_metadata(context: Context, call: Call) -> Response:
    """Read a directory's metadata."""
    root = context.root(call)
    with tree.find_directory(root, call.parts) as found:
        record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=True)
        headers = stamps(entity_tag(found.stat, record.changed, directory=True), record.changed)
        return call.answer(200, headers | metadata_headers(record.metadata))


async def set_directory_metadata(context: Context, call: Call) -> Response:
    """Replace a directory's metadata."""
    root = context.root(call)
    metadata = call.metadata()
    with tree.find_directory(root, call.parts) as found:
        record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=True)
        record.metadata = metadata
        return call.answer(200, _save(context, call, found, record) | SERVER_ENCRYPTED)


async def set_directory_properties(context: Context, call: Call) -> Response:
    """Set a directory's attributes and times."""
    root = context.root(call)
    with tree.find_directory(root, call.parts) as found:
        record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=True)
        written = smb.apply(context, call, record, directory=True)
        smb.set_last_write(f"/proc/self/fd/{found.fd}", written)
        return call.answer(200, _save(context, call, found, record) | SERVER_ENCRYPTED)


async def delete_directory(context: Context, call: Call) -> Response:
    """Delete an empty directory."""
    root = context.root(call)
    if not call.parts:
        raise failure("CannotDeleteFileOrDirectory", "The root directory of a share cannot be deleted.")
    path = tree.remove(root, call.parts, directory=True)
    context.shares.records.forget_entry(call.share_key, path)
    return call.answer(202, {})


async def list_directory(context: Context, call: Call) -> Response:
    """List a directory by name without regard to case, page by page."""
    root = context.root(call)
    include = _included(call)
    limit = call.number("maxresults", MAX_RESULTS, 1, MAX_RESULTS)
    start = read_marker(call)
    with tree.find_directory(root, call.parts) as found:
        whole = listing.entries(found, context.names)
        names = listing.page(whole, call.query.get("prefix", ""), start, limit + 1)
        listed = listing.describe(found, names[:limit])
        rows = [_row(context, call, found, entry, include) for entry in listed]
        itself = element("DirectoryId", str(found.stat.st_ino)) if call.version >= _IDS_SINCE else ""
    following = write_marker(names[limit][0]) if len(names) > limit else ""
    at = f"ShareSnapshot={quoteattr(call.snapshot)} " if call.snapshot else ""
    body = (
        f"<EnumerationResults ServiceEndpoint={service_endpoint(call)} ShareName={quoteattr(call.share)} {at}"
        f"{_path_attributes('/'.join(call.parts))}>{echo(call)}{itself}<Entries>{''.join(rows)}</Entries>"
        f"{element('NextMarker', following)}</EnumerationResults>"
    )
    return call.answer(200, {}, document(body), content_type=XML)


def _path_attributes(path: str) -> str:
    """Write ``DirectoryPath``, percent-encoded if XML cannot hold it (service)."""
    if is_xml(path):
        return f"DirectoryPath={quoteattr(path)}"
    return f'DirectoryPath={quoteattr(quote(path))} Encoded="true"'


def _included(call: Call) -> set[str]:
    """Read which details of the entries are asked for."""
    text = call.query.get("include", "")
    include = {word.strip().lower() for word in text.split(",") if word.strip()}
    if not include <= _INCLUDES:
        raise bad_query("include", text)
    if include and "x-ms-file-extended-info" in call.headers and not call.flag("x-ms-file-extended-info"):
        raise bad_header("x-ms-file-extended-info", "false")
    if call.flag("x-ms-file-extended-info"):
        include.add("id")
    return include


def _row(context: Context, call: Call, found: Found, entry: Listed, include: set[str]) -> str:
    """Write one entry of a listing."""
    tag = "Directory" if entry.is_directory else "File"
    size = "" if entry.is_directory else element("Content-Length", str(entry.size))
    name = name_element("Name", entry.name)
    if not include:
        return (
            f"<{tag}>{name}<Properties>{size}</Properties></{tag}>"
            if size
            else (f"<{tag}>{name}<Properties /></{tag}>")
        )
    path = f"{found.path}/{entry.name}" if found.path else entry.name
    directory = entry.is_directory
    record = context.shares.records.entry(call.share_key, path, entry.stat, directory=directory)
    changed = max(record.changed, 0 if directory else entry.modified)
    properties = size
    if "timestamps" in include:
        properties += (
            element("CreationTime", smb_time(record.created))
            + element("LastAccessTime", smb_time(entry.stat.st_atime_ns))
            + element("LastWriteTime", smb_time(entry.modified))
            + element("ChangeTime", smb_time(record.change_time or max(record.changed, entry.modified)))
            + element("Last-Modified", http_date(changed // 1_000_000_000))
        )
    if "etag" in include:
        properties += element("Etag", entity_tag(entry.stat, record.changed, directory=directory))
    more = element("Attributes", record.attributes) if "attributes" in include else ""
    if "permissionkey" in include:
        more += element("PermissionKey", record.permission or PERMISSION_KEY)
    number = element("FileId", str(entry.inode))
    return f"<{tag}>{number}{name}<Properties>{properties}</Properties>{more}</{tag}>"


def _headers(call: Call, found: Found, record: EntryRecord) -> dict[str, str]:
    tag = entity_tag(found.stat, record.changed, directory=True)
    return stamps(tag, record.changed) | smb_headers(call, found, record)


def _save(context: Context, call: Call, found: Found, record: EntryRecord) -> dict[str, str]:
    found.stat = os.fstat(found.fd)
    context.shares.records.save_entry(call.share_key, found.path, found.stat, record, directory=True)
    return _headers(call, found, record)
