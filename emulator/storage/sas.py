"""Shared access signatures: of an account, and of a share or a file (service documentation; SDK 2.1.0)."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from batchai_scenario.emulator.clouds import storage_url
from batchai_scenario.emulator.storage.accounts import signer
from batchai_scenario.emulator.storage.errors import StorageError, bad_query, failure, not_built
from batchai_scenario.emulator.storage.numbers import is_number, read_number
from batchai_scenario.emulator.storage.times import http_date, parse_sas_time, sas_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from batchai_scenario.emulator.storage.accounts import Account, Signer

LINK_VERSION = "2016-05-31"
"""``sv`` of the links to output files (recorded traffic)."""

_OVERRIDES = {
    "rscc": "cache-control",
    "rscd": "content-disposition",
    "rsce": "content-encoding",
    "rscl": "content-language",
    "rsct": "content-type",
}
_HEADER_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_ACCOUNT_LEVELS = {"s": "s", "c": "cl", "o": "do"}
"""What the letters of an account SAS's ``srt`` (service, container, object) open, as levels of ``Grant``."""

KEY_FIELDS = ("skoid", "sktid", "skt", "ske", "sks", "skv", "skdutid")
"""What a SAS tells of the user delegation key that signed it."""

_WITH_USER = "2025-07-05"
"""From this ``sv`` on such a SAS signs the user's tenant and the user, too."""

_WITH_HEADERS = "2026-04-06"
"""From this ``sv`` on such a SAS for Blob signs headers and query parameters, too."""

_WITH_RESOURCE = "2018-11-09"
"""From this ``sv`` on a SAS for Blob signs ``sr`` and the snapshot, too."""

_WITH_AGENTS = "2020-02-10"
"""From this ``sv`` on a SAS of a user delegation key for Blob signs three more fields."""

_WITH_ENCRYPTION_SCOPE = "2020-12-06"
"""From this ``sv`` on an account SAS, and one for Blob, signs one more field, ``ses``."""


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
        raise _failed("sv is mandatory. Cannot be empty.")
    dialect = dialect or FILES
    is_account = "ss" in query or "srt" in query
    if is_account:
        text = _account_text(account.name, query)
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
            raise _failed(f"{name} is mandatory. Cannot be empty.")
    _check_time(query, now)
    _check_origin(query, scheme, address)
    if is_account:
        if dialect.letter not in query.get("ss", ""):
            raise failure("AuthorizationServiceMismatch")
        levels = "".join(_ACCOUNT_LEVELS.get(letter, "") for letter in query.get("srt", ""))
        return Grant(levels, query["sp"])
    overrides = {header: _header_text(name, query) for name, header in _OVERRIDES.items() if name in query}
    return Grant("ldo" if query["sr"] == dialect.whole else "o", query["sp"], overrides)


def file_link(
    account: Account, share: str, path: str, *, expires: datetime, base_url: str, permissions: str = "rl"
) -> str:
    """Make a link to one file that needs no other authorization, in the form of recorded traffic.

    Args:
        account: Its first key signs.
        share: The share's name.
        path: The file's path in the share.
        expires: When the link ends; cut to whole seconds.
        base_url: Where the client reaches this emulator, or believes that it reaches Azure.
        permissions: Letters of ``rcwdl``.
    """
    query = {"sv": LINK_VERSION, "sr": "f", "se": sas_time(expires), "sp": permissions}
    text = _service_text(f"/file/{account.name}/{share}/{path}", query)
    query["sig"] = _signature(account.secrets[0], text)
    fields = "&".join(f"{name}={quote(query[name], safe='')}" for name in ("sv", "sr", "sig", "se", "sp"))
    return f"{storage_url(base_url, account.name)}/{share}/{quote(path)}?{fields}"


def blob_link(account: Account, container: str, name: str, *, expires: datetime, base_url: str) -> str:
    """Make a link to one blob like ``file_link``."""
    query = {"sv": LINK_VERSION, "sr": "b", "se": sas_time(expires), "sp": "rl"}
    text = _blob_text(f"/blob/{account.name}/{container}/{name}", query)
    query["sig"] = _signature(account.secrets[0], text)
    fields = "&".join(f"{key}={quote(query[key], safe='')}" for key in ("sv", "sr", "sig", "se", "sp"))
    return f"{storage_url(base_url, account.name, 'blob')}/{container}/{quote(name)}?{fields}"


def sign_account(account: str, secret: bytes, fields: Mapping[str, str]) -> str:
    """Give ``sig`` of an account SAS whose other fields are ``fields``."""
    return _signature(secret, _account_text(account, fields))


def sign_service(resource: str, secret: bytes, fields: Mapping[str, str], dialect: Dialect) -> str:
    """Give ``sig`` of a service SAS; ``resource`` is what it is for, such as ``/file/account/share``."""
    return _signature(secret, dialect.text(resource, fields))


def _signature(secret: bytes, text: str) -> str:
    return base64.b64encode(hmac.digest(secret, text.encode(), "sha256")).decode()


def _account_text(account: str, query: Mapping[str, str]) -> str:
    names = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"]
    if query["sv"] >= _WITH_ENCRYPTION_SCOPE:
        names.append("ses")
    return "\n".join([account, *(query.get(name, "") for name in names), ""])


def _service_text(resource: str, query: Mapping[str, str]) -> str:
    fields = [query.get(name, "") for name in ("sp", "st", "se")]
    fields.append(resource)
    fields += [query.get(name, "") for name in (*_signers(query), "sip", "spr", "sv", *_OVERRIDES)]
    return "\n".join(fields)


def _signers(query: Mapping[str, str], *more: str) -> tuple[str, ...]:
    """Name the fields that tell whose key signed; ``more`` stand where Blob has more of them."""
    if "skoid" not in query:
        return ("si",)
    user = ("skdutid", "sduoid") if query["sv"] >= _WITH_USER else ()
    return (*KEY_FIELDS[:-1], *more, *user)


def _resource(account: str, path: str, query: Mapping[str, str]) -> str:
    """Give what a service SAS for this URL must have signed: the file itself, or its share."""
    kind = query.get("sr")
    if kind == "s":
        return f"/file/{account}/{path.strip('/').partition('/')[0]}"
    if kind == "f":
        return f"/file/{account}{path}"
    raise _failed("sr is mandatory. Cannot be empty" if not kind else f"sr={kind} is not one of s and f.")


def _blob_text(resource: str, query: Mapping[str, str]) -> str:
    """Write what a service SAS for Blob signs: newer versions name the kind of resource, too."""
    more = ("saoid", "suoid", "scid") if query["sv"] >= _WITH_AGENTS else ()
    names = [*_signers(query, *more), "sip", "spr", "sv"]
    if query["sv"] >= _WITH_RESOURCE:
        names += ["sr", "snapshot"]
    if query["sv"] >= _WITH_ENCRYPTION_SCOPE:
        names.append("ses")
    if "skoid" in query and query["sv"] >= _WITH_HEADERS:
        if query.get("srh") or query.get("srq"):
            raise _failed("The emulator does not know signatures of headers and query parameters (srh, srq).")
        names += ["srh", "srq"]
    fields = [query.get(name, "") for name in ("sp", "st", "se")]
    signed = {**query, "snapshot": query.get("snapshot") or query.get("versionid", "")}
    return "\n".join([*fields, resource, *(signed.get(name, "") for name in (*names, *_OVERRIDES))])


def _blob_resource(account: str, path: str, query: Mapping[str, str]) -> str:
    """Give what a service SAS for this URL must have signed: the blob, a folder of it, or its container."""
    kind = query.get("sr")
    if kind == "c":
        return f"/blob/{account}/{path.strip('/').partition('/')[0]}"
    if kind in ("b", "bs", "bv"):
        return f"/blob/{account}{path}"
    if kind == "d":
        container, *parts = path.strip("/").split("/")
        depth = query.get("sdd", "")
        if not is_number(depth) or read_number(depth) >= len(parts):
            raise _failed("sdd is the number of folders above the blob that the signature is for.")
        return "/".join(("/blob", account, container, *parts[: int(depth)]))
    raise _failed(
        f"sr={kind} is not one of b, bs, bv, c and d." if kind else "sr is mandatory. Cannot be empty"
    )


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a service writes its SAS.

    ``service`` is its name in hosts, ``letter`` in ``ss`` of an account SAS. ``whole`` in ``sr`` is a share
    or container; ``kinds`` are all that it may be. ``resource`` gives what a service SAS for a path must have
    signed (account, path, query), ``text`` the whole string.
    """

    service: str
    letter: str
    whole: str
    kinds: tuple[str, ...]
    resource: Callable[[str, str, Mapping[str, str]], str]
    text: Callable[[str, Mapping[str, str]], str]


FILES = Dialect("file", "f", "s", ("s", "f"), _resource, _service_text)
BLOBS = Dialect("blob", "b", "c", ("c", "b"), _blob_resource, _blob_text)


def _with_policy(
    query: Mapping[str, str], policies: Callable[[str], Sequence[Mapping[str, str]]], share: str
) -> dict[str, str]:
    """Fill in what the stored access policy of a SAS says; what stands in both is refused (service)."""
    try:
        policy = next((policy for policy in policies(share) if policy["id"] == query["si"]), None)
    except StorageError:
        policy = None
    if policy is None:
        raise _failed(f"Access policy '{query['si']}' does not exist.")
    whole = dict(query)
    for name, stored in (("st", "start"), ("se", "expiry"), ("sp", "permission")):
        if stored in policy:
            if query.get(name):
                raise _failed(f"{name} stands in the signature and in its access policy.")
            whole[name] = policy[stored]
    return whole


def _check_key(query: Mapping[str, str], now: datetime, dialect: Dialect) -> None:
    """Refuse a user delegation key at a time that is not its own, or for another service."""
    start, expiry = parse_sas_time(query.get("skt", "")), parse_sas_time(query.get("ske", ""))
    if start is None or expiry is None or not start <= now < expiry:
        raise _failed("The user delegation key is not valid now.")
    if query.get("sks") != dialect.letter:
        raise failure("AuthorizationServiceMismatch")
    if query.get("si"):
        raise _failed("A stored access policy has no place beside a user delegation key.")


def _check_signature(signers: Sequence[Signer], text: str, signature: str) -> None:
    given = signature.encode()
    for sign in signers:
        computed = base64.b64encode(sign(text.encode()))
        if hmac.compare_digest(computed, given):
            return
    raise _failed(f"Signature did not match. String to sign used was {text}")


def _check_time(query: Mapping[str, str], now: datetime) -> None:
    expiry = parse_sas_time(query["se"])
    start = parse_sas_time(query["st"]) if query.get("st") else None
    if expiry is None or (query.get("st") and start is None):
        raise _failed("st or se is not a time in ISO 8601 form.")
    if now >= expiry or (start is not None and now < start):
        begin = http_date(int(start.timestamp())) if start else "none"
        raise _failed(
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


def _failed(detail: str) -> StorageError:
    return failure("AuthenticationFailed", AuthenticationErrorDetail=detail)
