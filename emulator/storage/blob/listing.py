"""List Blobs: by name, with prefix, delimiter and pages."""

from __future__ import annotations

import stat as modes
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from batchai_scenario.emulator.clouds import place_of
from batchai_scenario.emulator.storage.blob import tree
from batchai_scenario.emulator.storage.blob.openness import settled
from batchai_scenario.emulator.storage.call import XML, document, element, name_element
from batchai_scenario.emulator.storage.errors import bad_query, not_built
from batchai_scenario.emulator.storage.paging import MAX_RESULTS, echo, read_marker, write_marker
from batchai_scenario.emulator.storage.records import entity_tag
from batchai_scenario.emulator.storage.times import http_date

if TYPE_CHECKING:
    import os
    from collections.abc import Collection

    from starlette.responses import Response

    from batchai_scenario.emulator.storage.blob.call import BlobCall
    from batchai_scenario.emulator.storage.blob.context import BlobContext
    from batchai_scenario.emulator.storage.records import EntryRecord

_SERVED = frozenset({"metadata", "copy"})
_KNOWN = frozenset(
    {
        "deleted",
        "deletedwithversions",
        "immutabilitypolicy",
        "legalhold",
        "permissions",
        "snapshots",
        "tags",
        "uncommittedblobs",
        "versions",
    }
)
_TAGS = {
    "content-type": "Content-Type",
    "content-encoding": "Content-Encoding",
    "content-language": "Content-Language",
    "content-md5": "Content-MD5",
    "cache-control": "Cache-Control",
    "content-disposition": "Content-Disposition",
}


_COPIES = {
    "x-ms-copy-id": "CopyId",
    "x-ms-copy-source": "CopySource",
    "x-ms-copy-status": "CopyStatus",
    "x-ms-copy-progress": "CopyProgress",
    "x-ms-copy-completion-time": "CopyCompletionTime",
}


def read_include(call: BlobCall, served: Collection[str], known: Collection[str], operation: str) -> set[str]:
    """Read what a list shall tell beside names.

    Raises:
        StorageError: InvalidQueryParameterValue; NotImplemented for what is ``known`` but not ``served``.
    """
    text = call.query.get("include", "")
    asked = {word.strip().lower() for word in text.split(",") if word.strip()}
    if not asked <= {*served, *known}:
        raise bad_query("include", text)
    refused = asked.difference(served)
    if refused:
        raise not_built(f"include={','.join(sorted(refused))} of {operation}")
    return asked


async def list_blobs(context: BlobContext, call: BlobCall) -> Response:
    """List a container's blobs; with a delimiter, those below it stand as one prefix each."""
    root = context.containers.root(call.account.name, call.share)
    include = read_include(call, _SERVED, _KNOWN, "List Blobs")
    limit = call.number("maxresults", MAX_RESULTS, 1, MAX_RESULTS)
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    start = read_marker(call)
    blobs, prefixes = collect(context, root, prefix, delimiter, start)
    names = sorted(blobs | prefixes)
    rows: list[str] = []
    following = ""
    for name in names:
        if name in blobs:
            row = _row(context, call, root, name, include=include)
        else:
            row = f"<BlobPrefix>{name_element('Name', name)}</BlobPrefix>"
            if delimiter == "/" and tree.is_empty(root, name[:-1], context.names):
                row = ""
        if row and len(rows) == limit:
            following = write_marker(name)
            break
        if row:
            rows.append(row)
    told = echo(call) + (element("Delimiter", delimiter) if delimiter else "")
    body = (
        f"<EnumerationResults ServiceEndpoint={service_endpoint(call)} ContainerName={quoteattr(call.share)}>"
        f"{told}<Blobs>{''.join(rows)}</Blobs>{element('NextMarker', following)}</EnumerationResults>"
    )
    return call.answer(200, {}, document(body), content_type=XML)


def collect(
    context: BlobContext, root: str, prefix: str, delimiter: str, start: str = ""
) -> tuple[set[str], set[str]]:
    """Gather the names of a container that begin with ``prefix``, from ``start`` on.

    Returns:
        What may be blobs, and the prefixes that end with the delimiter. A directory on disk may be a blob by
        its name and, if it holds anything, is a prefix.
    """
    folder = prefix.rpartition("/")[0]
    if any(part in ("", ".", "..") for part in folder.split("/") if folder):
        return set(), set()
    blobs: set[str] = set()
    prefixes: set[str] = set()
    for name, is_directory in tree.walk(root, folder, context.names, deep=delimiter != "/", start=start):
        if not name.startswith(prefix):
            continue
        if is_directory and delimiter == "/":
            prefixes.add(f"{name}/")
        end = name.find(delimiter, len(prefix)) if delimiter else -1
        if end >= 0:
            prefixes.add(name[: end + len(delimiter)])
        elif name >= start:
            blobs.add(name)
    return blobs, {name for name in prefixes if name >= start}


def describe(
    context: BlobContext, key: str, root: str, name: str
) -> tuple[os.stat_result, EntryRecord] | None:
    """Look at what may be a blob; None if it is gone, being written, or a directory that names imply."""
    status = settled(root, name)
    if status is None:
        return None
    record = context.records.entry(key, name, status, directory=modes.S_ISDIR(status.st_mode))
    return None if record.attributes == tree.IMPLIED else (status, record)


def _row(context: BlobContext, call: BlobCall, root: str, name: str, *, include: set[str]) -> str:
    """Write one blob; nothing if there is none."""
    found = describe(context, call.key, root, name)
    if found is None:
        return ""
    status, record = found
    directory = modes.S_ISDIR(status.st_mode)
    changed = record.changed if directory else max(record.changed, status.st_mtime_ns)
    headers = {"content-type": "application/octet-stream", **record.headers}
    copied = record.copy if "copy" in include else {}
    properties = (
        element("Creation-Time", http_date(record.created // 1_000_000_000))
        + element("Last-Modified", http_date(changed // 1_000_000_000))
        + element("Etag", entity_tag(status, record.changed, directory=directory).strip('"'))
        + element("Content-Length", "0" if directory else str(status.st_size))
        + "".join(element(tag, headers.get(header, "")) for header, tag in _TAGS.items())
        + element("BlobType", "BlockBlob")
        + element("LeaseStatus", "unlocked")
        + element("LeaseState", "available")
        + element("ServerEncrypted", "true")
        + "".join(element(tag, record.copy[header]) for header, tag in _COPIES.items() if header in copied)
    )
    kept = {**(tree.FOLDER_METADATA if directory else {}), **record.metadata}
    told = "".join(element(key, value) for key, value in kept.items())
    extra = f"<Metadata>{told}</Metadata>" if "metadata" in include and told else ""
    return f"<Blob>{name_element('Name', name)}<Properties>{properties}</Properties>{extra}</Blob>"


def service_endpoint(call: BlobCall) -> str:
    """Write the account's URL, as the client reached it, as an XML attribute."""
    host, path = call.headers.get("host", ""), call.raw_path + "/"
    in_path = (f"/blob/{call.account.name}", f"/{call.account.name}") if place_of(host) is None else ()
    above = next((prefix for prefix in in_path if path.startswith(prefix + "/")), "")
    return quoteattr(f"{call.request.scope['scheme']}://{host}{above}/")
