"""SharedKey and SharedKeyLite: a request signed with an account's key (service documentation; SDK 2.1.0)."""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import timedelta
from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage.errors import StorageError, failure
from batchai_scenario.emulator.storage.times import parse_http_date

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from batchai_scenario.emulator.storage.accounts import Account

MAX_SKEW = timedelta(minutes=15)
"""How far the request's date may be from the service's clock, either way."""

_SIGNED = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def check_shared_key(  # noqa: PLR0917 - the parts that are signed, in their order
    account: Account,
    authorization: str,
    method: str,
    raw_path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    now: datetime,
) -> None:
    """Check a request's ``Authorization`` header.

    Args:
        account: The account that the URL names.
        authorization: The header, ``SharedKey <account>:<base64 of HMAC-SHA256>`` or ``SharedKeyLite ...``.
        method: The HTTP method.
        raw_path: The URL's path as it was sent; in path style it begins with the account's name, which then
            stands twice in the canonical resource.
        query: Query parameters, names in lower case, several values joined by commas.
        headers: Headers, names in lower case, several values joined by commas.
        now: The service's time.

    Raises:
        StorageError: InvalidAuthenticationInfo (400) for a header of another form, AuthenticationFailed (403)
            for another account, a date that is missing or more than 15 minutes off, and a wrong signature.
    """
    scheme, _, credential = authorization.partition(" ")
    name, colon, signature = credential.strip().partition(":")
    if scheme not in ("SharedKey", "SharedKeyLite") or not colon:
        raise failure("InvalidAuthenticationInfo")
    try:
        given = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise failure("InvalidAuthenticationInfo") from None
    if name != account.name:
        raise _failed(f"The account in the Authorization header, '{name}', is not the one in the URL.")
    _check_date(headers, now)
    write = string_to_sign if scheme == "SharedKey" else lite_string_to_sign
    text = write(account.name, method, raw_path, query, headers)
    message = text.encode()
    for sign in account.signers:
        if hmac.compare_digest(sign(message), given):
            return
    # Clients differ in where they sort an underscore in a name of metadata: before digits, as the service
    # does (azure-storage-file-share), or by its code (azure-storage-file).
    by_code = write(account.name, method, raw_path, query, headers, by_code=True)
    if by_code != text:
        for sign in account.signers:
            if hmac.compare_digest(sign(by_code.encode()), given):
                return
    raise _failed(
        f"The MAC signature found in the HTTP request '{signature}' is not the same as any computed "
        f"signature. Server used following string to sign: '{text}'."
    )


def string_to_sign(
    account: str,
    method: str,
    raw_path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    *,
    by_code: bool = False,
) -> str:
    """Write what SharedKey signs, from version 2015-02-21 on (a length of 0 is left empty)."""
    values = [headers.get(name, "") for name in _SIGNED]
    if values[2] == "0":
        values[2] = ""
    if "x-ms-date" in headers:
        values[5] = ""
    resource = [f"/{account}{raw_path}"]
    resource += [f"{name}:{query[name]}" for name in sorted(query)]
    return "\n".join([method, *values, *_canonical_headers(headers, by_code=by_code), "\n".join(resource)])


def lite_string_to_sign(
    account: str,
    method: str,
    raw_path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    *,
    by_code: bool = False,
) -> str:
    """Write what SharedKeyLite signs."""
    date = "" if "x-ms-date" in headers else headers.get("date", "")
    resource = f"/{account}{raw_path}" + (f"?comp={query['comp']}" if "comp" in query else "")
    values = [method, headers.get("content-md5", ""), headers.get("content-type", ""), date]
    return "\n".join([*values, *_canonical_headers(headers, by_code=by_code), resource])


def _canonical_headers(headers: Mapping[str, str], *, by_code: bool) -> list[str]:
    names = sorted(name for name in headers if name.startswith("x-ms-"))
    if not by_code and any("_" in name for name in names):
        names.sort(key=lambda name: name.replace("_", "!"))
    return [f"{name}:{headers[name]}" for name in names]


def _check_date(headers: Mapping[str, str], now: datetime) -> None:
    text = headers.get("x-ms-date") or headers.get("date", "")
    date = parse_http_date(text)
    if date is None:
        raise _failed(f"The Date header or x-ms-date header is missing or not a date: '{text}'.")
    if abs(now - date) > MAX_SKEW:
        raise _failed(f"Request date header too old or too new: '{text}'.")


def _failed(detail: str) -> StorageError:
    return failure("AuthenticationFailed", AuthenticationErrorDetail=detail)
