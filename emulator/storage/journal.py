# ruff: noqa: PTH123, PTH208 - paths on the way of requests are plain strings and descriptors
"""Writes that a kill may break off: noted beside their drafts, and completed at the next start.

A range or a new file is put in place from a draft; then its record is kept. A kill between the first byte and
the last would leave half a range, and properties that no longer fit their file. So each such write is noted
first, in a file beside the draft, and the note is struck out when all is done. What a killed process left
noted is done again from the draft, whole; what was not begun stays as it was. Where the machine was started
since, a draft may hold what an earlier request sent, and nothing is done again.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from batchai_scenario.emulator.storage import punching, tree
from batchai_scenario.emulator.storage.errors import StorageError
from batchai_scenario.emulator.storage.records import EntryRecord, seal_of
from batchai_scenario.emulator.storage.slots import DRAFT, NOTE
from batchai_scenario.emulator.storage.uploads import copy_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.records import Records
    from batchai_scenario.emulator.storage.slots import Slot

_VALID, _STRUCK = b"1", b"0"
_MOST_NOTE = 1 << 20
_OTHERS_AFTER = 10 * 1_000_000_000
"""Nanoseconds after a note: what changed its file later was somebody else, and is left alone."""


class Kept(Protocol):
    """What is replayed onto: shares and the records of what is in them."""

    @property
    def records(self) -> Records:
        """The records."""

    def root(self, account: str, share: str, snapshot: str = "", /) -> str:
        """Give a share's folder; StorageError if there is none."""


@contextlib.contextmanager
def noted(slot: Slot, call: Call, path: str, stat: os.stat_result | None, **what: Any) -> Iterator[None]:  # noqa: ANN401
    """Note what is done inside; an error there strikes the note out, too.

    Args:
        slot: Where the content is.
        call: The request, for its share.
        path: Where the file is, or will be.
        stat: What it is now; None if it is new.
        what: ``range``: first byte and length; ``clear``: the same; ``create``: size and length, with
            ``record`` and ``written``.
    """
    seal = None if stat is None else seal_of(stat)
    note = {
        "share": [call.account.name, call.share],
        "path": path,
        "seal": seal,
        "at": time.time_ns(),
        "boot": this_boot(),
        **what,
    }
    os.pwrite(slot.note, json.dumps(note).encode() + b"\n", 1)
    os.pwrite(slot.note, _VALID, 0)
    try:
        yield
    finally:
        os.pwrite(slot.note, _STRUCK, 0)


def replay(shares: Kept, folder: str) -> int:
    """Complete what a killed process left noted in a folder; gives how many writes that were."""
    try:
        names = [name for name in os.listdir(folder) if name.startswith(NOTE)]
    except FileNotFoundError:
        return 0
    done = 0
    for name in names:
        note = _read(f"{folder}/{name}")
        if note is not None:
            with (
                contextlib.suppress(StorageError, OSError),
                open(f"{folder}/{DRAFT}{name.removeprefix(NOTE)}", "rb", buffering=0) as draft,
            ):
                done += _redo(shares, note, draft.fileno())
    return done


@functools.cache
def this_boot() -> str:
    """Name the time since the machine was started; empty if the kernel does not tell it."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def _read(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_NOTE)
        if data[:1] != _VALID:
            return None
        note = json.loads(data[1:].partition(b"\n")[0])
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) else None


def _redo(shares: Kept, note: dict[str, Any], draft: int) -> bool:
    """Do a noted write again if it had begun; False if its file is as it was, or somebody else's now.

    False as well if the machine was started since: nobody knows what of the draft reached the disk.
    """
    if note.get("boot") != this_boot():
        return False
    account, share = note["share"]
    root = shares.root(account, share)
    parts = note["path"].split("/")
    with tree.find_file(root, parts) as found:
        if seal_of(found.stat) == note["seal"]:
            return False
        same = note["seal"] is None or found.stat.st_ino == note["seal"][0]
        if not same or found.stat.st_mtime_ns > note["at"] + _OTHERS_AFTER:
            return False
        if shares.records.fits(f"{account}/{share}", found.path, found.stat):
            return False  # all was done but striking the note out
        fd = found.open(os.O_RDWR)
        try:
            if "create" in note:
                size, length = note["create"]
                copy_range(draft, fd, 0, length)
                os.ftruncate(fd, length)
                os.ftruncate(fd, size)
                if note["written"] is not None:
                    os.utime(fd, ns=(found.stat.st_atime_ns, note["written"]))
            elif "clear" in note:
                punching.clear(fd, *note["clear"])
            else:
                copy_range(draft, fd, *note["range"])
            now = os.fstat(fd)
        finally:
            os.close(fd)
        key = f"{account}/{share}"
        if "create" in note:
            record = EntryRecord(**note["record"])
            record.created = record.created or now.st_mtime_ns
            shares.records.save_entry(key, found.path, now, record, directory=False)
        else:
            shares.records.reseal(key, found.path, note["seal"], now)
    return True


def as_note(record: EntryRecord) -> dict[str, Any]:
    """Write a record as a note has it."""
    return asdict(record)
