"""What a request names by a URL beside its own: the source of a copy or of a rename."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from batchai_scenario.emulator.storage import tree
from batchai_scenario.emulator.storage.bearer import check_token, secret_of_key
from batchai_scenario.emulator.storage.errors import StorageError, bad_header, failure, not_built
from batchai_scenario.emulator.storage.names import decode_path, split_path, trim_dots
from batchai_scenario.emulator.storage.sas import EVERYTHING, TOKEN, check_sas

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from batchai_scenario.emulator.storage.accounts import Account
    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context
    from batchai_scenario.emulator.storage.tree import Found

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Source:
    """A file or directory of this emulator; ``url`` is free of signatures."""

    account: Account
    share: str
    snapshot: str
    parts: tuple[str, ...]
    url: str

    @property
    def share_key(self) -> str:
        """Name its share, or the share's snapshot, in the store."""
        at = f"@{self.snapshot}" if self.snapshot else ""
        return f"{self.account.name}/{self.share}{at}"


def read_url(call: Call, header: str) -> SplitResult:
    """Read the URL in a header; StorageError InvalidHeaderValue for what is none."""
    text = call.require(header)
    try:
        url = urlsplit(text)
        url.hostname, url.port  # noqa: B018 - read here, where it may fail
    except ValueError:
        raise bad_header(header, text) from None
    return url


def find_source(
    context: Context, call: Call, header: str, permissions: str, *, fetched: bool = False
) -> Source:
    """Read the URL in a header and check that the request may use what it names.

    A URL of the same account needs no signature of its own if the request was signed with the account's key
    (service), unless it is ``fetched``, as for Put Range From URL; any other must carry a SAS with one of
    ``permissions``. Nothing is fetched over the network:
    only this emulator's own files can be a source (our decision).

    Raises:
        StorageError: MissingRequiredHeader; CannotVerifyCopySource (404: it is not here, or may not be seen;
            401 for a source that is fetched without a SAS); NotImplemented for blobs; what ``split_path``
            and ``check_sas`` raise.
    """
    url = read_url(call, header)
    account, raw_path = _locate(context, call, url.hostname or "", url.netloc, url.path)
    path = decode_path(raw_path)
    share, parts = split_path(path)
    if not call.flag("x-ms-source-allow-trailing-dot"):
        parts = trim_dots(parts)
    query = {name.lower(): value for name, value in parse_qsl(url.query, keep_blank_values=True)}
    token = call.headers.get("x-ms-copy-source-authorization")
    if token is not None:
        _check_token(context, call, account, token)
    elif "sig" in query:
        client = call.request.client
        grant = check_sas(
            account,
            path if path.startswith("/") else "/" + path,
            query,
            context.clock.now(),
            scheme=call.request.scope["scheme"],
            address=client.host if client else "",
            policies=lambda name: context.shares.policies(account.name, name),
            delegated=lambda fields: secret_of_key(context.tokens, account.name, fields),
        )
        grant.check("o", permissions)
    elif fetched:
        raise _anonymous(401)
    elif call.grant not in (EVERYTHING, TOKEN) or account is not call.account:
        raise _anonymous(404)
    snapshot = query.get("sharesnapshot", "")
    clean = url._replace(query=f"sharesnapshot={snapshot}" if snapshot else "", fragment="").geturl()
    return Source(account, share, snapshot, parts, clean)


def open_source(context: Context, source: Source) -> Found:
    """Find the file of a copy source.

    Raises:
        StorageError: CannotVerifyCopySource (404).
    """
    try:
        root = context.shares.root(source.account.name, source.share, source.snapshot)
        return tree.find_file(root, source.parts)
    except StorageError as error:
        raise unverified(error.message, error.status) from None


def _locate(context: Context, call: Call, hostname: str, netloc: str, path: str) -> tuple[Account, str]:
    """Find the account that a URL names by its host or by its path, and the path below it."""
    label, _, domain = hostname.partition(".")
    if domain.startswith("blob."):
        raise not_built("copies from blobs (x-ms-copy-source)")
    if domain.startswith("file."):
        name, below = label, path
    elif netloc == call.headers.get("host") or hostname in _LOOPBACK:
        name, _, below = path.removeprefix("/").partition("/")
    else:
        raise unverified("The emulator copies from its own shares only.", 404)
    account = context.accounts.get(name)
    if account is None:
        raise unverified(f"This emulator has no storage account '{name}'.", 404)
    return account, below


def _check_token(context: Context, call: Call, account: Account, authorization: str) -> None:
    """Check the token for a source; an error tells what the source would have answered (service)."""
    try:
        check_token(call, authorization, context.tokens, context.clock.now(), account.name)
    except StorageError as error:
        refused = unverified(error.details.get("AuthenticationErrorDetail", error.message), 401)
        refused.headers = {
            "x-ms-copy-source-status-code": str(error.status),
            "x-ms-copy-source-error-code": error.code,
        }
        raise refused from None


def _anonymous(status: int) -> StorageError:
    """Make the error for a source that nobody may read without a signature (service: 401 or 404)."""
    error = unverified("The source needs a shared access signature of its own.", status)
    if status == 401:  # noqa: PLR2004 - then the service tells what it was answered
        told = {
            "x-ms-copy-source-status-code": "401",
            "x-ms-copy-source-error-code": "NoAuthenticationInformation",
        }
        error.headers = {**error.headers, **told}
    return error


def unverified(reason: str, status: int) -> StorageError:
    """Make the error for a source of a copy that may not be read, or is not there."""
    error = failure("CannotVerifyCopySource", f"Could not verify the copy source. {reason}")
    error.status = status
    return error
