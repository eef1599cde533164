"""Copies of blobs from a URL. They are done when they are answered, so none can ever be aborted."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage import content, structured
from batchai_scenario.emulator.storage.blob import tree
from batchai_scenario.emulator.storage.blob.blob_operations import (
    Sums,
    check_target,
    commit,
    content_headers,
    draft,
    is_there,
)
from batchai_scenario.emulator.storage.blob.block_operations import MAX_BLOCK
from batchai_scenario.emulator.storage.blob.blocks import asked_id
from batchai_scenario.emulator.storage.blob.keys import container_key
from batchai_scenario.emulator.storage.blob.openness import is_open_for_writing
from batchai_scenario.emulator.storage.call import SERVER_ENCRYPTED
from batchai_scenario.emulator.storage.conditions import check_source_conditions
from batchai_scenario.emulator.storage.errors import StorageError, bad_header, failure, not_built
from batchai_scenario.emulator.storage.records import EntryRecord, entity_tag
from batchai_scenario.emulator.storage.signing import BLOBS
from batchai_scenario.emulator.storage.snapshots import copy_content
from batchai_scenario.emulator.storage.sources import check_source, read_source, unverified
from batchai_scenario.emulator.storage.times import http_date

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.accounts import Account
    from batchai_scenario.emulator.storage.blob.call import BlobCall
    from batchai_scenario.emulator.storage.blob.context import BlobContext
    from batchai_scenario.emulator.storage.tree import Found

MAX_SYNCHRONOUS = 256 * 1024 * 1024
"""Bytes that ``x-ms-requires-sync`` copies (service)."""

_SOURCE = "x-ms-copy-source"


@dataclass(frozen=True, slots=True)
class BlobSource:
    """A blob of this emulator that a request names; ``url`` is free of signatures."""

    account: Account
    container: str
    parts: tuple[str, ...]
    url: str

    @property
    def key(self) -> str:
        """Name its container among the records."""
        return container_key(self.account.name, self.container)


async def copy_blob(context: BlobContext, call: BlobCall) -> Response:
    """Copy a blob of this emulator over, or to, the one that the request names: 202, ``success`` at once.

    Content, HTTP headers and, unless the request brings its own, metadata are the source's. With
    ``x-ms-blob-type`` it is Put Blob From URL, answered 201, which takes the request's HTTP headers, too.
    """
    root = context.containers.root(call.account.name, call.share)
    whole = "x-ms-blob-type" in call.headers
    if whole and call.headers["x-ms-blob-type"] != "BlockBlob":
        raise not_built(f"copies to {call.headers['x-ms-blob-type']} (x-ms-blob-type)")
    metadata, headers = call.metadata(), content_headers(call)
    fetched = whole or call.flag("x-ms-requires-sync")
    source = find_source(context, call, fetched=fetched)
    check_target(context, call, root)
    with open_source(context, source) as found:
        record = context.records.entry(source.key, found.path, found.stat, directory=False)
        tag = entity_tag(found.stat, record.changed)
        _check_conditions(call, tag, max(record.changed, found.stat.st_mtime_ns), fetched=fetched)
        size = found.stat.st_size
        if call.flag("x-ms-requires-sync") and size > MAX_SYNCHRONOUS:
            raise failure("RequestBodyTooLarge", MaxLimit=str(MAX_SYNCHRONOUS))
        if whole and not _keeps_headers(call):
            record.headers = (
                {"content-md5": record.headers["content-md5"]} if "content-md5" in record.headers else {}
            )
        record = EntryRecord(record.headers | headers, metadata or record.metadata, "Archive")
        with draft(context) as path:
            sums = await asyncio.to_thread(_fetch, found, path)
            _check_sums(call, sums)
            check_target(context, call, root)
            record.copy = {} if whole else _told(context, source, size)
            told = commit(context, call, root, path, record)
    context.blocks.forget(call)
    if whole:
        return call.answer(201, told | sums.headers | SERVER_ENCRYPTED)
    told |= {name: record.copy[name] for name in ("x-ms-copy-id", "x-ms-copy-status")}
    return call.answer(202, told)


async def put_block_from_url(context: BlobContext, call: BlobCall) -> Response:
    """Keep a block made of a part of another blob until a list makes it part of its own."""
    context.containers.root(call.account.name, call.share)
    identifier = asked_id(call)
    source = find_source(context, call, fetched=True)
    with open_source(context, source) as found, draft(context) as path:
        record = context.records.entry(source.key, found.path, found.stat, directory=False)
        tag = entity_tag(found.stat, record.changed)
        _check_conditions(call, tag, max(record.changed, found.stat.st_mtime_ns), fetched=True)
        text = call.headers.get("x-ms-source-range")
        first, last = 0, found.stat.st_size - 1
        if text is not None:
            first, last = content.clip(content.parse_range("x-ms-source-range", text), found.stat.st_size)
        if last - first >= MAX_BLOCK:
            raise failure("RequestBodyTooLarge", MaxLimit=str(MAX_BLOCK))
        sums = await asyncio.to_thread(_fetch, found, path, first, last)
        _check_sums(call, sums)
        context.containers.root(call.account.name, call.share)  # it may be gone by now
        context.blocks.keep(call, identifier, path)
    return call.answer(201, sums.headers | SERVER_ENCRYPTED)


async def abort_copy(context: BlobContext, call: BlobCall) -> Response:
    """Refuse to abort a copy: 409 NoPendingCopyOperation, for every copy is complete when it is answered."""
    if call.require("x-ms-copy-action").lower() != "abort":
        raise bad_header("x-ms-copy-action", call.headers["x-ms-copy-action"])
    if not call.query.get("copyid"):
        raise failure("MissingRequiredQueryParameter", QueryParameterName="copyid")
    with tree.find(context.containers.root(call.account.name, call.share), call.parts):
        raise failure("NoPendingCopyOperation")


def find_source(context: BlobContext, call: BlobCall, *, fetched: bool) -> BlobSource:
    """Read the URL of the source and check that the request may read it.

    ``fetched``: the service reads it as anybody would, and it needs a SAS or a token in any account.

    Nothing is fetched over the network: only this emulator's own blobs can be a source (our decision).

    Raises:
        StorageError: what ``read_source`` and ``check_source`` raise; CannotVerifyCopySource (404) for what
            is no blob's name; NotImplemented for snapshots and versions.
    """
    named = read_source(context, call, _SOURCE, BLOBS)
    for what in ("snapshot", "versionid"):
        if what in named.query:
            raise not_built(f"{what}s of blobs ({_SOURCE})")
    check_source(
        context,
        call,
        named,
        BLOBS,
        permissions="r",
        policies=lambda container: context.containers.policies(named.account.name, container),
        fetched=fetched,
    )
    container, _, name = named.path.lstrip("/").partition("/")
    parts = tuple(name.split("/"))
    if not container or any(part in ("", ".", "..") for part in parts):
        raise unverified("The URL names no blob.", 404)
    return BlobSource(named.account, container, parts, named.url._replace(query="", fragment="").geturl())


def open_source(context: BlobContext, source: BlobSource) -> Found:
    """Find the blob of a copy source; StorageError CannotVerifyCopySource (404)."""
    try:
        root = context.containers.root(source.account.name, source.container)
        found = tree.find(root, source.parts)
    except StorageError as error:
        raise unverified(error.message, 404) from None
    if not is_there(context.records, source.key, found) or found.is_directory:
        os.close(found.fd)
        raise unverified("There is no such blob.", 404)
    return found


def _fetch(found: Found, path: str, first: int = 0, last: int | None = None) -> Sums:
    """Copy a part of a blob into a draft and give its checksums."""
    read = found.open(os.O_RDONLY | os.O_NONBLOCK)
    try:
        if is_open_for_writing(read):
            raise unverified("Somebody writes the blob.", 404)
        write = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if first == 0 and last in (None, found.stat.st_size - 1):
                copy_content(read, write, found.stat.st_size)
            else:
                position, end = first, (last or 0) + 1
                while position < end:
                    sent = os.sendfile(write, read, position, end - position)
                    if not sent:
                        break
                    position += sent
            digest, crc64 = hashlib.md5(usedforsecurity=False), 0
            position = 0
            while piece := os.pread(write, content.CHUNK, position):
                digest.update(piece)
                crc64 = structured.crc(piece, crc64)
                position += len(piece)
        finally:
            os.close(write)
    finally:
        os.close(read)
    return Sums(digest.digest(), crc64)


def _check_conditions(call: BlobCall, tag: str, changed: int, *, fetched: bool) -> None:
    """Check the conditions on the source; one that is fetched only answers that they are not met (service).

    Raises:
        StorageError: SourceConditionNotMet (412); CannotVerifyCopySource (404) if it is fetched.
    """
    try:
        check_source_conditions(call, tag, changed)
    except StorageError as error:
        if not fetched or error.code != "SourceConditionNotMet":
            raise
        raise unverified("The conditions on the source are not met.", 404) from None


def _check_sums(call: BlobCall, sums: Sums) -> None:
    content.check_md5(call, sums.digest, "x-ms-source-content-md5")
    given = call.headers.get("x-ms-source-content-crc64")
    if given is not None:
        structured.check_crc64("x-ms-source-content-crc64", given, sums.crc64)


def _keeps_headers(call: BlobCall) -> bool:
    return call.headers.get("x-ms-copy-source-blob-properties", "true").lower() == "true"


def _told(context: BlobContext, source: BlobSource, size: int) -> dict[str, str]:
    return {
        "x-ms-copy-id": str(uuid.uuid4()),
        "x-ms-copy-source": source.url,
        "x-ms-copy-status": "success",
        "x-ms-copy-progress": f"{size}/{size}",
        "x-ms-copy-completion-time": http_date(int(context.clock.now().timestamp())),
    }
