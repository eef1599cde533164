"""Bearer tokens for storage, and the keys that their bearers get to sign with (user delegation keys)."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Protocol

from batchai_scenario.emulator.clouds import CLOUDS, SERVICES, login_url
from batchai_scenario.emulator.storage.call import XML, document, element
from batchai_scenario.emulator.storage.errors import failure
from batchai_scenario.emulator.storage.parsing import parse_xml
from batchai_scenario.emulator.storage.sas import TOKEN
from batchai_scenario.emulator.storage.signing import KEY_FIELDS
from batchai_scenario.emulator.storage.times import parse_sas_time, sas_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.errors import StorageError
    from batchai_scenario.emulator.storage.sas import Grant

RESOURCE = "https://storage.azure.com"
"""The audience of tokens for every storage account."""

LONGEST_KEY = timedelta(days=7)
"""How long a user delegation key may be good for (service)."""

_INTENT = "x-ms-file-request-intent"
_CODE = "InvalidAuthenticationInfo"


class TokenReader(Protocol):
    """What the identity room knows."""

    def claims(self, text: str) -> Mapping[str, Any] | None:
        """Read a token that this emulator issued, whatever its times and audience; None for any other."""
        ...

    def derive(self, purpose: str) -> bytes:
        """Give 32 secret bytes, always the same for a purpose and a home."""
        ...


def challenge(call: Call, tenant: str = "common") -> dict[str, str]:
    """Give the header that tells clients where to get a token, and for what."""
    host = call.headers.get("host", "")
    authority = login_url(f"{call.request.scope.get('scheme', 'http')}://{host}")
    uri = f"{authority}/{tenant}/oauth2/authorize"
    return {"www-authenticate": f"Bearer authorization_uri={uri} resource_id={RESOURCE}"}


def check_bearer(call: Call, tokens: TokenReader, now: datetime, *, files: bool) -> Grant:
    """Check the token in a request's ``Authorization`` header.

    It opens all of the account: who may do what is not told apart here (our decision).

    Raises:
        StorageError: InvalidAuthenticationInfo (401, with a challenge) for a token that is not ours, expired
            or for somebody else; MissingRequiredHeader for Files without ``x-ms-file-request-intent``.
    """
    check_token(call, call.headers["authorization"], tokens, now, call.account.name)
    if files:
        intent = call.require(_INTENT)
        if intent.lower() != "backup":
            raise failure("InvalidHeaderValue", HeaderName=_INTENT, HeaderValue=intent)
    return TOKEN


def check_token(
    call: Call, authorization: str, tokens: TokenReader, now: datetime, account: str
) -> Mapping[str, Any]:
    """Read a token for an account, ``Bearer ...``.

    Raises:
        StorageError: InvalidAuthenticationInfo (401, with a challenge).
    """
    scheme, _, text = authorization.partition(" ")
    claims = tokens.claims(text.strip()) if scheme.lower() == "bearer" else None
    if claims is None:
        raise _denied(call, "Signature validation failed. This emulator did not issue the token.")
    tenant = str(claims.get("tid", "common"))
    if int(claims.get("exp", 0)) <= now.timestamp():
        raise _denied(call, "Lifetime validation failed. The token is expired.", tenant)
    audience = str(claims.get("aud", "")).rstrip("/")
    if audience not in _audiences(account):
        raise _denied(call, f"Audience validation failed. Audience did not match: '{audience}'.", tenant)
    return claims


def check_user(call: Call, tokens: TokenReader, now: datetime, user: str) -> None:
    """Make sure that the bearer of a SAS for one user (``sduoid``) shows a token of that user.

    Raises:
        StorageError: AuthenticationFailed (403), or what ``check_token`` raises.
    """
    authorization = call.headers.get("authorization", "")
    if not authorization.lower().startswith("bearer "):
        raise failure(
            "AuthenticationFailed",
            AuthenticationErrorDetail="The signature needs a token of its user beside it.",
        )
    if _oid(check_token(call, authorization, tokens, now, call.account.name)) != user:
        raise failure("AuthenticationFailed", AuthenticationErrorDetail="The token is another user's.")


def secret_of_key(tokens: TokenReader, account: str, fields: Mapping[str, str]) -> bytes:
    """Give the secret of a user delegation key, from what a SAS tells of it."""
    told = "\n".join(fields.get(name, "") for name in KEY_FIELDS)
    return tokens.derive(f"user delegation key\n{account}\n{told}")


async def get_delegation_key(call: Call, tokens: TokenReader, now: datetime, letter: str) -> Response:
    """Make a key with which the bearer of a token can sign for itself, for 7 days at most.

    Raises:
        StorageError: AuthenticationFailed without a token; InvalidXmlDocument, InvalidXmlNodeValue.
    """
    if call.grant is not TOKEN:
        raise failure(
            "AuthenticationFailed",
            AuthenticationErrorDetail="Only authentication scheme Bearer is supported for this operation.",
        )
    claims = check_token(call, call.headers["authorization"], tokens, now, call.account.name)
    info = parse_xml(await call.body(), "KeyInfo")
    start, expiry = (
        _time(tag, info.findtext(tag) or "") if info.find(tag) is not None or tag == "Expiry" else now
        for tag in ("Start", "Expiry")
    )
    if expiry <= max(start, now) or expiry - max(start, now) > LONGEST_KEY + timedelta(minutes=1):
        raise _wrong("Expiry", sas_time(expiry))
    user = info.findtext("DelegatedUserTid") or ""
    fields = {
        "skoid": _oid(claims),
        "sktid": str(claims.get("tid", "")),
        "skt": sas_time(start),
        "ske": sas_time(expiry),
        "sks": letter,
        "skv": call.version,
        "skdutid": user,
    }
    value = base64.b64encode(secret_of_key(tokens, call.account.name, fields)).decode()
    tags = ("SignedOid", "SignedTid", "SignedStart", "SignedExpiry", "SignedService", "SignedVersion")
    rows = "".join(element(tag, fields[name]) for tag, name in zip(tags, KEY_FIELDS, strict=False))
    rows += element("SignedDelegatedUserTid", user) if user else ""
    body = document(f"<UserDelegationKey>{rows}{element('Value', value)}</UserDelegationKey>")
    return call.answer(200, {}, body, content_type=XML)


def _oid(claims: Mapping[str, Any]) -> str:
    """Name who bears a token; that of a service principal is its client id here."""
    return str(claims.get("oid") or claims.get("appid", ""))


def _audiences(account: str) -> list[str]:
    hosts = [
        f"https://{account}.{service}.{cloud.storage_suffix}" for cloud in CLOUDS for service in SERVICES
    ]
    return [RESOURCE, *hosts]


def _time(tag: str, text: str) -> datetime:
    value = parse_sas_time(text)
    if value is None:
        raise _wrong(tag, text)
    return value.astimezone(timezone.utc)


def _wrong(tag: str, text: str) -> StorageError:
    return failure("InvalidXmlNodeValue", XmlNodeName=tag, XmlNodeValue=text)


def _denied(call: Call, detail: str, tenant: str = "common") -> StorageError:
    error = failure(_CODE, headers=challenge(call, tenant), AuthenticationErrorDetail=detail)
    error.status = 401
    error.message = (
        "Server failed to authenticate the request. "
        "Please refer to the information in the www-authenticate header."
    )
    return error
