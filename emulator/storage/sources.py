"""What a request names by a URL beside its own: the source of a copy or of a rename."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlsplit

from batchai_scenario.emulator.storage import tree
from batchai_scenario.emulator.storage.bearer import check_token, secret_of_key
from batchai_scenario.emulator.storage.errors import StorageError, bad_header, failure, not_built
from batchai_scenario.emulator.storage.names import decode_path, split_path, trim_dots
from batchai_scenario.emulator.storage.sas import EVERYTHING, TOKEN, check_sas
from batchai_scenario.emulator.storage.signing import BLOBS, FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from urllib.parse import SplitResult

    from batchai_scenario.emulator.state.clock import Clock
    from batchai_scenario.emulator.storage.accounts import Account, Accounts
    from batchai_scenario.emulator.storage.bearer import TokenReader
    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context
    from batchai_scenario.emulator.storage.signing import Dialect
    from batchai_scenario.emulator.storage.tree import Found

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_BLOB = "blob/"
"""What the path of Blob begins with where both services share an address; no account has that address."""


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


class Named(NamedTuple):
    """What a URL names, before it is found: ``path`` is decoded, below the account, with a slash first."""

    url: SplitResult
    account: Account
    path: str
    query: Mapping[str, str]


class SourceContext(Protocol):
    """What the operations of Files and of Blob both work on."""

    @property
    def accounts(self) -> Accounts:
        """The accounts of this emulator."""
        ...

    @property
    def clock(self) -> Clock:
        """What time it is."""
        ...

    @property
    def tokens(self) -> TokenReader:
        """What the identity room knows."""
        ...


def read_source(context: SourceContext, call: Call, header: str, dialect: Dialect) -> Named:
    """Read the URL in a header.

    Raises:
        StorageError: MissingRequiredHeader, InvalidHeaderValue; CannotVerifyCopySource (404) for what is not
            of this emulator; NotImplemented for a source of the other service.
    """
    text = call.require(header)
    try:
        url = urlsplit(text)
        url.hostname, url.port  # noqa: B018 - read here, where it may fail
    except ValueError:
        raise bad_header(header, text.partition("?")[0]) from None  # behind it a signature may stand
    account, raw_path = _locate(context, call, url, dialect)
    path = decode_path(raw_path)
    query = {name.lower(): value for name, value in parse_qsl(url.query, keep_blank_values=True)}
    return Named(url, account, path if path.startswith("/") else "/" + path, query)


def check_source(
    context: SourceContext,
    call: Call,
    named: Named,
    dialect: Dialect,
    *,
    permissions: str,
    policies: Callable[[str], Sequence[Mapping[str, str]]],
    fetched: bool = False,
) -> None:
    """Check that a request may use what a URL names.

    What is of the same account needs no signature of its own if the request was signed with the account's key
    (service), unless it is ``fetched``, as for Put Range From URL; all else needs a SAS with one of
    ``permissions``, or a token in ``x-ms-copy-source-authorization``.

    Raises:
        StorageError: CannotVerifyCopySource (404: it may not be seen; 401: its token is wrong, or it is
            fetched without a SAS); what ``check_sas`` raises.
    """
    account = named.account
    token = call.headers.get("x-ms-copy-source-authorization")
    if token is not None:
        _check_token(context, call, account, token)
    elif "sig" in named.query:
        client = call.request.client
        grant = check_sas(
            account,
            named.path,
            named.query,
            context.clock.now(),
            scheme=call.request.scope["scheme"],
            address=client.host if client else "",
            policies=policies,
            dialect=dialect,
            delegated=lambda fields: secret_of_key(context.tokens, account.name, fields),
        )
        grant.check("o", permissions)
    elif fetched:
        raise _anonymous(401)
    elif call.grant not in (EVERYTHING, TOKEN) or account is not call.account:
        raise _anonymous(404)


def find_source(
    context: Context, call: Call, header: str, permissions: str, *, fetched: bool = False
) -> Source:
    """Read the URL in a header and check that the request may use the file or directory that it names.

    Nothing is fetched over the network: only this emulator's own files can be a source (our decision).

    Raises:
        StorageError: what ``read_source``, ``split_path`` and ``check_source`` raise.
    """
    named = read_source(context, call, header, FILES)
    share, parts = split_path(named.path)
    if not call.flag("x-ms-source-allow-trailing-dot"):
        parts = trim_dots(parts)
    account = named.account
    check_source(
        context,
        call,
        named,
        FILES,
        permissions=permissions,
        policies=lambda name: context.shares.policies(account.name, name),
        fetched=fetched,
    )
    snapshot = named.query.get("sharesnapshot", "")
    kept = f"sharesnapshot={snapshot}" if snapshot else ""
    return Source(account, share, snapshot, parts, named.url._replace(query=kept, fragment="").geturl())


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


def _locate(context: SourceContext, call: Call, url: SplitResult, dialect: Dialect) -> tuple[Account, str]:
    """Find the account that a URL names by its host or by its path, and the path below it."""
    other = BLOBS if dialect is FILES else FILES
    label, _, domain = (url.hostname or "").partition(".")
    if domain.startswith(f"{other.service}."):
        raise _of_another(other)
    if domain.startswith(f"{dialect.service}."):
        name, below = label, url.path
    elif url.netloc == call.headers.get("host") or url.hostname in _LOOPBACK:
        path = url.path.removeprefix("/")
        if dialect is FILES and path.startswith(_BLOB):
            raise _of_another(other)
        name, _, below = path.removeprefix(_BLOB).partition("/")
    else:
        raise unverified(f"The emulator copies from its own {dialect.service}s only.", 404)
    account = context.accounts.get(name)
    if account is None:
        raise unverified(f"This emulator has no storage account '{name}'.", 404)
    return account, below


def _of_another(dialect: Dialect) -> StorageError:
    return not_built(f"copies from {dialect.service}s (x-ms-copy-source)")


def _check_token(context: SourceContext, call: Call, account: Account, authorization: str) -> None:
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
