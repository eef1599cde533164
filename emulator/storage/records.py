"""What Files keeps about a share, directory or file beyond its content: metadata, HTTP headers, SMB times.

It lives in the store, by exact path. A file's record holds the inode, size and time of last write that the
file had when this service last touched it; when they no longer agree, somebody else wrote or replaced the
file, and the record no longer counts: a stale ``Content-MD5`` or ``Content-Type`` would be a lie. A
directory's record is held by its inode alone, because making an entry changes its time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    from emulator.state.store import Store

SHARES = "storage-share"
ENTRIES = "storage-entry"

DEFAULT_QUOTA = 5120
"""GiB, when a share was made without one (service)."""


@dataclass(slots=True)
class ShareRecord:
    """A share's properties. ``changed`` in ns since 1970: when its properties or metadata last did."""

    quota: int = DEFAULT_QUOTA
    metadata: dict[str, str] = field(default_factory=dict)
    changed: int = 0


@dataclass(slots=True)
class EntryRecord:
    """A file's or directory's properties.

    ``headers`` are the HTTP headers of a file, by lower-case name (``content-type``, ``content-md5``, ...);
    ``created`` and ``changed`` in ns since 1970, ``changed`` being when the properties last did.
    """

    headers: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    attributes: str = ""
    created: int = 0
    changed: int = 0


class Records:
    """Reads and writes records; safe from any thread as far as the store is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def share(self, key: str, stat: os.stat_result) -> ShareRecord:
        """Read a share's record by ``<account>/<share>``; a folder that somebody made has defaults."""
        document = self._store.get(SHARES, key)
        if document is None:
            return ShareRecord(changed=stat.st_ctime_ns)
        return ShareRecord(**document.body)

    def save_share(self, key: str, record: ShareRecord) -> None:
        """Write a share's record, changed now."""
        record.changed = time.time_ns()
        body = {"quota": record.quota, "metadata": record.metadata, "changed": record.changed}
        self._store.put(SHARES, key, body, parent=key.partition("/")[0])

    def forget_share(self, key: str) -> None:
        """Forget a share and everything in it."""
        with self._store.transaction():
            for document in self._store.list(ENTRIES, key):
                self._store.delete(ENTRIES, document.id)
            self._store.delete(SHARES, key)

    def entry(self, share: str, path: str, stat: os.stat_result, *, directory: bool) -> EntryRecord:
        """Read the record of what stands at ``path`` (its true path) now; defaults if none fits."""
        document = self._store.get(ENTRIES, f"{share}/{path}")
        if document is not None and document.body["seal"] == _seal(stat, directory=directory):
            body = document.body
            return EntryRecord(
                body["headers"], body["metadata"], body["attributes"], body["created"], body["changed"]
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
        body: dict[str, Any] = {
            "seal": _seal(stat, directory=directory),
            "headers": record.headers,
            "metadata": record.metadata,
            "attributes": record.attributes,
            "created": record.created,
            "changed": record.changed,
        }
        self._store.put(ENTRIES, f"{share}/{path}", body, parent=share)

    def forget_entry(self, share: str, path: str) -> None:
        """Forget one file or directory."""
        self._store.delete(ENTRIES, f"{share}/{path}")


def entity_tag(stat: os.stat_result, changed: int, *, directory: bool = False) -> str:
    """Make an ETag that differs whenever content or properties do, in the service's form ``"0x8D..."``."""
    state = (*_seal(stat, directory=directory), changed)
    return f'"0x8{hash(state) & 0xFFF_FFFF_FFFF_FFFF:015X}"'


def _seal(stat: os.stat_result, *, directory: bool) -> list[int]:
    """Give what must agree for a record to be believed."""
    return [stat.st_ino] if directory else [stat.st_ino, stat.st_size, stat.st_mtime_ns]
