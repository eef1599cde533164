"""Signatures that the resource manager makes: ``ListAccountSas`` and ``ListServiceSas``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.storage.accounts import KEY_NAMES
from batchai_scenario.emulator.storage.signing import BLOBS, FILES, sign_account, sign_service
from batchai_scenario.emulator.storage.times import parse_sas_time, sas_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.emulator.storage.accounts import Account

VERSION = "2015-04-05"
"""``sv`` of what is made here, as in the service's published examples."""

_ACCOUNT = {
    "ss": "signedServices",
    "srt": "signedResourceTypes",
    "sp": "signedPermission",
    "st": "signedStart",
    "se": "signedExpiry",
    "sip": "signedIp",
    "spr": "signedProtocol",
}
_SERVICE = {
    "sr": "signedResource",
    "si": "signedIdentifier",
    "sp": "signedPermission",
    "st": "signedStart",
    "se": "signedExpiry",
    "sip": "signedIp",
    "spr": "signedProtocol",
    "rscc": "rscc",
    "rscd": "rscd",
    "rsce": "rsce",
    "rscl": "rscl",
    "rsct": "rsct",
}
_TIMES = ("signedStart", "signedExpiry")


def account_sas(account: Account, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer ``ListAccountSas``; ServiceError 400 names the property that is missing or wrong."""
    fields = _read(
        body, _ACCOUNT, needed=("signedServices", "signedResourceTypes", "signedPermission", "signedExpiry")
    )
    signature = sign_account(account.name, _secret(account, body), fields)
    return {"accountSasToken": _token({**fields, "sig": signature})}


def service_sas(account: Account, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer ``ListServiceSas``; ServiceError 400 names the property that is missing or wrong."""
    resource = str(body.get("canonicalizedResource") or "")
    kind, _, rest = resource.strip("/").partition("/")
    dialects = {"file": FILES, "blob": BLOBS}
    if kind not in dialects or not rest.startswith(f"{account.name}/"):
        text = f"it begins with /file/{account.name}/ or /blob/{account.name}/"
        raise _invalid("canonicalizedResource", text)
    needed = () if body.get("signedIdentifier") else ("signedPermission", "signedExpiry")
    fields = _read(body, _SERVICE, needed=("signedResource", *needed))
    dialect = dialects[kind]
    if fields["sr"] not in dialect.kinds:
        raise _invalid("signedResource", f"it is one of {', '.join(dialect.kinds)}")
    signature = sign_service(f"/{kind}/{rest}", _secret(account, body), fields, dialect)
    return {"serviceSasToken": _token({**fields, "sig": signature})}


def _read(body: Mapping[str, Any], names: Mapping[str, str], *, needed: tuple[str, ...]) -> dict[str, str]:
    known = {*names.values(), "keyToSign", "canonicalizedResource"}
    for name in body:
        if name not in known:
            raise _invalid(name, "the emulator signs nothing of that name")
    for name in needed:
        if not body.get(name):
            raise _invalid(name, "it is required")
    fields = {"sv": VERSION}
    for short, name in names.items():
        text = str(body.get(name) or "")
        if text and name in _TIMES:
            moment = parse_sas_time(text)
            if moment is None:
                raise _invalid(name, "it is no time in ISO 8601 form")
            text = sas_time(moment)
        if text:
            fields[short] = text
    return fields


def _secret(account: Account, body: Mapping[str, Any]) -> bytes:
    name = body.get("keyToSign") or KEY_NAMES[0]
    if name not in KEY_NAMES[: len(account.secrets)]:
        raise _invalid("keyToSign", f"it is one of {', '.join(KEY_NAMES[: len(account.secrets)])}")
    return account.secrets[KEY_NAMES.index(name)]


def _token(fields: Mapping[str, str]) -> str:
    return "&".join(f"{name}={quote(text, safe='')}" for name, text in fields.items())


def _invalid(name: str, why: str) -> ServiceError:
    text = f"The value of '{name}' cannot be used: {why}."
    return ServiceError(400, "InvalidValuesForRequestParameters", text, name)
