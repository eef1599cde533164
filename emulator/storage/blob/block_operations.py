# ruff: noqa: PTH123 - paths are plain strings and descriptors
"""Operations on the blocks of a blob: put one, put them together, list them."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from batchai_scenario.emulator.storage import content, structured
from batchai_scenario.emulator.storage.blob import tree
from batchai_scenario.emulator.storage.blob.blob_operations import (
    check_target,
    commit,
    content_headers,
    draft,
    find,
    receive_body,
)
from batchai_scenario.emulator.storage.blob.blocks import asked_id, decode_id
from batchai_scenario.emulator.storage.call import SERVER_ENCRYPTED, XML, document, element, stamps
from batchai_scenario.emulator.storage.errors import StorageError, bad_query, failure
from batchai_scenario.emulator.storage.parsing import parse_xml
from batchai_scenario.emulator.storage.records import EntryRecord, entity_tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from batchai_scenario.emulator.storage.blob.call import BlobCall
    from batchai_scenario.emulator.storage.blob.context import BlobContext
    from batchai_scenario.emulator.storage.tree import Found

MAX_BLOCK = 4000 * 1024 * 1024
"""Bytes in a block (service)."""

MAX_BLOCKS = 50_000
"""Blocks in a blob (service)."""

_MAX_LIST = 8 * 1024 * 1024
"""Bytes in a block list: 50,000 identifiers fit."""


class BlobPart(NamedTuple):
    """A part of a new blob: ``size`` bytes from ``offset`` of the file at ``path``."""

    identifier: str
    path: str
    offset: int
    size: int


async def put_block(context: BlobContext, call: BlobCall) -> Response:
    """Keep a block until a list makes it part of its blob; one of the same identifier is replaced."""
    context.containers.root(call.account.name, call.share)
    identifier = asked_id(call)
    with draft(context) as path:
        sums = await receive_body(call, path, MAX_BLOCK)
        context.containers.root(call.account.name, call.share)  # it may be gone by now
        context.blocks.keep(call, identifier, path)
    return call.answer(201, sums.headers | SERVER_ENCRYPTED | structured.echo(call))


async def put_block_list(context: BlobContext, call: BlobCall) -> Response:
    """Make a blob of blocks that wait and of those that it has, in the order of the list."""
    root = context.containers.root(call.account.name, call.share)
    record = EntryRecord(content_headers(call), call.metadata(), "Archive")
    body = await call.body(_MAX_LIST)
    content.check_body(call, body)
    wanted = _read_list(body)
    async with context.committing:
        check_target(context, call, root)
        with draft(context) as path, ExitStack() as held:
            pieces = _find_pieces(context, call, _existing(root, call, held), wanted)
            try:
                await asyncio.get_running_loop().run_in_executor(None, _join, pieces, path)
            except FileNotFoundError:
                raise failure("InvalidBlockList") from None  # it was written whole meanwhile
            check_target(context, call, root)
            headers = commit(context, call, root, path, record)
        with tree.find(root, call.parts) as found:
            context.blocks.commit(call, found.stat, [(piece.identifier, piece.size) for piece in pieces])
    return call.answer(201, headers | SERVER_ENCRYPTED)


async def get_block_list(context: BlobContext, call: BlobCall) -> Response:
    """List a blob's blocks: those that it was made of, those that wait, or both."""
    kind = call.query.get("blocklisttype", "committed").lower()
    if kind not in ("committed", "uncommitted", "all"):
        raise bad_query("blocklisttype", kind)
    context.containers.root(call.account.name, call.share)
    waiting = context.blocks.waiting(call)
    committed: Sequence[tuple[str, int]] = ()
    headers = {"x-ms-blob-content-length": "0"}
    try:
        with find(context, call) as found:
            committed = context.blocks.committed(call, found.stat)
            record = context.records.entry(call.key, found.path, found.stat, directory=found.is_directory)
            changed = max(record.changed, found.stat.st_mtime_ns)
            tag = entity_tag(found.stat, record.changed, directory=found.is_directory)
            headers = stamps(tag, changed) | {"x-ms-blob-content-length": str(found.stat.st_size)}
    except StorageError:
        if not waiting:
            raise
    body = ""
    if kind in ("committed", "all"):
        body += f"<CommittedBlocks>{_rows(committed)}</CommittedBlocks>"
    if kind in ("uncommitted", "all"):
        body += f"<UncommittedBlocks>{_rows(list(waiting.items()))}</UncommittedBlocks>"
    return call.answer(200, headers, document(f"<BlockList>{body}</BlockList>"), content_type=XML)


def _rows(blocks: Sequence[tuple[str, int]]) -> str:
    return "".join(
        f"<Block>{element('Name', name)}{element('Size', str(size))}</Block>" for name, size in blocks
    )


def _read_list(data: bytes) -> list[tuple[str, str]]:
    """Read a block list as (where to look, identifier)."""
    wanted = []
    for row in parse_xml(data, "BlockList"):
        if row.tag not in ("Committed", "Uncommitted", "Latest"):
            raise failure("UnsupportedXmlNode", XmlNodeName=row.tag)
        wanted.append((row.tag, (row.text or "").strip()))
    if len(wanted) > MAX_BLOCKS:
        raise failure("BlockListTooLong")
    return wanted


def _existing(root: str, call: BlobCall, held: ExitStack) -> Found | None:
    """Find the blob as it is now, held open until its blocks are read; None if it is new, or a directory."""
    try:
        found = held.enter_context(tree.find(root, call.parts))
    except StorageError:
        return None
    return None if found.is_directory else found


def _find_pieces(
    context: BlobContext, call: BlobCall, found: Found | None, wanted: Sequence[tuple[str, str]]
) -> list[BlobPart]:
    waiting = context.blocks.waiting(call)
    folder = context.blocks.waiting_folder(call)
    committed: dict[str, BlobPart] = {}
    offset = 0
    for identifier, size in context.blocks.committed(call, found.stat) if found else ():
        committed[identifier] = BlobPart(
            identifier, f"/proc/self/fd/{found.fd}" if found else "", offset, size
        )
        offset += size
    pieces = []
    for where, identifier in wanted:
        if where != "Committed" and identifier in waiting:
            path = f"{folder}/{decode_id(identifier).hex()}"
            pieces.append(BlobPart(identifier, path, 0, waiting[identifier]))
        elif where != "Uncommitted" and identifier in committed:
            pieces.append(committed[identifier])
        else:
            raise failure("InvalidBlockList")
    return pieces


def _join(pieces: Sequence[BlobPart], path: str) -> None:
    """Write pieces one behind the other into a file."""
    with open(path, "wb", buffering=0) as target:
        for piece in pieces:
            with open(piece.path, "rb", buffering=0) as source:
                offset, left = piece.offset, piece.size
                while left:
                    sent = os.sendfile(target.fileno(), source.fileno(), offset, left)
                    if not sent:
                        raise FileNotFoundError(piece.path)
                    offset += sent
                    left -= sent
