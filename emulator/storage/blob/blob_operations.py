# ruff: noqa: PTH101, PTH108, PTH116 - paths are plain strings and descriptors
"""Operations on a block blob as a whole; its blocks are in ``block_operations``."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from batchai_scenario.emulator.storage import content, structured
from batchai_scenario.emulator.storage.blob import tree
from batchai_scenario.emulator.storage.blob.openness import is_being_written
from batchai_scenario.emulator.storage.call import SERVER_ENCRYPTED, metadata_headers, stamps
from batchai_scenario.emulator.storage.conditions import check_conditions
from batchai_scenario.emulator.storage.errors import StorageError, bad_header, failure, not_built
from batchai_scenario.emulator.storage.records import EntryRecord, Records, entity_tag
from batchai_scenario.emulator.storage.tree import MODE
from batchai_scenario.emulator.storage.uploads import receiving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response

    from batchai_scenario.emulator.storage.blob.call import BlobCall
    from batchai_scenario.emulator.storage.blob.context import BlobContext
    from batchai_scenario.emulator.storage.tree import Found

MAX_PUT = 5000 * 1024 * 1024
"""Bytes in one Put Blob (service)."""

_CONTENT = {
    "x-ms-blob-content-type": "content-type",
    "x-ms-blob-content-encoding": "content-encoding",
    "x-ms-blob-content-language": "content-language",
    "x-ms-blob-content-disposition": "content-disposition",
    "x-ms-blob-cache-control": "cache-control",
    "x-ms-blob-content-md5": "content-md5",
}
_PLAIN = ("content-type", "content-encoding", "content-language", "cache-control")
_DEFAULT_TYPE = "application/octet-stream"
_TELLS_CREATION = "2017-11-09"
"""From this version on answers have ``x-ms-creation-time`` (documentation)."""

_FREE = {"x-ms-lease-status": "unlocked", "x-ms-lease-state": "available"}


async def put_blob(context: BlobContext, call: BlobCall) -> Response:
    """Write a block blob whole: streamed into a file beside the containers, which then takes its name."""
    root = context.containers.root(call.account.name, call.share)
    kind = call.require("x-ms-blob-type")
    if kind in ("PageBlob", "AppendBlob"):
        raise not_built("page blobs" if kind == "PageBlob" else "append blobs")
    if kind != "BlockBlob":
        raise bad_header("x-ms-blob-type", kind)
    record = EntryRecord(content_headers(call, plain=True), call.metadata(), "Archive")
    check_target(context, call, root)
    with draft(context) as path:
        sums = await receive_body(call, path, MAX_PUT)
        content.check_md5(call, sums.digest, "x-ms-blob-content-md5")
        check_target(context, call, root)
        if record.metadata.get("hdi_isfolder", "").lower() == "true" and os.stat(path).st_size == 0:
            return _put_folder(context, call, root, record)
        record.headers["content-md5"] = content.encode_md5(sums.digest)
        headers = commit(context, call, root, path, record)
    context.blocks.forget(call)
    return call.answer(201, headers | sums.headers | SERVER_ENCRYPTED | structured.echo(call))


async def get_blob(context: BlobContext, call: BlobCall) -> Response:
    """Read a blob or, with ``x-ms-range`` or ``Range``, a part of it."""
    with find(context, call) as found:
        _, headers = read(context, call, found)
        size = 0 if found.is_directory else found.stat.st_size
        asked = content.range_to_send(call, headers)
        first, last = (0, size - 1) if asked is None else content.clip(asked, size)
        whole_md5 = headers.pop("content-md5", None)
        if asked is not None:
            headers["content-range"] = f"bytes {first}-{last}/{size}"
            if whole_md5:
                headers["x-ms-blob-content-md5"] = whole_md5
        elif whole_md5:
            headers["content-md5"] = whole_md5
        headers |= call.grant.overrides
        headers["accept-ranges"] = "bytes"
        status = 200 if asked is None else 206
        if found.is_directory:
            return call.answer(status, headers)
        checks = content.Checks.read(call, asked, first, last)
        fd = found.open(os.O_RDONLY | os.O_NONBLOCK)
        return content.body(call, status, headers, fd, (first, last), checks)


async def head_blob(context: BlobContext, call: BlobCall) -> Response:
    """Read a blob's properties and metadata."""
    with find(context, call) as found:
        _, headers = read(context, call, found)
        headers |= call.grant.overrides | {"accept-ranges": "bytes"}
        headers["content-length"] = "0" if found.is_directory else str(found.stat.st_size)
        return call.answer(200, headers)


async def get_blob_metadata(context: BlobContext, call: BlobCall) -> Response:
    """Read a blob's metadata."""
    with find(context, call) as found:
        record, headers = read(context, call, found)
        seen = {name: headers[name] for name in ("etag", "last-modified")}
        return call.answer(200, seen | _metadata(found, record))


async def set_blob_metadata(context: BlobContext, call: BlobCall) -> Response:
    """Replace a blob's metadata."""
    metadata = call.metadata()
    with find(context, call) as found:
        record, _ = read(context, call, found)
        record.metadata = metadata
        return call.answer(200, save(context, call, found, record) | SERVER_ENCRYPTED)


async def set_blob_properties(context: BlobContext, call: BlobCall) -> Response:
    """Replace a blob's HTTP headers: those that the request leaves out are cleared (service)."""
    with find(context, call) as found:
        record, _ = read(context, call, found)
        record.headers = content_headers(call)
        return call.answer(200, save(context, call, found, record))


async def delete_blob(context: BlobContext, call: BlobCall) -> Response:
    """Delete a blob, and the directories that only its name implied."""
    snapshots = call.headers.get("x-ms-delete-snapshots", "include").lower()
    if snapshots == "only":
        raise not_built("snapshots of blobs (x-ms-delete-snapshots: only)")
    if snapshots != "include":
        raise bad_header("x-ms-delete-snapshots", snapshots)
    with find(context, call) as found:
        read(context, call, found)
        root = context.containers.root(call.account.name, call.share)
        tree.remove(context.records, call.key, root, found)
    context.blocks.forget(call)
    return call.answer(202, {"x-ms-delete-type-permanent": "true"})


def find(context: BlobContext, call: BlobCall) -> Found:
    """Find the blob that a request names.

    Raises:
        StorageError: BlobNotFound, also for a directory that only names imply, and for a file that somebody
            has open for writing; ContainerNotFound.
    """
    found = tree.find(context.containers.root(call.account.name, call.share), call.parts)
    if not is_there(context.records, call.key, found):
        os.close(found.fd)
        raise failure("BlobNotFound")
    return found


def is_there(records: Records, key: str, found: Found) -> bool:
    """Tell whether what was found is a blob: neither an implied directory nor a file that somebody writes."""
    return not (tree.is_implied(records, key, found) or is_being_written(found))


def read(context: BlobContext, call: BlobCall, found: Found) -> tuple[EntryRecord, dict[str, str]]:
    """Read a blob's record, check the request's conditions, and give the headers that describe it."""
    directory = found.is_directory
    record = context.records.entry(call.key, found.path, found.stat, directory=directory)
    tag = entity_tag(found.stat, record.changed, directory=directory)
    changed = record.changed if directory else max(record.changed, found.stat.st_mtime_ns)
    check_conditions(call, tag, changed)
    headers = {"content-type": _DEFAULT_TYPE, **record.headers} | stamps(tag, changed)
    headers |= _metadata(found, record) | _FREE | record.copy
    headers |= {"x-ms-blob-type": "BlockBlob", "x-ms-server-encrypted": "true"}
    if call.version >= _TELLS_CREATION:
        headers["x-ms-creation-time"] = stamps("", record.created)["last-modified"]
    return record, headers


def save(context: BlobContext, call: BlobCall, found: Found, record: EntryRecord) -> dict[str, str]:
    """Keep a blob's record and give the headers that say which state that is."""
    directory = found.is_directory
    context.records.save_entry(call.key, found.path, found.stat, record, directory=directory)
    return stamps(entity_tag(found.stat, record.changed, directory=directory), record.changed)


def check_target(context: BlobContext, call: BlobCall, root: str) -> None:
    """Refuse to write where a blob stands that may not be replaced, or none that must be there.

    Raises:
        StorageError: BlobAlreadyExists (409) for ``If-None-Match: *``, ConditionNotMet, and
            AuthorizationPermissionMismatch for a SAS that may create only.
    """
    try:
        found = tree.find(root, call.parts)
    except StorageError:
        if "if-match" in call.headers:
            raise failure("ConditionNotMet") from None
        return
    with found:
        if tree.is_implied(context.records, call.key, found):
            return
        if call.headers.get("if-none-match") == "*":
            raise failure("BlobAlreadyExists")
        if "w" not in call.grant.permissions:
            raise failure("AuthorizationPermissionMismatch")
        read(context, call, found)


def commit(context: BlobContext, call: BlobCall, root: str, path: str, record: EntryRecord) -> dict[str, str]:
    """Let a file that has arrived whole take the blob's name, and keep its record."""
    tree.place(context.records, call.key, root, call.parts, path)
    with tree.find(root, call.parts) as found:
        record.created = found.stat.st_mtime_ns
        return save(context, call, found, record)


def content_headers(call: BlobCall, *, plain: bool = False) -> dict[str, str]:
    """Read the HTTP headers that a blob shall have; ``plain``: the request's own ones, too (Put Blob)."""
    found = {name: call.headers[name] for name in _PLAIN if plain and call.headers.get(name)}
    found |= {name: call.headers[sent] for sent, name in _CONTENT.items() if call.headers.get(sent)}
    if "content-md5" in found:
        content.decode_base64(found["content-md5"])
    return found


@contextmanager
def draft(context: BlobContext) -> Iterator[str]:
    """Make an empty file for data on its way in, and remove it unless it took a blob's name."""
    path = context.containers.draft()
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
    os.chmod(path, MODE)
    try:
        yield path
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)


class Sums(NamedTuple):
    """The checksums of what was received or fetched: MD5 and CRC64."""

    digest: bytes
    crc64: int

    @property
    def headers(self) -> dict[str, str]:
        """Tell both (service)."""
        crc64 = structured.encode_crc64(self.crc64)
        return {"content-md5": content.encode_md5(self.digest), structured.CRC64: crc64}


async def receive_body(call: BlobCall, path: str, limit: int) -> Sums:
    """Stream a request's body into a draft and give its checksums.

    Raises:
        StorageError: MissingContentLengthHeader, RequestBodyTooLarge, Md5Mismatch; InvalidHeaderValue if it
            is not as long as it says.
        ClientDisconnect: the client went away first.
    """
    length = structured.body_length(call)
    if length > limit:
        raise failure("RequestBodyTooLarge", MaxLimit=str(limit))
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        async with receiving(call, fd, length, crc64=True) as received:
            sums = Sums(await received.value(), received.crc64)
    finally:
        os.close(fd)
    content.check_md5(call, sums.digest)
    return sums


def _put_folder(context: BlobContext, call: BlobCall, root: str, record: EntryRecord) -> Response:
    """Make the directory that a blob of no bytes with ``hdi_isfolder`` stands for (blobfuse)."""
    record.attributes = "Directory"
    try:
        tree.make_directory(context.records, call.key, root, call.parts)
    except FileNotFoundError:
        raise failure(
            "ResourceTypeMismatch", "A blob with content stands where the folder is to be."
        ) from None
    with tree.find(root, call.parts) as found:
        record.created = found.stat.st_mtime_ns
        return call.answer(201, save(context, call, found, record) | SERVER_ENCRYPTED)


def _metadata(found: Found, record: EntryRecord) -> dict[str, str]:
    folder = tree.FOLDER_METADATA if found.is_directory else {}
    return metadata_headers({**folder, **record.metadata})
