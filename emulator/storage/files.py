"""Azure Files over REST: the front of the storage room."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from batchai_scenario.emulator.errors import EngineError, Problem
from batchai_scenario.emulator.storage import listing, tree
from batchai_scenario.emulator.storage.call import Call
from batchai_scenario.emulator.storage.context import Context
from batchai_scenario.emulator.storage.deleted import DeletedShares
from batchai_scenario.emulator.storage.errors import StorageError, failure
from batchai_scenario.emulator.storage.front import Front
from batchai_scenario.emulator.storage.leases import Leases
from batchai_scenario.emulator.storage.names import check_new_name, split_path
from batchai_scenario.emulator.storage.pending import Copies
from batchai_scenario.emulator.storage.remembered import FolderNames
from batchai_scenario.emulator.storage.routes import find_operation
from batchai_scenario.emulator.storage.signing import FILES, file_link
from batchai_scenario.emulator.storage.times import moment
from batchai_scenario.emulator.storage.uploads import Drafts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope

    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.state.store import Store
    from batchai_scenario.emulator.storage.accounts import Account, Accounts
    from batchai_scenario.emulator.storage.bearer import TokenReader
    from batchai_scenario.emulator.storage.shares import Shares

_OS_ERRORS = {
    errno.EACCES: "SharingViolation",
    errno.EPERM: "SharingViolation",
    errno.EROFS: "SharingViolation",
    errno.EBUSY: "SharingViolation",
    errno.ETXTBSY: "SharingViolation",
    errno.ENAMETOOLONG: "InvalidResourceName",
    errno.EFBIG: "OutOfRangeInput",
    errno.ENOENT: "ResourceNotFound",  # a job removed it between two looks
    errno.ENOTDIR: "ParentNotFound",
    errno.ELOOP: "ParentNotFound",
    errno.EISDIR: "ResourceTypeMismatch",
    errno.EEXIST: "ResourceAlreadyExists",
    errno.ENOTEMPTY: "DirectoryNotEmpty",
    errno.ENOSPC: "ShareSizeLimitReached",
    errno.EDQUOT: "ShareSizeLimitReached",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or directory in a folder of a share: ``size`` in bytes, ``modified`` aware, UTC."""

    name: str
    is_directory: bool
    size: int
    modified: datetime


class FilesService:
    """Serves Files, and is ``emulator.cluster.ports.FileShares`` to the cluster room.

    F1. ``handle`` answers every request, also one that goes wrong; it runs on one event loop. An operation
        changes a file or a directory without giving way to another, so clients see all of it or nothing.
    F2. ``mount_source``, ``link`` and ``list_folder`` may be called from any thread.
    """

    dialect = FILES

    def __init__(
        self,
        accounts: Accounts,
        shares: Shares,
        store: Store,
        clocks: tuple[Clock, Clock],
        tokens: TokenReader,
        *,
        copy_seconds: float = 0.0,
        share_days: int = 0,
    ) -> None:
        """Serve the accounts' shares; ``store`` is where ``shares`` keeps its records.

        ``clocks``: the machine's, and one that runs evenly, for how long leases last.
        ``copy_seconds``: how long a copy stays pending; 0: it is done when it is answered. ``share_days``:
        how long deleted shares are kept where nobody set it for their account; 0: not at all.
        """
        self._accounts = accounts
        self._shares = shares
        clock, even = clocks
        leases = Leases(store, even)
        shares.records.watchers.append(leases.forget_below)
        drafts, copies = Drafts(shares.draft, shares.discard_draft), Copies(copy_seconds)
        self.deleted = DeletedShares(shares, store, clock, days=share_days)
        self._names = FolderNames()
        self._context = Context(
            accounts, shares, leases, drafts, clock, tokens, copies, self.deleted, self._names
        )
        self._front: Front[Call] = Front(self, accounts, clock, tokens, shares.records.properties)

    async def handle(self, scope: Scope, receive: Receive, account: str, raw_path: str) -> Response:
        """Answer a request.

        Args:
            scope: The request, as ASGI has it.
            receive: Gives its body, of which nothing has been read.
            account: The account that its host or path names.
            raw_path: The path below the account, not decoded, without the query.
        """
        return await self._front.handle(scope, receive, account, raw_path)

    def call(self, request: Request, account: Account) -> Call:
        """Begin to take a request apart."""
        return Call(request, account)

    def policies(self, account: str, container: str) -> Sequence[Mapping[str, str]]:
        """Give the stored access policies of a share."""
        return self._shares.policies(account, container)

    async def run(self, call: Call) -> Response:
        """Do what is asked, if the call's grant lets it."""
        operation = find_operation(call)
        call.grant.check(operation.level, operation.permissions)
        return await operation.run(self._context, call)

    def refusal(self, error: OSError) -> StorageError | None:
        """Put an error of the disk into the service's words; None if nobody expected it."""
        code = _OS_ERRORS.get(error.errno or 0)
        return None if code is None else failure(code)

    def close(self) -> None:
        """Close what is kept open between requests; the service may be used again."""
        self._context.drafts.close()

    def mount_source(
        self, account: str, azure_file_url: str, account_key: str, target: PurePosixPath
    ) -> Path:
        """Find the folder of a share that a cluster or job mounts.

        Args:
            account: ``accountName`` of the volume.
            azure_file_url: ``https://<account>.file.core.windows.net/<share>``, or the same in path style,
                ``http://<host>/<account>/<share>``.
            account_key: The account's key, base64.
            target: Where it is to be mounted, for what is said of a failure.

        Raises:
            EngineError: ``AZFMountError``: no such account or share, or not a key of the account.
        """
        parts = [unquote(part) for part in urlsplit(azure_file_url).path.split("/") if part]
        if len(parts) == 2 and parts[0] == account:  # noqa: PLR2004 - account and share
            del parts[0]
        share = "/".join(parts)
        known = self._accounts.get(account)
        if known is None:
            raise _mount_error(account, share, target, f"this emulator has no storage account '{account}'")
        if not known.has_key(account_key):
            raise _mount_error(account, share, target, f"the key is not one of account '{account}'")
        try:
            return Path(self._shares.root(account, share))
        except StorageError as error:
            raise _mount_error(account, share, target, error.message) from None

    def link(self, account: str, share: str, path: str, *, expires: datetime, base_url: str) -> str:
        """Make a link to a file that needs no other authorization; KeyError if there is no such account."""
        known = self._accounts.get(account)
        if known is None:
            raise KeyError(account)
        return file_link(known, share, path.strip("/"), expires=expires, base_url=base_url)

    def count_untold(self, account: str, share: str, path: str) -> int:
        """Count the files below a folder whose names no listing can tell."""
        try:
            return listing.count_untold(self._shares.root(account, share), path)
        except StorageError:
            return 0

    def open_file(self, account: str, share: str, path: str) -> int:
        """Open a file for reading: a descriptor that the caller closes; from any thread.

        Raises:
            StorageError: there is no such share or file.
        """
        _, parts = split_path(f"{share}/{path}")
        with tree.find_file(self._shares.root(account, share), parts) as found:
            return found.open(os.O_RDONLY)

    def put_file(self, account: str, share: str, path: str, draft: Path) -> None:
        """Put a file of the staging folder in a share, in one step, as a job or a person may; any thread.

        The folders above it are made. What stood there is replaced.

        Raises:
            StorageError: there is no such share, its name may not be, or a directory stands there.
        """
        _, parts = split_path(f"{share}/{path}")
        root = self._shares.root(account, share)
        for depth in range(1, len(parts)):
            if tree.status_of(root, parts[:depth]) is None:
                tree.make_directory(root, parts[:depth])
        check_new_name(parts[-1])
        draft.chmod(tree.MODE)
        try:
            tree.put(root, parts, os.fspath(draft))
        except OSError as error:
            if error.errno != errno.EXDEV:  # a person linked the share to another disk
                raise
            fd, _, _ = tree.make_file(root, parts)
            with os.fdopen(fd, "wb") as file, draft.open("rb") as source:
                file.truncate()
                shutil.copyfileobj(source, file)
            draft.unlink()

    def draft(self) -> Path:
        """Give a path in the staging folder that nobody uses."""
        return Path(self._shares.staging) / uuid.uuid4().hex

    def shares(self, account: str) -> list[str]:
        """List the names of an account's shares."""
        return self._shares.list(account)

    def usage(self, account: str, share: str) -> int:
        """Add up the bytes in a share's files."""
        return self._shares.usage(account, share)

    def list_folder(self, account: str, share: str, path: str) -> list[Entry]:
        """List a folder by name (``.``: the share's own); empty if it or its share does not exist."""
        try:
            _, parts = split_path(
                "/".join([share, *(part for part in path.split("/") if part not in ("", "."))])
            )
            with tree.find_directory(self._shares.root(account, share), parts) as found:
                listed = listing.describe(found, listing.entries(found, self._names))
        except StorageError:
            return []
        return [
            Entry(
                item.name,
                item.is_directory,
                item.size,
                moment(item.modified),
            )
            for item in listed
        ]


def _mount_error(account: str, share: str, target: PurePosixPath, reason: str) -> EngineError:
    where = f"//{account}.file.core.windows.net/{share}"
    info = f"Could not mount Azure File Share {where} at {target}: {reason}"
    return EngineError(Problem("AZFMountError", "Unable to mount Azure File", (("Info", info),)))
