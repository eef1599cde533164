# ruff: noqa: PTH108 - paths on the way of requests are plain strings
"""Copies of files from a URL: done when they are answered, unless they are to take their time."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import uuid
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage import pending, permissions, smb, tree
from batchai_scenario.emulator.storage.errors import StorageError, bad_header, failure
from batchai_scenario.emulator.storage.file_operations import check, check_replaceable, save
from batchai_scenario.emulator.storage.snapshots import copy_content
from batchai_scenario.emulator.storage.sources import find_source, open_source
from batchai_scenario.emulator.storage.times import http_date

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context
    from batchai_scenario.emulator.storage.records import EntryRecord
    from batchai_scenario.emulator.storage.sources import Source
    from batchai_scenario.emulator.storage.tree import Found


async def copy_file(context: Context, call: Call) -> Response:
    """Copy a file of this emulator over, or to, the one that the request names: 202, ``success`` at once.

    Content, HTTP headers and, unless the request brings its own, metadata are the source's. The target is
    replaced in one step; until then it is as it was. Where copies are to take their time, it is ``pending``
    first, and the target zeros.
    """
    root = context.root(call)
    source = find_source(context, call, "x-ms-copy-source", "r")
    metadata = call.metadata()
    ignored = call.flag("x-ms-file-copy-ignore-readonly")
    if check_replaceable(context, call, root, read_only=ignored):
        _check_idle(context, call, root)
    with open_source(context, source) as found:
        record = context.shares.records.entry(source.share_key, found.path, found.stat, directory=False)
        record.metadata = metadata or record.metadata
        written = _apply(context, call, record, source, found)
        draft = f"{context.shares.staging}/{uuid.uuid4().hex}"
        size = found.stat.st_size
        slow = context.copies.seconds > 0
        record.copy = {
            pending.ID: str(uuid.uuid4()),
            "x-ms-copy-source": source.url,
            pending.STATUS: "pending" if slow else "success",
            "x-ms-copy-progress": f"{0 if slow else size}/{size}",
        }
        try:
            await asyncio.to_thread(_draft, found, draft)
            standing = check_replaceable(context, call, root, read_only=ignored)
            if slow:
                headers = _begin(context, call, root, record, draft, size, written)
                draft = ""
            else:
                headers = _complete(context, call, root, record, draft, written, is_new=standing is None)
        finally:
            if draft:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(draft)
    return call.answer(202, headers | {name: record.copy[name] for name in (pending.ID, pending.STATUS)})


async def abort_copy(context: Context, call: Call) -> Response:
    """Abort a copy that is pending: 204, and the target is empty; else 409 NoPendingCopyOperation."""
    if call.require("x-ms-copy-action").lower() != "abort":
        raise bad_header("x-ms-copy-action", call.headers["x-ms-copy-action"])
    asked = call.query.get("copyid")
    if not asked:
        raise failure("MissingRequiredQueryParameter", QueryParameterName="copyid")
    with tree.find_file(context.root(call), call.parts) as found:
        record, _ = check(context, call, found)
        copy_id = record.copy.get(pending.ID, "")
        if not context.copies.is_pending(copy_id):
            raise failure("NoPendingCopyOperation")
        if copy_id != asked:
            raise failure("CopyIdMismatch")
        context.copies.abort(copy_id)
        fd = found.open(os.O_RDWR)
        try:
            os.ftruncate(fd, 0)
        finally:
            os.close(fd)
        record.ranges = []
        record.copy |= {pending.STATUS: "aborted", "x-ms-copy-completion-time": _now(context)}
        save(context, call, found, record)
    return call.answer(204, {})


def _check_idle(context: Context, call: Call, root: str) -> None:
    """Refuse a target that another copy is being made to; StorageError PendingCopyOperation (409)."""
    try:
        found = tree.find(root, call.parts)
    except (FileNotFoundError, NotADirectoryError):
        return
    with found:
        if not found.is_directory:
            record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=False)
            if context.copies.is_pending(record.copy.get(pending.ID, "")):
                raise failure("PendingCopyOperation")


def _begin(  # noqa: PLR0917 - what is copied, and where to
    context: Context,
    call: Call,
    root: str,
    record: EntryRecord,
    draft: str,
    size: int,
    written: int | None,
) -> dict[str, str]:
    """Make the target, of zeros, and let its content wait."""
    fd, path, _ = tree.make_file(root, call.parts)
    try:
        os.ftruncate(fd, 0)
        os.ftruncate(fd, size)
    finally:
        os.close(fd)
    ranges, record.ranges = record.ranges, []
    with tree.find_file(root, path.split("/")) as target:
        headers = save(context, call, target, record)

    def complete() -> None:
        try:
            with tree.find_file(root, path.split("/")) as target:
                now = context.shares.records.entry(call.share_key, path, target.stat, directory=False)
        except StorageError:
            return  # deleted meanwhile
        if now.copy.get(pending.ID) != record.copy[pending.ID]:
            return  # written meanwhile
        record.ranges = ranges
        record.copy |= {pending.STATUS: "success", "x-ms-copy-progress": f"{size}/{size}"}
        _complete(context, call, root, record, draft, written)

    context.copies.begin(record.copy[pending.ID], draft, complete)
    return headers


def _complete(  # noqa: PLR0917 - what is copied, and where to
    context: Context,
    call: Call,
    root: str,
    record: EntryRecord,
    draft: str,
    written: int | None,
    *,
    is_new: bool = False,
) -> dict[str, str]:
    """Let the draft take the target's name, and keep its record."""
    record.copy["x-ms-copy-completion-time"] = _now(context)
    path = _replace(root, call.parts, draft, is_new=is_new)
    with tree.find_file(root, path.split("/")) as target:
        smb.set_last_write(f"/proc/self/fd/{target.fd}", written)
        target.stat = os.fstat(target.fd)
        record.created = record.created or target.stat.st_mtime_ns
        return save(context, call, target, record)


def _now(context: Context) -> str:
    return http_date(int(context.clock.now().timestamp()))


def _apply(context: Context, call: Call, record: EntryRecord, source: Source, found: Found) -> int | None:
    """Give the copy its SMB properties: ``source`` keeps the source's, nothing gives it new ones."""
    headers = call.headers
    written = found.stat.st_mtime_ns if _is_source(headers.get("x-ms-file-last-write-time")) else None
    keep_created = _is_source(headers.get("x-ms-file-creation-time"))
    keep_attributes = _is_source(headers.get("x-ms-file-attributes"))
    mode = headers.get("x-ms-file-permission-copy-mode", "override").lower()
    if mode not in ("source", "override"):
        raise bad_header("x-ms-file-permission-copy-mode", mode)
    permission = permissions.text_of(context, source.share_key, record.permission)
    kept = {name for name in smb.NAMES if _is_source(headers.get(name))}
    if not keep_created:
        record.created = 0
    if not keep_attributes:
        record.attributes = "Archive"
    elif call.flag("x-ms-file-copy-set-archive") and "Archive" not in record.attributes:
        record.attributes = smb.with_archive(record.attributes)
    asked = smb.apply(context, call, record, directory=False, left=kept)
    if mode == "source":
        record.permission = permissions.keep(context, call, permission)
    return written if written is not None else asked


def _is_source(text: str | None) -> bool:
    return text is not None and text.lower() == "source"


def _draft(found: Found, path: str) -> None:
    read = found.open(os.O_RDONLY | os.O_NONBLOCK)
    try:
        write = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, tree.MODE)
        try:
            os.fchmod(write, tree.MODE)
            copy_content(read, write, found.stat.st_size)
        finally:
            os.close(write)
    finally:
        os.close(read)


def _replace(root: str, parts: tuple[str, ...], draft: str, *, is_new: bool) -> str:
    """Put the draft where the target is, or will be, and give its true path."""
    fd, path, _ = tree.make_file(root, parts, is_new=is_new)
    try:
        try:
            return tree.put(root, path.split("/"), draft)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            os.ftruncate(fd, 0)  # a share that a person linked to another disk
            read = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
            try:
                copy_content(read, fd, os.fstat(read).st_size)
            finally:
                os.close(read)
    finally:
        os.close(fd)
    return path
