"""What a run would send: the exact requests of a sequence of backend calls, none of which is sent.

The calls go through the real backend and the real SDKs; only the network is replaced, by an answerer
that plays a place where nothing exists yet and everything goes well. The sign-in is left out.
"""

from __future__ import annotations

import io
import json
import threading
from time import time
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessToken
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from batchai_scenario.backends.base import PlannedRequest
from batchai_scenario.backends.errors import NotSupported
from batchai_scenario.backends.offers import Plans, Whereabouts
from batchai_scenario.backends.planning_answers import Answers, PlannedAnswer
from batchai_scenario.backends.registry import Registry
from batchai_scenario.schema.secrets import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.backends.base import Backend, BackendOptions
    from batchai_scenario.backends.settings import AzureSettings

UNSEEN = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "user-agent",
        "x-ms-client-request-id",
        "x-ms-date",
        "x-ms-file-creation-time",
    }
)
"""Headers that a plan leaves out: they differ each time, or are secret."""


def whereabouts(name: str, options: BackendOptions, registry: Registry | None = None) -> Whereabouts:
    """Say where the requests of ``planned_requests`` would go, and as whom; empty if nowhere.

    Raises:
        UserError: the backend or an option is unknown.
    """
    return _plans(name, options, registry or Registry()).whereabouts(options)


def planned_requests(
    name: str,
    options: BackendOptions,
    calls: Callable[[Backend], object],
    registry: Registry | None = None,
) -> list[PlannedRequest]:
    """Give the requests that ``calls`` would send through the backend ``name``, in order.

    Raises:
        UserError: the backend or an option is unknown, or a call was refused.
        NotSupported: the backend cannot say what it would send without sending it.
    """
    return list(_plans(name, options, registry or Registry()).requests(options, calls))


def _plans(name: str, options: BackendOptions, registry: Registry) -> Plans:
    offer = registry.describe(name)
    if offer.plans is None:
        able = [it.name for it in registry.offers() if it.offered.plans is not None]
        raise NotSupported(
            f"the backend {name!r} cannot say what it would send without sending it",
            field="backend",
            hint=f"plans are made for {', '.join(able)}",
        )
    offer.check(name, options)
    return offer.plans()


def places_of(settings: AzureSettings, secrets_from: str) -> Whereabouts:
    """Say where a client with these settings sends requests; ``secrets_from`` has ``{}`` for a name."""
    return Whereabouts(
        endpoints={
            "resource manager": settings.resource_manager,
            "storage": settings.storage_url,
            "sign-in": settings.authority,
        },
        credentials={
            "subscription": settings.subscription_id,
            "tenant": settings.tenant_id,
            "client": settings.client_id,
            "client secret": secrets_from.format("CLIENT_SECRET"),
            "storage account": settings.storage_account,
            "storage key": secrets_from.format("STORAGE_KEY"),
        },
    )


def requests_of(
    settings: AzureSettings, headers: dict[str, str], name: str, calls: Callable[[Backend], object]
) -> list[PlannedRequest]:
    """Give what ``calls`` would send with the client of ``backends.azure``; nothing is sent."""
    from batchai_scenario.backends.azure.backend import AzureBackend

    adapter = RecordingAdapter(settings)
    backend = AzureBackend(
        settings,
        name=name,
        cluster_headers=headers,
        adapter=adapter,
        credential=_NoSignIn(),
        connections=1,
        pause=lambda _seconds: None,
    )
    try:
        calls(backend)
    finally:
        backend.close()
    return adapter.requests


class _NoSignIn:
    """A credential whose token nobody checks."""

    def get_token(self, *_scopes: str, **_: Any) -> AccessToken:  # noqa: ANN401 - the interface's own
        return AccessToken("none", int(time()) + 3600)


class RecordingAdapter(BaseAdapter):
    """Carries requests nowhere: writes each down, without its secrets, and answers as ``Answers`` says."""

    def __init__(self, settings: AzureSettings) -> None:
        super().__init__()
        self.requests: list[PlannedRequest] = []
        self._settings = settings
        self._answers = Answers(settings.storage_url)
        self._lock = threading.Lock()

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:  # noqa: ANN401
        """Write a request down and answer it."""
        method, url = str(request.method), str(request.url)
        body = _json(request.body)
        with self._lock:
            shown = None if body is None else _without_secrets(body, self._settings)
            headers = {
                str(key).lower(): _text(value)
                for key, value in request.headers.items()
                if str(key).lower() not in UNSEEN and (body is None or str(key).lower() != "content-length")
            }
            self.requests.append(PlannedRequest(method, url, shown, headers))
            answer = self._answers.to(method, url, body)
        return _response(request, answer)

    def close(self) -> None:
        """Let go of nothing."""


def _response(request: PreparedRequest, answer: PlannedAnswer) -> Response:
    response = Response()
    response.status_code = answer.status
    response.headers.update(answer.headers)
    response.raw = io.BytesIO(answer.content)
    response.url = str(request.url)
    response.request = request
    response.reason = ""
    return response


def _json(body: Any) -> dict[str, Any] | None:  # noqa: ANN401 - whatever requests sends
    """Read a JSON object; None for anything else (the bytes of a file)."""
    try:
        parsed = json.loads(body) if body else None
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _without_secrets(body: dict[str, Any], settings: AzureSettings) -> dict[str, Any]:
    """Put names in the place of secrets, wherever a body may hold one."""
    ours = {settings.storage_key: "$STORAGE_KEY", settings.client_secret: "$CLIENT_SECRET"}
    names = {"$STORAGE_KEY": "<storage key>", "$CLIENT_SECRET": "<client secret>"}
    found: dict[str, Any] = _replaced(redacted(_replaced(body, ours)), names)
    return found


def _replaced(value: Any, texts: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {name: _replaced(inner, texts) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(item, texts) for item in value]
    if isinstance(value, str):
        for old, new in texts.items():
            value = value.replace(old, new) if old else value
    return value
