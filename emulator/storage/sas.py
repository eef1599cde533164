"""Checking shared access signatures: of an account, and of a share or a file (service documentation)."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage.accounts import signer
from batchai_scenario.emulator.storage.errors import StorageError, bad_query, failure, not_built
from batchai_scenario.emulator.storage.signing import (
    BLOBS,
    FILES,
    OVERRIDES,
    Dialect,
    account_text,
    not_authentic,
)
from batchai_scenario.emulator.storage.times import http_date, parse_sas_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from batchai_scenario.emulator.storage.accounts import Account, Signer


_HEADER_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_ACCOUNT_LEVELS = {"s": "s", "c": "cl", "o": "do"}
"""What the letters of an account SAS's ``srt`` (service, container, object) open, as levels of ``Grant``."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What the bearer of a request may do.

    ``levels``: ``s`` the service, ``c`` a share, ``l`` what a directory holds, ``d`` a directory, ``o`` a
    file, ``k`` what only the account's key opens; ``permissions``: letters of ``rwdlc``. ``overrides``
    replace response headers of a file, by lower-case name.
    """

    levels: str
    permissions: str
    overrides: dict[str, str] = field(default_factory=dict)

    def check(self, level: str, permissions: str) -> None:
        """Refuse an operation at ``level`` unless one of ``permissions`` is granted.

        Raises:
            StorageError: AuthorizationResourceTypeMismatch, AuthorizationPermissionMismatch.
        """
        if level not in self.levels:
            raise failure("AuthorizationResourceTypeMismatch")
        if not any(letter in self.permissions for letter in permissions):
            raise failure("AuthorizationPermissionMismatch")


def _header_text(name: str, query: Mapping[str, str]) -> str:
    """Give what is to stand in a header of the answer; StorageError if no header can hold it."""
    text = query[name]
    if _HEADER_TEXT.fullmatch(text) is None:
        raise bad_query(name, text)
    return text


EVERYTHING = Grant("scldok", "rwdlc")
"""What an account's key grants."""

TOKEN = Grant("scldok", "rwdlc")
"""What a bearer token grants: the same, and a user delegation key."""

NOTHING = Grant("", "")
"""What is granted until a signature was checked."""


def check_sas(
    account: Account,
    path: str,
    query: Mapping[str, str],
    now: datetime,
    *,
    scheme: str,
    address: str,
    policies: Callable[[str], Sequence[Mapping[str, str]]],
    dialect: Dialect | None = None,
    delegated: Callable[[Mapping[str, str]], bytes] | None = None,
) -> Grant:
    """Check the SAS in a request's query.

    Args:
        account: The account that the URL names.
        path: Decoded path below the account, such as ``/share/folder/file``.
        query: Query parameters, names in lower case.
        now: The service's time.
        scheme: ``http`` or ``https``.
        address: The client's IP address.
        policies: Gives the stored access policies of a share, as ``ShareRecord`` keeps them.
        dialect: Whose SAS it is to be: that of Files by default, or ``BLOBS``.
        delegated: Gives the secret of the user delegation key that a SAS tells of.

    Raises:
        StorageError: AuthenticationFailed (403) for a wrong signature, a missing or malformed field or the
            wrong time; AuthorizationProtocolMismatch, AuthorizationSourceIPMismatch and
            AuthorizationServiceMismatch (403) for use where it is not allowed.
    """
    if not query.get("sv"):
        raise not_authentic("sv is mandatory. Cannot be empty.")
    dialect = dialect or FILES
    is_account = "ss" in query or "srt" in query
    if is_account:
        text = account_text(account.name, query)
    else:
        text = dialect.text(dialect.resource(account.name, path, query), query)
    signers = account.signers
    if "skoid" in query:
        _check_key(query, now, dialect)
        signers = (signer(delegated(query)),) if delegated and not is_account else ()
    _check_signature(signers, text, query["sig"])
    if query.get("ses") and dialect is BLOBS:
        raise not_built("encryption scopes (ses)")
    if query.get("si") and not is_account:
        query = _with_policy(query, policies, path.strip("/").partition("/")[0])
    for name in ("se", "sp"):
        if not query.get(name):
            raise not_authentic(f"{name} is mandatory. Cannot be empty.")
    _check_time(query, now)
    _check_origin(query, scheme, address)
    if is_account:
        if dialect.letter not in query.get("ss", ""):
            raise failure("AuthorizationServiceMismatch")
        levels = "".join(_ACCOUNT_LEVELS.get(letter, "") for letter in query.get("srt", ""))
        return Grant(levels, query["sp"])
    overrides = {header: _header_text(name, query) for name, header in OVERRIDES.items() if name in query}
    return Grant("ldo" if query["sr"] == dialect.whole else "o", query["sp"], overrides)


def _with_policy(
    query: Mapping[str, str], policies: Callable[[str], Sequence[Mapping[str, str]]], share: str
) -> dict[str, str]:
    """Fill in what the stored access policy of a SAS says; what stands in both is refused (service)."""
    try:
        policy = next((policy for policy in policies(share) if policy["id"] == query["si"]), None)
    except StorageError:
        policy = None
    if policy is None:
        raise not_authentic(f"Access policy '{query['si']}' does not exist.")
    whole = dict(query)
    for name, stored in (("st", "start"), ("se", "expiry"), ("sp", "permission")):
        if stored in policy:
            if query.get(name):
                raise not_authentic(f"{name} stands in the signature and in its access policy.")
            whole[name] = policy[stored]
    return whole


def _check_key(query: Mapping[str, str], now: datetime, dialect: Dialect) -> None:
    """Refuse a user delegation key at a time that is not its own, or for another service."""
    start, expiry = parse_sas_time(query.get("skt", "")), parse_sas_time(query.get("ske", ""))
    if start is None or expiry is None or not start <= now < expiry:
        raise not_authentic("The user delegation key is not valid now.")
    if query.get("sks") != dialect.letter:
        raise failure("AuthorizationServiceMismatch")
    if query.get("si"):
        raise not_authentic("A stored access policy has no place beside a user delegation key.")


def _check_signature(signers: Sequence[Signer], text: str, signature: str) -> None:
    given = signature.encode()
    for sign in signers:
        computed = base64.b64encode(sign(text.encode()))
        if hmac.compare_digest(computed, given):
            return
    raise not_authentic(f"Signature did not match. String to sign used was {text}")


def _check_time(query: Mapping[str, str], now: datetime) -> None:
    expiry = parse_sas_time(query["se"])
    start = parse_sas_time(query["st"]) if query.get("st") else None
    if expiry is None or (query.get("st") and start is None):
        raise not_authentic("st or se is not a time in ISO 8601 form.")
    if now >= expiry or (start is not None and now < start):
        begin = http_date(int(start.timestamp())) if start else "none"
        raise not_authentic(
            f"Signature not valid in the specified time frame: Start [{begin}] - "
            f"Expiry [{http_date(int(expiry.timestamp()))}] - Current [{http_date(int(now.timestamp()))}]"
        )


def _check_origin(query: Mapping[str, str], scheme: str, address: str) -> None:
    if query.get("spr") == "https" and scheme != "https":
        raise failure("AuthorizationProtocolMismatch")
    if query.get("sip"):
        first, _, last = query["sip"].partition("-")
        try:
            client = int(ipaddress.IPv4Address(address))
            allowed = int(ipaddress.IPv4Address(first)) <= client <= int(ipaddress.IPv4Address(last or first))
        except ValueError:
            allowed = False
        if not allowed:
            raise failure("AuthorizationSourceIPMismatch")
