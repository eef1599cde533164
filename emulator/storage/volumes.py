"""Shares and containers as one: what the cluster and the output listing need of storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path, PurePosixPath

    from batchai_scenario.emulator.cluster.servers import ServerDisks
    from batchai_scenario.emulator.storage.blob.service import BlobService
    from batchai_scenario.emulator.storage.files import Entry, FilesService

_CONTAINER = "_blob/"


class Volumes:
    """Is ``FileShares`` to the cluster room and ``OutputFiles`` to the provider; callable from any thread.

    Where a share is named, ``_blob/<name>`` is a container: no share's name begins so. The services are
    asked for when they are needed.
    """

    def __init__(
        self, files: Callable[[], FilesService], blobs: Callable[[], BlobService], servers: ServerDisks
    ) -> None:
        self._files = files
        self._blobs = blobs
        self._servers = servers

    def mount_source(
        self, account: str, azure_file_url: str, account_key: str, target: PurePosixPath
    ) -> Path:
        """Find the folder of a share; EngineError ``AZFMountError``."""
        return self._files().mount_source(account, azure_file_url, account_key, target)

    def mount_container(self, account: str, container: str, account_key: str) -> Path:
        """Find the folder of a container; EngineError ``BFSMountError``."""
        return self._blobs().mount_source(account, container, account_key)

    def mount_server(self, server_id: str, directory: str) -> Path:
        """Find a folder of a file server's disk; EngineError ``FileServerMountError``."""
        return self._servers.find(server_id, directory)

    def places(self, account: str) -> list[str]:
        """Name an account's shares, then its containers as ``_blob/<name>``."""
        found = [_CONTAINER + name for name in self._blobs().containers.list(account)]
        return [*self._files().shares(account), *found]

    def put_file(self, account: str, share: str, path: str, draft: Path) -> None:
        """Put a file of ours, made at ``draft()``, in a share in one step; StorageError."""
        self._files().put_file(account, share, path, draft)

    def draft(self) -> Path:
        """Give a path where a file may be made that ``put_file`` takes."""
        return self._files().draft()

    def usage(self, account: str) -> int:
        """Add up the bytes in the files of an account's shares."""
        files = self._files()
        return sum(files.usage(account, share) for share in files.shares(account))

    def list_folder(self, account: str, share: str, path: str) -> list[Entry]:
        """List one level of a folder; empty if it does not exist."""
        if share.startswith(_CONTAINER):
            return self._blobs().list_folder(account, share.removeprefix(_CONTAINER), path)
        return self._files().list_folder(account, share, path)

    def open_file(self, account: str, share: str, path: str) -> int:
        """Open a file for reading: a descriptor that the caller closes; StorageError if there is none."""
        if share.startswith(_CONTAINER):
            return self._blobs().open_file(account, share.removeprefix(_CONTAINER), path)
        return self._files().open_file(account, share, path)

    def count_untold(self, account: str, share: str, path: str) -> int:
        """Count the files below a folder whose names no listing can tell (see ``listing``)."""
        if share.startswith(_CONTAINER):
            return self._blobs().count_untold(account, share.removeprefix(_CONTAINER), path)
        return self._files().count_untold(account, share, path)

    def link(self, account: str, share: str, path: str, *, expires: datetime, base_url: str) -> str:
        """Make a link to a file that needs no other authorization; KeyError if there is no such account."""
        if share.startswith(_CONTAINER):
            container = share.removeprefix(_CONTAINER)
            return self._blobs().link(account, container, path, expires=expires, base_url=base_url)
        return self._files().link(account, share, path, expires=expires, base_url=base_url)
