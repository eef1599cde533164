# ruff: noqa: PTH101, PTH102, PTH103, PTH104, PTH116, PTH208 - paths on the way of every request are plain strings and descriptors
"""Shares: ordinary folders, ``<home>/storage/<account>/<share>/``."""

from __future__ import annotations

import os
import stat as modes
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from batchai_scenario.emulator.state import beneath
from batchai_scenario.emulator.storage import journal
from batchai_scenario.emulator.storage.errors import bad_query, failure
from batchai_scenario.emulator.storage.names import check_share_name, is_share_name
from batchai_scenario.emulator.storage.records import Records, ShareRecord
from batchai_scenario.emulator.storage.slots import Slot, new_slot
from batchai_scenario.emulator.storage.times import parse_sas_time
from batchai_scenario.emulator.storage.tree import MODE

if TYPE_CHECKING:
    from batchai_scenario.emulator.state.home import Home
    from batchai_scenario.emulator.state.store import Store


class Shares:
    """Finds, makes and deletes shares; safe from any thread.

    H1. A folder below an account's folder is a share if its name may be one, whoever made it.
    H2. A deleted share is gone at once: its folder is moved aside, then removed (or kept, ``DeletedShares``).
    H3. Nothing but what clients, jobs and people put there ever stands in a share: data on its way in waits
        in ``staging``, a folder beside the accounts (same file system).
    H4. A snapshot is a folder of its own beside the accounts, which nothing but reads ever touches. It goes
        with its share.
    """

    def __init__(self, home: Home, store: Store) -> None:
        """Complete what a crash left noted in the staging folder, and empty it; the lock must be held."""
        self._storage = os.fspath(home.storage)
        self.staging = f"{self._storage}/.staging"
        self._snapshots = f"{self._storage}/.snapshots"
        self.deleted = f"{self._storage}/.deleted"
        self._roots: dict[str, tuple[tuple[int, int], str]] = {}
        self.records = Records(store)
        os.makedirs(self._storage, mode=0o700, exist_ok=True)
        journal.replay(self, self.staging)
        _remove_tree(self.staging)
        os.makedirs(self.staging, mode=0o700, exist_ok=True)

    def root(self, account: str, share: str, snapshot: str = "") -> str:
        """Give the folder of a share, or of its snapshot of that time, with links resolved.

        Raises:
            StorageError: ShareNotFound, ShareSnapshotNotFound; OutOfRangeInput or InvalidResourceName for an
                impossible name, InvalidQueryParameterValue for an impossible time.
        """
        check_share_name(share)
        folder = self.folder(account, share)
        if snapshot:
            if parse_sas_time(snapshot) is None:
                raise bad_query("sharesnapshot", snapshot)
            folder = self.snapshot_folder(account, share, snapshot)
        try:
            status = os.stat(folder)
            seen = (status.st_dev, status.st_ino)
            known = self._roots.get(folder)
            if known is not None and known[0] == seen:
                return known[1]
            root = os.path.realpath(folder, strict=True)
        except (FileNotFoundError, NotADirectoryError):
            raise failure("ShareSnapshotNotFound" if snapshot else "ShareNotFound") from None
        if not modes.S_ISDIR(status.st_mode):
            raise failure("ShareNotFound")
        self._roots[folder] = (seen, root)
        return root

    def create(self, account: str, share: str, record: ShareRecord) -> ShareRecord:
        """Make a share.

        Raises:
            StorageError: ShareAlreadyExists; OutOfRangeInput or InvalidResourceName for an impossible name.
        """
        check_share_name(share)
        folder = self.folder(account, share)
        try:
            os.mkdir(folder)
        except FileExistsError:
            raise failure("ShareAlreadyExists") from None
        os.chmod(folder, MODE)
        for snapshot in self.snapshots(account, share):  # of a share whose folder somebody removed
            self.discard(self.delete_snapshot(account, share, snapshot))
        self.records.forget_share(f"{account}/{share}")
        self.records.save_share(f"{account}/{share}", record)
        return record

    def save(self, account: str, share: str, record: ShareRecord) -> None:
        """Write a share's record, changed now."""
        self.records.save_share(f"{account}/{share}", record)

    def read(self, account: str, share: str, snapshot: str = "") -> tuple[ShareRecord, os.stat_result]:
        """Read the properties of a share, or of its snapshot, and its folder's status.

        Raises:
            StorageError: ShareNotFound, ShareSnapshotNotFound.
        """
        status = os.stat(self.root(account, share, snapshot))
        key = f"{account}/{share}@{snapshot}" if snapshot else f"{account}/{share}"
        return self.records.share(key, status), status

    def policies(self, account: str, share: str) -> list[dict[str, str]]:
        """Give the stored access policies of a share; StorageError if there is none."""
        return self.read(account, share)[0].policies

    def snapshots(self, account: str, share: str) -> list[str]:
        """List the times of a share's snapshots, oldest first."""
        try:
            return sorted(os.listdir(self.snapshots_folder(account, share)))
        except FileNotFoundError:
            return []

    def folder(self, account: str, share: str) -> str:
        """Give the folder where a share stands, or will."""
        return f"{self._storage}/{account}/{share}"

    def snapshots_folder(self, account: str, share: str) -> str:
        """Give the folder that holds a share's snapshots; it need not exist."""
        return f"{self._snapshots}/{account}/{share}"

    def snapshot_folder(self, account: str, share: str, snapshot: str) -> str:
        """Give the folder where a snapshot stands, or will."""
        return f"{self.snapshots_folder(account, share)}/{snapshot}"

    def delete_snapshot(self, account: str, share: str, snapshot: str) -> str:
        """Move a snapshot aside and forget what is known about it; like ``delete``.

        Raises:
            StorageError: ShareSnapshotNotFound.
        """
        self.root(account, share, snapshot)
        aside = self.put_aside(self.snapshot_folder(account, share, snapshot))
        self.records.forget_share(f"{account}/{share}@{snapshot}")
        return aside

    def list(self, account: str) -> list[str]:
        """List the names of an account's shares, sorted (H1)."""
        with os.scandir(f"{self._storage}/{account}") as scan:
            return sorted(entry.name for entry in scan if is_share_name(entry.name) and entry.is_dir())

    def delete(self, account: str, share: str) -> str:
        """Move a share aside and forget what is known about it (H2).

        Returns:
            The folder where it now stands, to be removed with ``discard``.

        Raises:
            StorageError: ShareNotFound, ShareHasSnapshots.
        """
        self.root(account, share)
        if self.snapshots(account, share):
            raise failure("ShareHasSnapshots")
        aside = self.put_aside(self.folder(account, share))
        if not aside:
            raise failure("ShareNotFound")
        self.records.forget_share(f"{account}/{share}")
        return aside

    def put_aside(self, folder: str) -> str:
        """Move a folder to where it waits for its removal with ``discard``; empty if there is none."""
        aside = f"{self.staging}/{uuid.uuid4().hex}"
        try:
            os.rename(folder, aside)
        except FileNotFoundError:
            return ""
        return aside

    def discard(self, folder: str) -> None:
        """Remove a folder that was moved aside; what cannot be removed now waits for the next start."""
        _remove_tree(folder)

    def delete_all(self, account: str) -> None:
        """Delete an account's shares and its folder."""
        for share in self.list(account):
            for snapshot in self.snapshots(account, share):
                self.discard(self.delete_snapshot(account, share, snapshot))
            self.discard(self.delete(account, share))
        _remove_tree(f"{self._storage}/{account}")
        _remove_tree(f"{self._snapshots}/{account}")
        _remove_tree(f"{self.deleted}/{account}")
        self.records.properties.forget(account)

    def usage(self, account: str, share: str) -> int:
        """Add up the bytes in a share's files."""
        with beneath.opened(self.root(account, share)) as top:
            return sum(
                status.st_size
                for folder in beneath.walk(top)
                for name in folder.names
                if (status := beneath.look(name, folder.fd)) and not modes.S_ISDIR(status.st_mode)
            )

    def draft(self) -> Slot:
        """Open the files of a slot for data on its way into a share (H3)."""
        return new_slot(self.staging)

    def discard_draft(self, slot: Slot) -> None:
        """Close and remove the files of a slot."""
        slot.close(self.staging)


def _remove_tree(path: str) -> None:
    with suppress(OSError):  # a person may link a share to another disk: only the link is ours
        beneath.remove_path(path)
