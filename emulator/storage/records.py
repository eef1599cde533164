"""What Files keeps about a share, directory or file beyond its content: metadata, HTTP headers, SMB times.

It lives in the store, by exact path. A file's record holds the inode, size and time of last write that the
file had when this service last touched it; when they no longer agree, somebody else wrote or replaced the
file, and the record no longer counts: a stale ``Content-MD5`` or ``Content-Type`` would be a lie. A
directory's record is held by its inode alone, because making an entry changes its time.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.storage.properties import ServiceProperties
from batchai_scenario.emulator.storage.written import MOST

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from batchai_scenario.emulator.state.store import Store

SHARES = "storage-share"
ENTRIES = "storage-entry"
PERMISSIONS = "storage-permission"

_REMEMBERED = 4096

DEFAULT_QUOTA = 5120
"""GiB, when a share was made without one (service)."""


@dataclass(slots=True)
class ShareRecord:
    """A share's properties.

    ``changed`` in ns since 1970: when its properties or metadata last did. ``policies`` are its stored access
    policies, in order: ``id`` and any of ``start``, ``expiry``, ``permission``. ``properties`` are what
    newer versions know, by the header that sets and tells them, such as ``x-ms-access-tier``. ``renames`` are
    those since the oldest snapshot, in order: time as snapshots have it, path before, path after.
    """

    quota: int = DEFAULT_QUOTA
    metadata: dict[str, str] = field(default_factory=dict)
    changed: int = 0
    policies: list[dict[str, str]] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    renames: list[list[str]] = field(default_factory=list)


@dataclass(slots=True)
class EntryRecord:
    """A file's or directory's properties.

    ``headers`` are the HTTP headers of a file, by lower-case name (``content-type``, ``content-md5``, ...);
    ``created`` and ``changed`` in ns since 1970, ``changed`` being when the properties last did.
    ``change_time`` is the SMB change time that a client set (0: none), ``new_change_time`` the one that the
    next save keeps: any later change forgets it. ``permission`` is the key of a permission, empty for the
    default; ``copy`` the headers that tell of the copy that made the file. ``ranges`` are what was written of
    a file (``written``), None if nobody kept count; ``cleared`` what was cleared of it: the newest snapshot
    of its share then, first and last byte.
    """

    headers: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    attributes: str = ""
    created: int = 0
    changed: int = 0
    permission: str = ""
    copy: dict[str, str] = field(default_factory=dict)
    change_time: int = 0
    new_change_time: int = 0
    ranges: list[list[int]] | None = None
    cleared: list[tuple[str, int, int]] = field(default_factory=list)


class Records:
    """Reads and writes records; safe from any thread as far as the store is.

    R1. What was read of a file or directory lately is remembered: one process serves a home at a time, and
        its records are written here only. What is remembered is never changed in place.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.properties = ServiceProperties(store)
        self.watchers: list[Callable[[str], None]] = []
        """Called with the key of a share or snapshot of which all is forgotten."""
        self._recent: dict[str, dict[str, Any] | None] = {}
        self._written = 0

    def share(self, key: str, stat: os.stat_result) -> ShareRecord:
        """Read a share's record by ``<account>/<share>``; a folder that somebody made has defaults."""
        document = self._store.get(SHARES, key)
        if document is None:
            return ShareRecord(changed=stat.st_ctime_ns)
        return ShareRecord(**document.body)

    def save_share(self, key: str, record: ShareRecord) -> None:
        """Write a share's record, changed now."""
        record.changed = time.time_ns()
        self.put_share(key, record)

    def put_share(self, key: str, record: ShareRecord) -> None:
        """Write a share's or snapshot's record as it is."""
        self._store.put(SHARES, key, asdict(record), parent=key.partition("/")[0])

    def forget_share(self, key: str) -> None:
        """Forget a share and everything in it."""
        with self._store.transaction():
            self._store.delete_below(ENTRIES, key)
            self._store.delete_below(PERMISSIONS, key)
            self._store.delete(SHARES, key)
        self._forget_recent()
        for watcher in self.watchers:
            watcher(key)

    def move_share(self, before: str, after: str) -> None:
        """Keep what is known of a share, and of everything in it, under another key; its leases end."""
        with self._store.transaction():
            self._store.move(SHARES, before, after, parent=after.partition("/")[0])
            for kind in (ENTRIES, PERMISSIONS):
                self._store.move(kind, before, after, parent=after)
        self._forget_recent()
        for watcher in self.watchers:
            watcher(before)

    def entry(self, share: str, path: str, stat: os.stat_result, *, directory: bool) -> EntryRecord:
        """Read the record of what stands at ``path`` (its true path) now; defaults if none fits."""
        body = self._read(f"{share}/{path}")
        if body is not None and body["seal"] == seal_of(stat, directory=directory):
            return EntryRecord(
                body["headers"],
                body["metadata"],
                body["attributes"],
                body["created"],
                body["changed"],
                body.get("permission", ""),
                body.get("copy", {}),
                body.get("change_time", 0),
                ranges=body.get("ranges"),
                cleared=[(str(then), int(low), int(high)) for then, low, high in body.get("cleared", ())],
            )
        written = stat.st_ctime_ns if directory else stat.st_mtime_ns
        return EntryRecord(
            attributes="Directory" if directory else "Archive",
            created=min(written, stat.st_ctime_ns),
            changed=written,
        )

    def save_entry(
        self, share: str, path: str, stat: os.stat_result, record: EntryRecord, *, directory: bool
    ) -> None:
        """Write the record of what stands at ``path`` in the state that ``stat`` shows, changed now."""
        record.changed = max(time.time_ns(), record.changed + 1)
        record.change_time, record.new_change_time = record.new_change_time, 0
        self.put_entry(share, path, stat, record, directory=directory)

    def put_entry(
        self, share: str, path: str, stat: os.stat_result, record: EntryRecord, *, directory: bool
    ) -> None:
        """Write the record of what stands at ``path`` as it is, changed when it says."""
        body: dict[str, Any] = {
            "seal": seal_of(stat, directory=directory),
            "headers": record.headers,
            "metadata": record.metadata,
            "attributes": record.attributes,
            "created": record.created,
            "changed": record.changed,
        }
        if record.permission:
            body["permission"] = record.permission
        if record.copy:
            body["copy"] = record.copy
        if record.change_time:
            body["change_time"] = record.change_time
        if record.ranges is not None and len(record.ranges) <= MOST:
            body["ranges"] = record.ranges
        if record.cleared:
            body["cleared"] = record.cleared[-MOST:]
        self._store.put(ENTRIES, f"{share}/{path}", body, parent=share)
        self._written += 1
        self._recent[f"{share}/{path}"] = body

    def paths(self, share: str) -> list[str]:
        """List the paths in a share of which something is kept."""
        return [document.id[len(share) + 1 :] for document in self._store.list(ENTRIES, share)]

    def fits(self, share: str, path: str, stat: os.stat_result) -> bool:
        """Tell whether what is kept of a file was kept in the state that it is in."""
        body = self._read(f"{share}/{path}")
        return body is not None and body["seal"] == seal_of(stat)

    def reseal(self, share: str, path: str, seal: list[int], stat: os.stat_result) -> None:
        """Believe a file's record again that this service changed without saving it.

        What was written of the file is not known any more.
        """
        body = self._read(f"{share}/{path}")
        if body is None or body["seal"] != seal:
            return
        kept = {name: value for name, value in body.items() if name != "ranges"}
        document = {**kept, "seal": seal_of(stat), "changed": max(time.time_ns(), body["changed"] + 1)}
        self._store.put(ENTRIES, f"{share}/{path}", document, parent=share)
        self._forget_recent()

    def move_entries(self, share: str, source: str, target: str) -> None:
        """Let what is kept of ``source`` and all below it follow a rename to ``target``."""
        with self._store.transaction():
            self._store.delete(ENTRIES, f"{share}/{target}")
            self._store.move(ENTRIES, f"{share}/{source}", f"{share}/{target}", parent=share)
        self._forget_recent()

    def save_permission(self, share: str, key: str, text: str, binary: str = "") -> None:
        """Keep a permission of a share by its key, and the binary form if it came in that."""
        body = {"permission": text, **({"binary": binary} if binary else {})}
        self._store.put(PERMISSIONS, f"{share}/{key}", body, parent=share)

    def binary_permission(self, share: str, key: str) -> str:
        """Read the binary form in which a permission came; empty if it came as text."""
        document = self._store.get(PERMISSIONS, f"{share}/{key}")
        return "" if document is None else str(document.body.get("binary", ""))

    def permission(self, share: str, key: str) -> str | None:
        """Read a permission by its key; None if the share has no such one."""
        document = self._store.get(PERMISSIONS, f"{share}/{key}")
        return None if document is None else str(document.body["permission"])

    def forget_entry(self, share: str, path: str) -> None:
        """Forget one file or directory."""
        self._store.delete(ENTRIES, f"{share}/{path}")
        self._forget_recent()

    def _read(self, key: str) -> dict[str, Any] | None:
        """Read a document of ``ENTRIES``, from memory if it was read lately (R1)."""
        try:
            return self._recent[key]
        except KeyError:
            pass
        written = self._written
        document = self._store.get(ENTRIES, key)
        body = None if document is None else document.body
        if len(self._recent) >= _REMEMBERED:
            self._recent.clear()
        if written == self._written:  # else somebody wrote meanwhile
            self._recent[key] = body
        return body

    def _forget_recent(self) -> None:
        self._written += 1
        self._recent.clear()


def entity_tag(stat: os.stat_result, changed: int, *, directory: bool = False) -> str:
    """Make an ETag that differs whenever content or properties do: 15 digits, as ``"0x8D58B13067C8FF1"``."""
    state = (*seal_of(stat, directory=directory), changed)
    return f'"0x8D{hash(state) & 0xF_FFFF_FFFF_FFFF:013X}"'


def seal_of(stat: os.stat_result, *, directory: bool = False) -> list[int]:
    """Give what must agree for a record to be believed."""
    return [stat.st_ino] if directory else [stat.st_ino, stat.st_size, stat.st_mtime_ns]
