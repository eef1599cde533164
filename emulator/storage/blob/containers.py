# ruff: noqa: PTH101, PTH102, PTH103, PTH104, PTH116 - paths on the way of every request are plain strings
"""Containers: folders that no share can be."""

from __future__ import annotations

import os
import stat as modes
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from batchai_scenario.emulator.state import beneath
from batchai_scenario.emulator.storage.blob.keys import container_key
from batchai_scenario.emulator.storage.errors import failure, not_built
from batchai_scenario.emulator.storage.names import check_share_name, is_share_name
from batchai_scenario.emulator.storage.tree import MODE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.state.home import Home
    from batchai_scenario.emulator.storage.records import Records, ShareRecord

FOLDER = "_blob"
"""Where an account's containers stand beside its shares: no share may have an underscore in its name."""

_SPECIAL = frozenset({"$root", "$web", "$logs"})


class Containers:
    """An account's containers as folders, ``<home>/storage/<account>/_blob/<container>``.

    C1. A folder there is a container if its name may be one, whoever made it; a symbolic link is none.
    C2. Nothing but what clients, jobs and people put there ever stands in a container: data on its way in
        waits in ``staging``, on the same file system, and gets its name in one step.
    """

    def __init__(self, home: Home, records: Records, staging: str) -> None:
        """Serve what stands below ``home``; ``staging`` is the folder for data on its way in."""
        self._storage = os.fspath(home.storage)
        self._records = records
        self._staging = staging

    def folder(self, account: str) -> str:
        """Give the folder that holds an account's containers; it need not exist."""
        return f"{self._storage}/{account}/{FOLDER}"

    def root(self, account: str, container: str) -> str:
        """Give a container's folder, with links above it resolved.

        Raises:
            StorageError: ContainerNotFound; OutOfRangeInput or InvalidResourceName for an impossible name,
                NotImplemented for the containers with a meaning of their own.
        """
        _check_name(container)
        folder = f"{os.path.realpath(self.folder(account))}/{container}"
        try:
            if modes.S_ISDIR(os.lstat(folder).st_mode):
                return folder
        except (FileNotFoundError, NotADirectoryError):
            pass
        raise failure("ContainerNotFound")

    def create(self, account: str, container: str, record: ShareRecord) -> tuple[ShareRecord, os.stat_result]:
        """Make a container.

        Raises:
            StorageError: ContainerAlreadyExists, and what ``root`` raises for names.
        """
        _check_name(container)
        folder = f"{self.folder(account)}/{container}"
        os.makedirs(self.folder(account), mode=0o700, exist_ok=True)
        try:
            os.mkdir(folder)
        except FileExistsError:
            raise failure("ContainerAlreadyExists") from None
        os.chmod(folder, MODE)
        key = container_key(account, container)
        self._records.forget_share(key)
        self.save(account, container, record)
        return self.read(account, container)

    def read(self, account: str, container: str) -> tuple[ShareRecord, os.stat_result]:
        """Read a container's record and its folder's status; StorageError ContainerNotFound."""
        status = os.stat(self.root(account, container))
        return self._records.share(container_key(account, container), status), status

    def policies(self, account: str, container: str) -> Sequence[Mapping[str, str]]:
        """Give the stored access policies of a container; StorageError if there is none."""
        return self.read(account, container)[0].policies

    def save(self, account: str, container: str, record: ShareRecord) -> None:
        """Write a container's record, changed now."""
        self._records.save_share(container_key(account, container), record)

    def list(self, account: str) -> list[str]:
        """List the names of an account's containers, sorted (C1)."""
        try:
            with os.scandir(self.folder(account)) as scan:
                return sorted(
                    entry.name
                    for entry in scan
                    if is_share_name(entry.name) and entry.is_dir(follow_symlinks=False)
                )
        except FileNotFoundError:
            return []

    def delete(self, account: str, container: str) -> str:
        """Move a container aside and forget it; give its folder, to be removed with ``discard``."""
        root = self.root(account, container)
        aside = self.draft()
        os.rename(root, aside)
        self._records.forget_share(container_key(account, container))
        return aside

    @staticmethod
    def discard(folder: str) -> None:
        """Remove a folder that was moved aside; what cannot be removed waits for the next start."""
        with suppress(OSError):
            beneath.remove_path(folder)

    def draft(self) -> str:
        """Give a path in the staging folder that nobody uses (C2)."""
        return f"{self._staging}/{uuid.uuid4().hex}"


def _check_name(container: str) -> None:
    if container in _SPECIAL:
        raise not_built(f"the container {container}")
    check_share_name(container)
