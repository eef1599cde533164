"""Bearer tokens: JSON web tokens, signed (HS256) with a key derived from the home's seal key."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.clouds import AUDIENCES, login_url
from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchai_scenario.emulator.state.clock import Clock

LIFETIME = timedelta(hours=1)
"""How long a token is good for; the service's own figure at the time."""

_REMEMBERED = 256
"""Tokens whose signature need not be verified again: clients send one of them with every request."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A signed token and the times that its reply repeats."""

    text: str
    not_before: datetime
    expires: datetime


class Tokens:
    """Issues tokens and checks them; a token outlives the emulator that issued it, not its home folder."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = hmac.new(key, b"bearer tokens", hashlib.sha256).digest()
        self._clock = clock
        self._seen: dict[str, dict[str, Any]] = {}

    def issue(self, *, tenant: str, client: str, audience: str, base_url: str) -> IssuedToken:
        """Sign a token for a resource (``audience``) in the shape of Azure AD's v1 access tokens."""
        import jwt

        now = self._clock.now().replace(microsecond=0)
        expires = now + LIFETIME
        claims = {
            "aud": audience,
            "iss": f"{base_url}/{tenant}/",
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int(expires.timestamp()),
            "appid": client,
            "oid": client,  # a service principal has no other id here
            "tid": tenant,
            "idtyp": "app",
            "ver": "1.0",
        }
        return IssuedToken(jwt.encode(claims, self._key, algorithm="HS256"), now, expires)

    def check(self, authorization: str, base_url: str, audiences: Sequence[str] = AUDIENCES) -> None:
        """Let a request pass, by its ``Authorization`` header; ``audiences`` have no slash at their end.

        Raises:
            ServiceError: 401 with the resource manager's own codes and a ``WWW-Authenticate`` header.
        """
        scheme, _, text = authorization.partition(" ")
        if not authorization:
            raise _denied(
                base_url,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            )
        if scheme.lower() != "bearer" or not text.strip():
            raise _denied(
                base_url,
                "AuthenticationFailedInvalidHeader",
                "Authentication failed. The 'Authorization' header is provided in an invalid format.",
            )
        claims = self._claims(text.strip(), base_url)
        now = self._clock.now()
        expires = datetime.fromtimestamp(int(claims.get("exp", 0)), timezone.utc)
        if expires <= now:
            raise _denied(
                base_url,
                "ExpiredAuthenticationToken",
                f"The access token expiry UTC time '{_american(expires)}' is earlier than current UTC time "
                f"'{_american(now)}'.",
            )
        audience = str(claims.get("aud", "")).rstrip("/")
        if audience not in (*audiences, base_url):
            allowed = "".join(f"'{one}/'," for one in audiences[:2])
            raise _denied(
                base_url,
                "InvalidAuthenticationTokenAudience",
                f"The access token has been obtained for wrong audience or resource '{audience}'. It should "
                f"exactly match with one of the allowed audiences {allowed}'{base_url}'.",
            )

    def claims(self, text: str) -> dict[str, Any] | None:
        """Read a token that was issued here, whatever its times and audience; None for any other."""
        try:
            return self._claims(text, "")
        except ServiceError:
            return None

    def derive(self, purpose: str) -> bytes:
        """Give 32 secret bytes, always the same for a purpose and a home."""
        return hmac.new(self._key, purpose.encode(), hashlib.sha256).digest()

    def _claims(self, text: str, base_url: str) -> dict[str, Any]:
        """Read a token whose signature is ours; one that was seen before is not verified again."""
        known = self._seen.get(text)
        if known is None:
            known = self._verified(text, base_url)
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[text] = known
        return known

    def _verified(self, text: str, base_url: str) -> dict[str, Any]:
        import jwt

        # The times are checked against the emulator's own clock, which need not be the machine's.
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
        try:
            return jwt.decode(text, self._key, algorithms=["HS256"], options=options)
        except (jwt.InvalidTokenError, UnicodeEncodeError):
            raise _denied(base_url, "InvalidAuthenticationToken", "The access token is invalid.") from None


def _american(value: datetime) -> str:
    """Write a time as .NET does in this message: ``6/6/2018 9:05:03 PM``."""
    hour = value.hour % 12 or 12
    half = "AM" if value.hour < 12 else "PM"  # noqa: PLR2004 - noon
    return f"{value.month}/{value.day}/{value.year} {hour}:{value:%M:%S} {half}"


def _denied(base_url: str, code: str, message: str) -> ServiceError:
    authority = f"{login_url(base_url)}/common"
    challenge = (
        f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{message}"'
    )
    return ServiceError(401, code, message, headers={"WWW-Authenticate": challenge})
