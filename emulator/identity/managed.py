"""Managed identities: tokens for programs that are on a machine of Azure's, or in its shell, and say so.

Three ways are served, as the clients use them (msrestazure 0.6, azure-identity 1.27): the metadata service of
a virtual machine (``GET /metadata/identity/oauth2/token`` with ``Metadata: true``), the cloud's shell (``POST
/MSI/token`` with the same header) and App Service (``GET /MSI/token`` with the secret in a header).
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from batchai_scenario.emulator.identity import development
from batchai_scenario.emulator.identity.service import TokenAnswer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from batchai_scenario.emulator.identity.tokens import Tokens

IMDS_PATH = "/metadata/identity/oauth2/token"
MSI_PATH = "/MSI/token"

_SECRET_HEADERS = ("secret", "x-identity-header")


class ManagedIdentity:
    """Issues tokens to whoever asks as such a program does: the identity is the development client's.

    ``secrets``: what is taken as ``MSI_SECRET``. Without one, only programs of the emulator's own user are
    answered, as far as the kernel tells who asks.
    """

    def __init__(self, tokens: Tokens, secrets: Collection[str]) -> None:
        self._tokens = tokens
        self._secrets = secrets

    @staticmethod
    def owns(raw_path: str) -> bool:
        """Tell whether a path is ours; programs put a slash before the query, and nothing minds it."""
        return raw_path.rstrip("/") in (IMDS_PATH, MSI_PATH)

    def handle(
        self,
        method: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
        *,
        base_url: str,
        own: bool,
    ) -> TokenAnswer:
        """Answer a request at such a path; names in ``query`` and ``headers`` are in lower case.

        ``own``: a program of the emulator's own user on this machine asks.
        """
        asked = dict(query)
        if method == "POST":
            asked.update(parse_qsl(body.decode("utf-8", "replace")))
        given = next((headers[name] for name in _SECRET_HEADERS if name in headers), None)
        if given is not None:
            matches = [hmac.compare_digest(given.encode(), secret.encode()) for secret in self._secrets]
            if not any(matches):
                return _refused(401, "unauthorized_client", "The secret is not the one in MSI_SECRET.")
        elif headers.get("metadata", "").lower() != "true":
            # The service's guard against pages and servers that are talked into sending requests.
            return _refused(400, "invalid_request", "Required metadata header not specified")
        elif not own:
            text = "Only the emulator's own user gets this without the secret in MSI_SECRET."
            return _refused(401, "unauthorized_client", text)
        resource = asked.get("resource", "")
        if not resource:
            return _refused(400, "invalid_request", "Required resource parameter not specified")
        if asked.get("client_id", development.CLIENT).lower() != development.CLIENT:
            return _refused(400, "invalid_request", "Identity not found")
        token = self._tokens.issue(
            tenant=development.TENANT, client=development.CLIENT, audience=resource, base_url=base_url
        )
        seconds = int((token.expires - token.not_before).total_seconds())
        return TokenAnswer(
            200,
            {
                "access_token": token.text,
                "client_id": development.CLIENT,
                "expires_in": str(seconds),
                "expires_on": str(int(token.expires.timestamp())),
                "ext_expires_in": str(seconds),
                "not_before": str(int(token.not_before.timestamp())),
                "resource": resource,
                "token_type": "Bearer",
            },
        )


def _refused(status: int, error: str, text: str) -> TokenAnswer:
    return TokenAnswer(status, {"error": error, "error_description": text})
