"""Azure Files over REST: the front of the storage room."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from starlette.requests import ClientDisconnect

from emulator.errors import EngineError, Problem
from emulator.storage import tree
from emulator.storage.accounts import Account
from emulator.storage.call import Call, Context, error_answer, is_version
from emulator.storage.errors import StorageError, bad_header, failure
from emulator.storage.leases import Leases
from emulator.storage.names import split_path
from emulator.storage.routes import find_operation
from emulator.storage.sas import EVERYTHING, check_sas, file_link
from emulator.storage.sharedkey import check_shared_key
from emulator.storage.uploads import Drafts

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from emulator.state.clock import Clock
    from emulator.state.store import Store
    from emulator.storage.accounts import Accounts
    from emulator.storage.shares import Shares

_OS_ERRORS = {
    errno.EACCES: "SharingViolation",
    errno.EPERM: "SharingViolation",
    errno.EROFS: "SharingViolation",
    errno.EBUSY: "SharingViolation",
    errno.ETXTBSY: "SharingViolation",
    errno.ENAMETOOLONG: "InvalidResourceName",
    errno.EFBIG: "OutOfRangeInput",
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

    def __init__(self, accounts: Accounts, shares: Shares, store: Store, clock: Clock) -> None:
        """Serve the accounts' shares; ``store`` is where ``shares`` keeps its records."""
        self._accounts = accounts
        self._shares = shares
        self._store = store
        self._clock = clock
        leases = Leases(store, clock)
        shares.records.watchers.append(leases.forget_below)
        self._context = Context(accounts, shares, leases, Drafts(shares.draft), clock)

    async def handle(self, request: Request, account: str, raw_path: str) -> Response:
        """Answer a request.

        Args:
            request: The request; its body has not been read.
            account: The account that its host or path names.
            raw_path: The path below the account, not decoded, without the query.
        """
        known = self._accounts.get(account)
        call = Call(request, known or Account(account, (), (), "", {}))
        try:
            if known is None:
                raise failure(
                    "AuthenticationFailed",
                    AuthenticationErrorDetail=f"This emulator has no storage account '{account}'.",
                )
            call.locate(raw_path)
            self._authorise(call)
            operation = find_operation(call)
            call.grant.check(operation.level, operation.permissions)
            return await operation.run(self._context, call)
        except StorageError as error:
            return error_answer(call, error, self._clock.now())
        except OSError as error:
            code = _OS_ERRORS.get(error.errno or 0)
            if code is None:
                raise
            return error_answer(call, failure(code), self._clock.now())
        except ClientDisconnect:
            # Nobody hears this answer.
            return call.answer(400, {})

    def close(self) -> None:
        """Close what is kept open between requests; the service may be used again."""
        self._context.drafts.close()

    def _authorise(self, call: Call) -> None:
        now = self._clock.now()
        authorization = call.headers.get("authorization")
        if authorization is not None:
            check_shared_key(
                call.account, authorization, call.method, call.raw_path, call.query, call.headers, now
            )
            call.grant = EVERYTHING
        elif "sig" in call.query:
            client = call.request.client
            account = call.account.name
            call.grant = check_sas(
                call.account,
                call.path,
                call.query,
                now,
                scheme=call.request.scope["scheme"],
                address=client.host if client else "",
                policies=lambda share: self._shares.policies(account, share),
            )
        else:
            raise failure("NoAuthenticationInformation", headers={"www-authenticate": "SharedKey"})
        if not is_version(call.asked_version):
            raise bad_header("x-ms-version", call.asked_version)

    def mount_source(self, account: str, azure_file_url: str, account_key: str) -> Path:
        """Find the folder of a share that a cluster or job mounts.

        Args:
            account: ``accountName`` of the volume.
            azure_file_url: ``https://<account>.file.core.windows.net/<share>``, or the same in path style,
                ``http://<host>/<account>/<share>``.
            account_key: The account's key, base64.

        Raises:
            EngineError: ``AZFMountError``: no such account or share, or not a key of the account.
        """
        parts = [unquote(part) for part in urlsplit(azure_file_url).path.split("/") if part]
        if len(parts) == 2 and parts[0] == account:  # noqa: PLR2004 - account and share
            del parts[0]
        share = "/".join(parts)
        known = self._accounts.get(account)
        if known is None:
            raise _mount_error(account, share, f"this emulator has no storage account '{account}'")
        if not known.has_key(account_key):
            raise _mount_error(account, share, f"the key is not one of account '{account}'")
        try:
            return Path(self._shares.root(account, share))
        except StorageError as error:
            raise _mount_error(account, share, error.message) from None

    def link(self, account: str, share: str, path: str, *, expires: datetime, base_url: str) -> str:
        """Make a link to a file that needs no other authorization; KeyError if there is no such account."""
        known = self._accounts.get(account)
        if known is None:
            raise KeyError(account)
        return file_link(known, share, path.strip("/"), expires=expires, base_url=base_url)

    def list_folder(self, account: str, share: str, path: str) -> list[Entry]:
        """List a folder by name (``.``: the share's own); empty if it or its share does not exist."""
        try:
            _, parts = split_path("/".join([share, *(part for part in path.split("/") if part != ".")]))
            with tree.find_directory(self._shares.root(account, share), parts) as found:
                listed = tree.describe(found, tree.entries(found))
        except StorageError:
            return []
        return [
            Entry(
                item.name,
                item.is_directory,
                item.size,
                datetime.fromtimestamp(item.modified / 1e9, timezone.utc),
            )
            for item in listed
        ]


def _mount_error(account: str, share: str, reason: str) -> EngineError:
    where = f"//{account}.file.core.windows.net/{share}"
    info = f"Could not mount Azure File Share {where}: {reason}"
    return EngineError(Problem("AZFMountError", "Unable to mount Azure File", (("Info", info),)))
