"""The shares and containers as folders: listed, read, and written to by a person's drop."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.ui.views import when

if TYPE_CHECKING:
    from starlette.requests import Request

    from batchai_scenario.emulator.storage.accounts import Accounts
    from batchai_scenario.emulator.storage.volumes import Volumes

_CONTAINER = "_blob/"


class FolderBrowser:
    """Browses storage; everything but ``receive`` may block, and be called from any thread."""

    def __init__(self, accounts: Accounts, volumes: Volumes) -> None:
        self._accounts = accounts
        self._volumes = volumes

    def accounts(self) -> list[dict[str, Any]]:
        """List the accounts, each with its shares, and its containers as ``_blob/<name>``."""
        return [{"name": name, "places": self._volumes.places(name)} for name in self._accounts.names]

    def usage(self) -> dict[str, int]:
        """Add up the bytes in the shares of each account."""
        return {name: self._volumes.usage(name) for name in self._accounts.names}

    def list(self, account: str, share: str, path: str) -> list[dict[str, Any]]:
        """List a folder of a share.

        Raises:
            ServiceError: 404 if there is no such account or share.
        """
        if account not in self._accounts.names or share not in self._volumes.places(account):
            text = f"There is no share '{share[:70]}' in the account '{account[:30]}' (any more)."
            raise ServiceError(404, "ShareNotFound", text, "share")
        return [
            {
                "name": entry.name,
                "directory": entry.is_directory,
                "size": entry.size,
                "modified": when(entry.modified),
            }
            for entry in self._volumes.list_folder(account, share, path)
        ]

    def open_file(self, account: str, share: str, path: str) -> int:
        """Open a file: a descriptor to be closed; ServiceError 404."""
        self.list(account, share, "")
        return self._volumes.open_file(account, share, path)

    async def receive(self, request: Request, account: str, share: str, path: str) -> int:
        """Take a request's body as a file of a share, whole or not at all; gives its size.

        Raises:
            ServiceError: 404 for the share, 409 for a container, 400 for a name that may not be.
        """
        if share.startswith(_CONTAINER):
            text = "The page puts files into shares only; a container takes blobs through its own address."
            raise ServiceError(409, "OperationNotSupported", text, "share")
        await to_thread.run_sync(self.list, account, share, "")
        draft = self._volumes.draft()
        size = 0
        try:
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                async for block in request.stream():
                    size += len(block)
                    await to_thread.run_sync(file.write, block)
            await to_thread.run_sync(self._volumes.put_file, account, share, path, draft)
        finally:
            draft.unlink(missing_ok=True)
        return size
