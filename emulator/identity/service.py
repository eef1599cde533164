"""The token endpoint: Azure AD's client-credentials flow, v1 and v2, as the SDKs' own clients use it.

Error codes and texts are Azure AD's published ones (``AADSTS...``); the shapes of the v1 reply and of
Basic authentication are known from recorded traffic of msrestazure and adal.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from batchai_scenario.emulator.clouds import CLOUDS, place_of
from batchai_scenario.emulator.identity import development

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from batchai_scenario.emulator.identity.tokens import Tokens
    from batchai_scenario.emulator.state.clock import Clock

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TENANT = re.compile(rf"{_GUID.pattern}|common|organizations|[\w-]+(\.[\w-]+)+", re.IGNORECASE)
_TOKENS = {"oauth2/token": "v1", "oauth2/v2.0/token": "v2"}
"""Asked by POST, and by Ruby's ms_rest_azure by GET, the form in its body as well."""

_DOCUMENTS = {
    ".well-known/openid-configuration": "v1",
    "v2.0/.well-known/openid-configuration": "v2",
    "discovery/instance": "instance",
    "discovery/keys": "keys",
    "discovery/v2.0/keys": "keys",
}
_OWN_ID = "client-request-id"
_ONLY_POST = "AADSTS900561: The endpoint only accepts POST requests."
_DEFAULT_RESOURCE = "https://management.core.windows.net/"


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What the endpoint says: HTTP status and JSON body."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


class _RefusedError(Exception):
    """An OAuth error: status, error word, AADSTS number and text."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(text)
        self.status, self.error, self.number, self.text = status, error, number, text


class IdentityService:
    """Answers ``/{tenant}/...``; ``passwords`` gives those of a known client by its id in lower case.

    Any tenant is served: which one a program names is no secret, and its clients are what is known.
    """

    def __init__(self, tokens: Tokens, clock: Clock, passwords: Callable[[str], Collection[str]]) -> None:
        self._tokens = tokens
        self._clock = clock
        self._passwords = passwords

    @staticmethod
    def owns(method: str, tenant: str, rest: str) -> bool:
        """Tell whether a path is ours: ``tenant`` is its first segment, ``rest`` what follows."""
        known = rest in _TOKENS or (method != "POST" and rest in _DOCUMENTS)
        return known and _TENANT.fullmatch(tenant) is not None

    def handle(
        self, method: str, tenant: str, rest: str, *, headers: Mapping[str, str], body: bytes, base_url: str
    ) -> TokenAnswer:
        """Answer a request that ``owns`` claimed; ``headers`` have lower-case names.

        A client's own id of the request is given back if it asks for that (ADAL and MSAL compare the two).
        """
        answer = self._answer(method, tenant, rest, headers, body, base_url)
        if headers.get("return-client-request-id", "").lower() != "true" or not headers.get(_OWN_ID):
            return answer
        return replace(answer, headers={**answer.headers, _OWN_ID: headers[_OWN_ID]})

    def _answer(  # noqa: PLR0917 - what ``handle`` was given
        self, method: str, tenant: str, rest: str, headers: Mapping[str, str], body: bytes, base_url: str
    ) -> TokenAnswer:
        if rest in _DOCUMENTS:
            return TokenAnswer(200, _document(_DOCUMENTS[rest], tenant, base_url))
        if method not in ("GET", "POST"):
            return TokenAnswer(405, {"error": "invalid_request", "error_description": _ONLY_POST})
        try:
            return self._token(_TOKENS[rest], tenant, headers, body, base_url)
        except _RefusedError as refused:
            return self._error(refused)

    def _token(
        self, version: str, tenant: str, headers: Mapping[str, str], body: bytes, base_url: str
    ) -> TokenAnswer:
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        client, secret = _basic(headers.get("authorization", ""))
        client, secret = client or form.get("client_id", ""), secret or form.get("client_secret", "")
        self._check_grant(form)
        self._check_client(tenant, client, secret)
        audience = form.get("resource") or _DEFAULT_RESOURCE if version == "v1" else _audience(form)
        own = tenant.lower() if _GUID.fullmatch(tenant) else development.TENANT
        token = self._tokens.issue(tenant=own, client=client, audience=audience, base_url=base_url)
        seconds = int((token.expires - token.not_before).total_seconds())
        if version == "v2":
            reply = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds}
            return TokenAnswer(200, {**reply, "access_token": token.text})
        return TokenAnswer(
            200,
            {
                "token_type": "Bearer",
                "expires_in": str(seconds),
                "ext_expires_in": str(seconds),
                "expires_on": str(int(token.expires.timestamp())),
                "not_before": str(int(token.not_before.timestamp())),
                "resource": audience,
                "access_token": token.text,
            },
        )

    @staticmethod
    def _check_grant(form: Mapping[str, str]) -> None:
        grant = form.get("grant_type", "")
        if not grant:
            text = "The request body must contain the following parameter: 'grant_type'."
            raise _RefusedError(400, "invalid_request", 900144, text)
        if grant != "client_credentials":
            text = f"The app requested an unsupported grant type '{grant}'."
            raise _RefusedError(400, "unsupported_grant_type", 70003, text)

    def _check_client(self, tenant: str, client: str, secret: str) -> None:
        if not client:
            text = "The request body must contain the following parameter: 'client_id'."
            raise _RefusedError(400, "invalid_request", 900144, text)
        known = self._passwords(client.lower())
        if not known:
            text = f"Application with identifier '{client}' was not found in the directory '{tenant}'."
            raise _RefusedError(400, "unauthorized_client", 700016, text)
        if not secret:
            text = (
                "The request body must contain the following parameter: 'client_assertion' or "
                "'client_secret'."
            )
            raise _RefusedError(401, "invalid_client", 7000218, text)
        matches = [hmac.compare_digest(one.encode(), secret.encode()) for one in known]
        if not any(matches):
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client "
                f"secret value, not the client secret ID, for a secret added to app '{client}'."
            )
            if secret == development.SECRET:
                text += " The published secret is known to an emulator with --development-credentials only."
            raise _RefusedError(401, "invalid_client", 7000215, text)

    def _error(self, refused: _RefusedError) -> TokenAnswer:
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        time = f"{self._clock.now():%Y-%m-%d %H:%M:%SZ}"
        description = (
            f"AADSTS{refused.number}: {refused.text}\r\nTrace ID: {trace}\r\n"
            f"Correlation ID: {correlation}\r\nTimestamp: {time}"
        )
        body = {
            "error": refused.error,
            "error_description": description,
            "error_codes": [refused.number],
            "timestamp": time,
            "trace_id": trace,
            "correlation_id": correlation,
        }
        challenge = {"WWW-Authenticate": 'Basic realm="token"'} if refused.status == 401 else {}  # noqa: PLR2004
        return TokenAnswer(refused.status, body, challenge)


def _document(kind: str, tenant: str, base_url: str) -> dict[str, Any]:
    """Write a discovery document; its addresses are at the host that the client used."""
    if kind == "keys":
        return {"keys": []}  # our tokens are signed with a shared key: nothing to publish
    if kind == "instance":
        return _instance(base_url)
    v2 = kind == "v2"
    oauth2 = f"{base_url}/{tenant}/oauth2" + ("/v2.0" if v2 else "")
    return {
        "token_endpoint": f"{oauth2}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "jwks_uri": f"{base_url}/{tenant}/discovery/{'v2.0/' if v2 else ''}keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "token"],
        "scopes_supported": ["openid"],
        "issuer": f"{base_url}/{tenant}/v2.0" if v2 else f"{base_url}/{tenant}/",
        "authorization_endpoint": f"{oauth2}/authorize",
        "device_authorization_endpoint": f"{oauth2}/devicecode",
        "tenant_region_scope": "NA",
    }


def _instance(base_url: str) -> dict[str, Any]:
    """Say which hosts are one and the same authority: at Azure's hosts all of Azure's, else nothing."""
    known = place_of(urlsplit(base_url).netloc) is not None
    return {
        "tenant_discovery_endpoint": f"{base_url}/common/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [
            {
                "preferred_network": cloud.logins[0],
                "preferred_cache": cloud.logins[1 if cloud.name == "AzureCloud" else 0],
                "aliases": list(cloud.logins),
            }
            for cloud in CLOUDS
            if known
        ],
    }


def _audience(form: Mapping[str, str]) -> str:
    """Take the resource out of a v2 request's scope; it must end with ``/.default``."""
    scope = form.get("scope", "")
    if not scope:
        text = "The request body must contain the following parameter: 'scope'."
        raise _RefusedError(400, "invalid_request", 900144, text)
    named = [part for part in scope.split() if part.endswith("/.default")]
    if len(named) != 1:
        text = (
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope "
            "value with /.default suffixed to the resource identifier (application ID URI)."
        )
        raise _RefusedError(400, "invalid_scope", 1002012, text)
    return named[0].removesuffix("/.default")


def _basic(authorization: str) -> tuple[str, str]:
    """Read client id and secret from HTTP Basic authentication; empty if there is none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client, secret
