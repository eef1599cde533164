"""Who may see the page: whoever has its address with the token in it, from a browser on our own origin."""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from starlette.requests import Request

_ASKED_BY = ("same-origin", "none")
"""``Sec-Fetch-Site`` of what our own pages and a person's own hand ask for."""

REFUSED = (
    "This page needs the token that stands in its address: 'scenario ui' opens it, and "
    "'scenario emulator serve' prints it at its start."
)
FOREIGN = "This was asked for by a page of another origin; only the emulator's own page may do so."


def token_of(key: bytes) -> str:
    """Make the token of a home's page: the same at each start, so that an open page comes back to it."""
    return hmac.new(key, b"the page at /ui", hashlib.sha256).hexdigest()[:40]


class Guard:
    """Checks requests for the page.

    The token comes once, in the address, and then as a cookie that scripts cannot read and other sites do not
    send. Ports share cookies, so its name has the port. A page of another port is of the same site: therefore
    the origin is checked besides.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def is_token(self, given: str) -> bool:
        """Tell whether this is the token."""
        return hmac.compare_digest(given.encode(), self._token.encode())

    def check(self, request: Request) -> None:
        """Let a request pass.

        Raises:
            ServiceError: 403 without the token, and for what a page of another origin asks.
        """
        if not self.is_token(_cookies(request).get(_name(request), "")):
            raise ServiceError(403, "AuthorizationFailed", REFUSED)
        if request.headers.get("sec-fetch-site", "none") not in _ASKED_BY:
            raise ServiceError(403, "AuthorizationFailed", FOREIGN)
        origin = request.headers.get("origin")
        changes = request.method not in ("GET", "HEAD")
        if (changes or origin is not None) and origin != f"{request.url.scheme}://{request.headers['host']}":
            raise ServiceError(403, "AuthorizationFailed", FOREIGN)

    def cookie(self, request: Request) -> str:
        """Write the header that hands the token to a browser."""
        return f"{_name(request)}={self._token}; Path=/ui; HttpOnly; SameSite=Strict"


def _name(request: Request) -> str:
    return f"scenario-ui-{request.scope['server'][1]}"


def _cookies(request: Request) -> dict[str, str]:
    try:
        jar = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}
