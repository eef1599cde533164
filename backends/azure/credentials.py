"""Tokens for the resource manager: azure-identity on Azure, a plain exchange on loopback."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline import PipelineRequest

    from batchai_scenario.backends.settings import AzureSettings

TIMEOUT = (5.0, 30.0)
"""Seconds to connect, and to wait for an answer."""


class LoopbackCredential:
    """Gets tokens by client credentials where azure-identity, which insists on TLS, cannot.

    It posts to ``<authority>/<tenant>/oauth2/v2.0/token``, the endpoint that azure-identity uses.
    """

    def __init__(self, settings: AzureSettings, session: requests.Session) -> None:
        self._settings = settings
        self._session = session

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:  # noqa: ANN401 - the interface's own
        """Get a token for the scopes.

        Raises:
            ClientAuthenticationError: the credentials are refused.
            ServiceRequestError: nobody answers; ServiceResponseError: the answer is none.
        """
        settings = self._settings
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret,
            "scope": " ".join(scopes),
        }
        url = f"{settings.authority}/{settings.tenant_id}/oauth2/v2.0/token"
        try:
            answer = self._session.post(url, data=form, timeout=TIMEOUT)
            body = answer.json()
        except requests.ConnectionError:
            raise ServiceRequestError("nobody answers at the token endpoint") from None
        except requests.RequestException as error:
            raise ServiceResponseError(f"no answer from the token endpoint: {type(error).__name__}") from None
        if answer.status_code != requests.codes.ok:
            raise ClientAuthenticationError(str(body.get("error_description") or body.get("error")))
        return AccessToken(str(body["access_token"]), int(time.time()) + int(body["expires_in"]))


class LoopbackBearerPolicy(BearerTokenCredentialPolicy[Any, Any]):
    """Sends tokens over plain HTTP, which azure-core refuses; made for loopback addresses only."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Allow plain HTTP for this request, then authorize it."""
        request.context.options["enforce_https"] = False
        super().on_request(request)


def credential_for(settings: AzureSettings, session: requests.Session) -> TokenCredential:
    """Choose how to get tokens: plain exchange for an ``http`` authority, else azure-identity."""
    if settings.authority.startswith("http://"):
        return LoopbackCredential(settings, session)
    from azure.identity import ClientSecretCredential

    return ClientSecretCredential(
        settings.tenant_id,
        settings.client_id,
        settings.client_secret,
        authority=settings.authority,
    )
