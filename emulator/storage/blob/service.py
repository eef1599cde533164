"""Azure Blob over REST: the front of this package."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.storage import listing
from batchai_scenario.emulator.storage.blob import tree
from batchai_scenario.emulator.storage.blob.blocks import Blocks
from batchai_scenario.emulator.storage.blob.call import BlobCall
from batchai_scenario.emulator.storage.blob.containers import Containers
from batchai_scenario.emulator.storage.blob.context import BlobContext
from batchai_scenario.emulator.storage.blob.keys import container_key
from batchai_scenario.emulator.storage.blob.listing import collect, describe
from batchai_scenario.emulator.storage.blob.routes import find_operation
from batchai_scenario.emulator.storage.errors import StorageError, failure
from batchai_scenario.emulator.storage.files import Entry
from batchai_scenario.emulator.storage.front import Front
from batchai_scenario.emulator.storage.names import split_path
from batchai_scenario.emulator.storage.remembered import FolderNames
from batchai_scenario.emulator.storage.signing import BLOBS, blob_link
from batchai_scenario.emulator.storage.times import moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope

    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.home import Home
    from batchai_scenario.emulator.state.store import Store
    from batchai_scenario.emulator.storage.accounts import Account, Accounts
    from batchai_scenario.emulator.storage.bearer import TokenReader
    from batchai_scenario.emulator.storage.shares import Shares

_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.ETXTBSY)
_FULL = (errno.ENOSPC, errno.EDQUOT)


class BlobService:
    """Serves containers and block blobs, beside ``FilesService`` and with its accounts.

    ``handle`` answers every request, also one that goes wrong; it runs on one event loop. A blob gets its new
    content in one step: clients and jobs see the old or the new one.
    """

    dialect = BLOBS

    def __init__(  # noqa: PLR0917 - what every room is made of
        self, accounts: Accounts, shares: Shares, store: Store, clock: Clock, home: Home, tokens: TokenReader
    ) -> None:
        """Serve the accounts' containers; ``shares`` lends its records and its staging folder."""
        self._accounts = accounts
        self._clock = clock
        self.containers = Containers(home, shares.records, shares.staging)
        blocks = Blocks(home, store)
        shares.records.watchers.append(blocks.forget_container)
        self._context = BlobContext(
            accounts,
            self.containers,
            blocks,
            shares.records,
            asyncio.Lock(),
            clock,
            tokens,
            FolderNames(),
        )
        self._properties = shares.records.properties
        self._front: Front[BlobCall] = Front(self, accounts, clock, tokens, self._properties)

    async def handle(self, scope: Scope, receive: Receive, account: str, raw_path: str) -> Response:
        """Answer a request.

        Args:
            scope: The request, as ASGI has it.
            receive: Gives its body, of which nothing has been read.
            account: The account that its host or path names.
            raw_path: The path below the account, not decoded, without the query.
        """
        return await self._front.handle(scope, receive, account, raw_path)

    def call(self, request: Request, account: Account) -> BlobCall:
        """Begin to take a request apart."""
        call = BlobCall(request, account)
        if not call.asked_version:
            call.assume_version(self._properties.default_version(account.name))
        return call

    def policies(self, account: str, container: str) -> Sequence[Mapping[str, str]]:
        """Give the stored access policies of a container."""
        return self.containers.policies(account, container)

    async def run(self, call: BlobCall) -> Response:
        """Do what is asked, if the call's grant lets it."""
        operation = find_operation(call)
        call.grant.check(operation.level, operation.permissions)
        return await operation.run(self._context, call)

    def refusal(self, error: OSError) -> StorageError | None:
        """Put an error of the disk into the service's words; None if nobody expected it."""
        if error.errno in _DENIED:
            return failure("InsufficientAccountPermissions")
        if error.errno in _FULL:
            return failure("ShareSizeLimitReached", "The disk that holds the container is full.")
        return None

    def mount_source(self, account: str, container: str, account_key: str) -> Path:
        """Find the folder of a container that a cluster or job mounts; may be called from any thread.

        Raises:
            EngineError: ``BFSMountError``: no such account or container, or not a key of the account.
        """
        known = self._accounts.get(account)
        if known is None:
            raise _mount_error(f"This emulator has no storage account '{account}'")
        if not known.has_key(account_key):
            raise _mount_error(f"The key is not one of account '{account}'")
        try:
            return Path(self.containers.root(account, container))
        except StorageError:
            raise _mount_error(f"Azure Blob Container '{container}' doesn't exist") from None

    def link(self, account: str, container: str, path: str, *, expires: datetime, base_url: str) -> str:
        """Make a link to a blob that needs no other authorization; KeyError if there is no such account."""
        known = self._accounts.get(account)
        if known is None:
            raise KeyError(account)
        return blob_link(known, container, path.strip("/"), expires=expires, base_url=base_url)

    def count_untold(self, account: str, container: str, path: str) -> int:
        """Count the files below a folder whose names no listing can tell."""
        try:
            return listing.count_untold(self.containers.root(account, container), path)
        except StorageError:
            return 0

    def open_file(self, account: str, container: str, path: str) -> int:
        """Open a file for reading: a descriptor that the caller closes; from any thread.

        Raises:
            StorageError: there is no such container or file.
        """
        _, parts = split_path(f"{container}/{path}")
        with tree.find(self.containers.root(account, container), parts) as found:
            if found.is_directory:
                raise failure("BlobNotFound")
            return found.open(os.O_RDONLY)

    def list_folder(self, account: str, container: str, path: str) -> list[Entry]:
        """List a folder by name; empty if it does not exist. May be called from any thread.

        A folder that a job made stands there twice, as a file of no bytes and as a directory, as the service
        showed it; a file that somebody has open for writing is not there yet.
        """
        folder = "/".join(part for part in path.split("/") if part not in ("", "."))
        prefix = f"{folder}/" if folder else ""
        try:
            root = self.containers.root(account, container)
        except StorageError:
            return []
        key = container_key(account, container)
        blobs, prefixes = collect(self._context, root, prefix, "/")
        entries = []
        for name in blobs:
            found = describe(self._context, key, root, name)
            if found is not None:
                size = 0 if stat.S_ISDIR(found[0].st_mode) else found[0].st_size
                changed = moment(found[0].st_mtime_ns)
                entries.append(Entry(name[len(prefix) :], is_directory=False, size=size, modified=changed))
        now = self._clock.now()
        entries += [
            Entry(name[len(prefix) : -1], is_directory=True, size=0, modified=now)
            for name in prefixes
            if not tree.is_empty(root, name[:-1], self._context.names)
        ]
        return sorted(entries, key=lambda entry: entry.name)


def _mount_error(reason: str) -> EngineError:
    return EngineError(Problem("BFSMountError", "unable to mount blob fuse file system", (("Info", reason),)))
