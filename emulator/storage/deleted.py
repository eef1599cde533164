# ruff: noqa: PTH103, PTH104, PTH106, PTH116, PTH120, PTH208 - paths are plain strings in this room
"""Shares that were deleted and can be had back: the soft deletion of shares."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from batchai_scenario.emulator.state.clock import parse_time, wire_time
from batchai_scenario.emulator.storage.errors import failure
from batchai_scenario.emulator.storage.properties import FILE

if TYPE_CHECKING:
    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.store import Document, Store
    from batchai_scenario.emulator.storage.records import ShareRecord
    from batchai_scenario.emulator.storage.shares import Shares

KIND = "storage-deleted-share"
_POLICY = "ShareDeleteRetentionPolicy"
_BEGIN = datetime.fromisoformat("1601-01-01T00:00:00+00:00")
_OUT, _BACK = "out", "back"


@dataclass(frozen=True, slots=True)
class DeletedShare:
    """A share that was deleted: ``at`` when, kept for ``days`` from then on.

    ``version`` tells it from others that had its name; ``remaining`` are the days that are left, rounded up.
    """

    name: str
    version: str
    at: datetime
    days: int
    remaining: int
    record: ShareRecord
    status: os.stat_result


class DeletedShares:
    """Keeps deleted shares as long as their account says, and gives them back.

    D1. A share that was deleted is out of every other sight, with its snapshots; its name is free at once.
    D2. A kill leaves it whole, in one place or the other: the next start completes what was begun.
    D3. When its time is over it is gone for clients; its folder goes when the deleted shares of its account
        are next looked at, and at the next start.
    """

    def __init__(self, shares: Shares, store: Store, clock: Clock, *, days: int = 0) -> None:
        """Complete what a kill broke off, and let go what is over.

        ``days``: how long shares are kept in accounts where nobody set that; 0: not at all.
        """
        self._shares, self._store, self._clock, self._days = shares, store, clock, days
        self._lock = threading.RLock()
        for document in store.list(KIND):
            if document.body["moving"]:
                with suppress(OSError):
                    self._finish(document)
        for account in {document.parent for document in store.list(KIND)}:
            self._expire(account)

    def days(self, account: str) -> int:
        """Give how long deleted shares of an account are kept; 0: not at all."""
        text = self._shares.records.properties.sections(account, FILE).get(_POLICY)
        return self._days if text is None else int(text)

    def set_days(self, account: str, days: int) -> None:
        """Set how long shares that are deleted from now on are kept; 0: not at all."""
        self._shares.records.properties.save(account, FILE, {_POLICY: str(days)})

    def keep(self, account: str, share: str) -> bool:
        """Put a share and its snapshots away (D1); False if deleted shares of its account are not kept.

        Raises:
            StorageError: ShareNotFound.
        """
        days = self.days(account)
        if not days:
            return False
        self._shares.root(account, share)
        with self._lock:
            self._expire(account)
            now = self._clock.now()
            taken = {version for name, version in self._versions(account) if name == share}
            while (version := _version(now)) in taken:
                now += timedelta(milliseconds=1)
            key = f"{account}/{share}!{version}"
            body = {"share": share, "version": version, "at": wire_time(now), "days": days, "moving": _OUT}
            with self._store.transaction():
                self._store.put(KIND, key, body, parent=account)
                for live, kept in self._keys(account, share, key):
                    self._shares.records.move_share(live, kept)
            document = self._store.get(KIND, key)
            assert document is not None  # noqa: S101 - it was put a moment ago
            try:
                self._finish(document)
            except OSError:
                self._undo(document)
                raise
        return True

    def kept(self, account: str) -> list[DeletedShare]:
        """List an account's deleted shares, by name and age (D3)."""
        with self._lock:
            self._expire(account)
            found = [self._read(document) for document in self._store.list(KIND, account)]
        return sorted(
            (share for share in found if share is not None), key=lambda share: (share.name, share.version)
        )

    def restore(self, account: str, share: str, version: str) -> None:
        """Give a deleted share back, with its snapshots, under its old name.

        Raises:
            StorageError: ShareNotFound if there is none of that name and version, ShareAlreadyExists if its
                name has been taken.
        """
        with self._lock:
            self._expire(account)
            key = f"{account}/{share}!{version}"
            document = self._store.get(KIND, key)
            if document is None or self._read(document) is None:
                raise failure("ShareNotFound")
            if os.path.lexists(self._shares.folder(account, share)):
                raise failure("ShareAlreadyExists")
            self._store.put(KIND, key, {**document.body, "moving": _BACK}, parent=account)
            back = self._store.get(KIND, key)
            assert back is not None  # noqa: S101 - it was put a moment ago
            self._finish(back)

    def forget_all(self, account: str) -> None:
        """Let go of all deleted shares of an account, whatever time they have left."""
        with self._lock:
            for document in self._store.list(KIND, account):
                self._remove(document)

    def _versions(self, account: str) -> list[tuple[str, str]]:
        return [(item.body["share"], item.body["version"]) for item in self._store.list(KIND, account)]

    def _read(self, document: Document) -> DeletedShare | None:
        """Read what is kept of a deleted share; None if somebody removed its folder."""
        body = document.body
        at = parse_time(body["at"])
        left = at + timedelta(days=body["days"]) - self._clock.now()
        try:
            status = os.stat(f"{self._folder(document)}/share")
        except OSError:
            return None
        record = self._shares.records.share(document.id, status)
        remaining = -(-left // timedelta(days=1))
        return DeletedShare(body["share"], body["version"], at, body["days"], remaining, record, status)

    def _expire(self, account: str) -> None:
        now = self._clock.now()
        for document in self._store.list(KIND, account):
            body = document.body
            if not body["moving"] and parse_time(body["at"]) + timedelta(days=body["days"]) <= now:
                self._remove(document)

    def _remove(self, document: Document) -> None:
        """Let a deleted share go: first out of sight, then from disk."""
        keys = self._keys(document.parent, document.body["share"], document.id)
        aside = self._shares.put_aside(self._folder(document))
        with self._store.transaction():
            for _, kept in keys:
                self._shares.records.forget_share(kept)
            self._store.delete(KIND, document.id)
        if aside:
            self._shares.discard(aside)

    def _keys(self, account: str, share: str, key: str) -> list[tuple[str, str]]:
        """Pair the keys of what is known of a share and its snapshots with those of a deleted share."""
        taken = set(self._shares.snapshots(account, share))
        with suppress(FileNotFoundError):
            taken |= set(os.listdir(f"{self._shares.deleted}/{key}/snapshots"))
        live = f"{account}/{share}"
        return [(live, key), *((f"{live}@{snapshot}", f"{key}@{snapshot}") for snapshot in sorted(taken))]

    def _folder(self, document: Document) -> str:
        return f"{self._shares.deleted}/{document.id}"

    def _finish(self, document: Document) -> None:
        """Move a share's folders to where they are to be, and say that it is done (D2)."""
        account, share = document.parent, document.body["share"]
        pairs = self._folders(document)
        if document.body["moving"] == _OUT:
            os.makedirs(self._folder(document), mode=0o700, exist_ok=True)
            for live, kept in pairs:
                self._move(live, kept)
            self._store.put(KIND, document.id, {**document.body, "moving": ""}, parent=account)
            return
        keys = self._keys(account, share, document.id)
        os.makedirs(os.path.dirname(pairs[1][0]), mode=0o700, exist_ok=True)
        for live, kept in pairs:
            self._move(kept, live)
        with self._store.transaction():
            for live, kept in keys:
                self._shares.records.move_share(kept, live)
            self._store.delete(KIND, document.id)
        with suppress(OSError):
            os.rmdir(self._folder(document))

    @staticmethod
    def _move(source: str, target: str) -> None:
        if os.path.lexists(source) and not os.path.lexists(target):
            os.rename(source, target)

    def _folders(self, document: Document) -> list[tuple[str, str]]:
        account, share = document.parent, document.body["share"]
        away = self._folder(document)
        return [
            (self._shares.folder(account, share), f"{away}/share"),
            (self._shares.snapshots_folder(account, share), f"{away}/snapshots"),
        ]

    def _undo(self, document: Document) -> None:
        """Leave a share where it was that cannot be moved."""
        with suppress(OSError):
            for live, kept in self._folders(document):
                self._move(kept, live)
        keys = self._keys(document.parent, document.body["share"], document.id)
        with self._store.transaction():
            for live, kept in keys:
                self._shares.records.move_share(kept, live)
            self._store.delete(KIND, document.id)


def _version(moment: datetime) -> str:
    """Make a version in the service's form: the time in hundreds of nanoseconds since 1601, as 16 digits."""
    return f"{(moment - _BEGIN) // timedelta(microseconds=1) * 10:016X}"
