"""Renaming files and directories within a share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage import smb, tree
from batchai_scenario.emulator.storage.call import SERVER_ENCRYPTED, smb_headers, stamps
from batchai_scenario.emulator.storage.errors import bad_header, failure
from batchai_scenario.emulator.storage.records import entity_tag
from batchai_scenario.emulator.storage.sources import find_source
from batchai_scenario.emulator.storage.times import snapshot_time

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context
    from batchai_scenario.emulator.storage.records import EntryRecord
    from batchai_scenario.emulator.storage.tree import Found


_MOST_RENAMES = 10_000
"""Renames that are noted for one share."""


async def rename_file(context: Context, call: Call) -> Response:
    """Rename a file; what stood at its new name is replaced if the request says so."""
    return _rename(context, call, directory=False)


async def rename_directory(context: Context, call: Call) -> Response:
    """Rename a directory with all that is in it; a file at its new name is replaced if the request says."""
    return _rename(context, call, directory=True)


def _rename(context: Context, call: Call, *, directory: bool) -> Response:
    """Rename: properties, metadata and leases of what moves, and of what is below it, follow it."""
    root = context.root(call)
    source = find_source(context, call, "x-ms-file-rename-source", "wd")
    if source.account is not call.account or source.share != call.share or source.snapshot:
        raise bad_header("x-ms-file-rename-source", source.url)
    if not call.parts or not source.parts:
        raise bad_header("x-ms-file-rename-source", source.url)
    metadata = call.metadata()
    with (
        tree.find(root, source.parts)
        if _exists(root, source.parts)
        else _missing(root, source.parts) as found
    ):
        if found.is_directory != directory:
            raise failure("ResourceTypeMismatch")
        record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=directory)
        below = f"{call.share_key}/{found.path}"
        context.leases.check(call, below, locks=True, header="x-ms-source-lease-id")
        if directory and _is_inside(root, call.parts, found):
            raise bad_header("x-ms-file-rename-source", source.url)
        _check_target(context, call, root, found)
    written = smb.apply(context, call, record, directory=directory)
    before, after = tree.rename(root, source.parts, call.parts, directory=directory)
    context.shares.records.move_entries(call.share_key, before, after)
    _note(context, call, before, after)
    context.leases.move(f"{call.share_key}/{before}", f"{call.share_key}/{after}")
    record.metadata = metadata or record.metadata
    if not directory and call.headers.get("x-ms-content-type"):
        record.headers = record.headers | {"content-type": call.headers["x-ms-content-type"]}
    with tree.find(root, after.split("/")) as moved:
        smb.set_last_write(f"/proc/self/fd/{moved.fd}", written)
        return call.answer(200, _save(context, call, moved, record, directory=directory))


def _note(context: Context, call: Call, before: str, after: str) -> None:
    """Note a rename for those who ask what has changed since a snapshot; those older than all are dropped."""
    snapshots = context.shares.snapshots(call.account.name, call.share)
    if not snapshots:
        return
    record, _ = context.shares.read(call.account.name, call.share)
    now = snapshot_time(context.clock.now())
    record.renames = [item for item in record.renames if item[0] > snapshots[0]][-_MOST_RENAMES:]
    record.renames.append([now, before, after])
    context.shares.records.put_share(call.share_key, record)


def _check_target(context: Context, call: Call, root: str, source: Found) -> None:
    """Refuse to replace what may not be replaced."""
    try:
        found = tree.find(root, call.parts)
    except (FileNotFoundError, NotADirectoryError):
        return
    with found:
        if (found.stat.st_dev, found.stat.st_ino) == (source.stat.st_dev, source.stat.st_ino):
            return
        if found.is_directory or not call.flag("x-ms-file-rename-replace-if-exists"):
            raise failure("ResourceAlreadyExists")
        key = f"{call.share_key}/{found.path}"
        context.leases.check(call, key, locks=True, header="x-ms-destination-lease-id")
        record = context.shares.records.entry(call.share_key, found.path, found.stat, directory=False)
        if not call.flag("x-ms-file-rename-ignore-readonly"):
            smb.check_writable(record)


def _is_inside(root: str, parts: tuple[str, ...], directory: Found) -> bool:
    """Tell whether a path lies below a directory."""
    try:
        with tree.find(root, parts[:-1]) as parent:
            return f"{parent.path}/".startswith(f"{directory.path}/")
    except (FileNotFoundError, NotADirectoryError):
        return False


def _exists(root: str, parts: tuple[str, ...]) -> bool:
    try:
        with tree.find(root, parts):
            return True
    except (FileNotFoundError, NotADirectoryError):
        return False


def _missing(root: str, parts: tuple[str, ...]) -> Found:
    """Raise the error for a path that leads nowhere: ResourceNotFound or ParentNotFound."""
    return tree.find_file(root, parts)


def _save(
    context: Context, call: Call, found: Found, record: EntryRecord, *, directory: bool
) -> dict[str, str]:
    found.stat = os.fstat(found.fd)
    context.shares.records.save_entry(call.share_key, found.path, found.stat, record, directory=directory)
    tag = entity_tag(found.stat, record.changed, directory=directory)
    headers = stamps(tag, record.changed) | smb_headers(call, found, record)
    return headers | SERVER_ENCRYPTED
