"""Faults of single requests, below the clients: what their retries are for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from batchai_scenario.backends.wrappers.faults import REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.backends.wrappers.faults import Rules

BUSY = (
    b'<?xml version="1.0" encoding="utf-8"?><Error><Code>ServerBusy</Code>'
    b"<Message>The server is busy.</Message></Error>"
)

LONGEST = 80
"""Characters of a path that are told."""


class FaultyAdapter(BaseAdapter):
    """Carries requests through another adapter, unless a rule strikes. Sign-in is let alone."""

    def __init__(self, inner: BaseAdapter, rules: Rules, tell: Callable[[str, str], None]) -> None:
        super().__init__()
        self._inner = inner
        self._rules = rules
        self._tell = tell

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:  # noqa: ANN401
        """Send a request, or fail as a rule says."""
        path = urlsplit(str(request.url)).path
        kind = "" if path.endswith("/token") else self._rules.strike(REQUEST)
        if not kind:
            return self._inner.send(request, *args, **more)
        what = f"{request.method} {path if len(path) <= LONGEST else '...' + path[-LONGEST:]}"
        if kind == "cut":
            arrived = self._rules.coin()
            self._tell(kind, f"{what}, {'its answer was lost' if arrived else 'it never arrived'}")
            if arrived:
                self._inner.send(request, *args, **more).close()
            raise requests.ConnectionError("the connection was cut (an injected fault)", request=request)
        files = "x-ms-version" in request.headers
        status = 503 if files and kind == "429" else int(kind)
        self._tell(kind, f"{what}, answer {status}")
        return _answer(request, status, files=files)

    def close(self) -> None:
        """Close the adapter inside."""
        self._inner.close()


def _answer(request: requests.PreparedRequest, status: int, *, files: bool) -> requests.Response:
    """Answer as the service does; after no time at all it may be tried again."""
    response = requests.Response()
    response.status_code = status
    response.reason = "injected fault"
    response.url = str(request.url)
    response.request = request
    content = BUSY if files else b'{"error":{"code":"InjectedFault","message":"This answer was injected."}}'
    response.headers["Content-Type"] = "application/xml" if files else "application/json"
    if files:
        response.headers["x-ms-error-code"] = "ServerBusy"
    response.headers["Content-Length"] = str(len(content))
    response.raw = io.BytesIO(content)
    return response
