"""Answers as the resource manager's front end sends them: standard headers, JSON, errors."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from starlette.types import Send

    from batchai_scenario.emulator.errors import ServiceError
    from batchai_scenario.emulator.gateway.head import RequestHead

Headers = list[tuple[bytes, bytes]]

_JSON = b"application/json; charset=utf-8"
_STANDARD: Headers = [
    (b"cache-control", b"no-cache"),
    (b"pragma", b"no-cache"),
    (b"expires", b"-1"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
]
_REMAINING = {"reads": b"11999", "writes": b"1199", "deletes": b"14999"}
_COUNTED = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}
_DELETES_SINCE = "2018-05-01"
"""The API version from which on deletes were counted apart from writes (recorded traffic)."""

_READING = ("/listoutputfiles", "/listremotelogininformation")
"""Actions that were not counted (recorded traffic)."""

_GATEWAY = {"x-ms-failure-cause": "gateway"}


def arm_headers(asked: RequestHead, version: str, now: datetime, answered: Mapping[str, str]) -> Headers:
    """Make the headers that stand on every management answer (recorded traffic).

    Nothing is throttled: the remaining counts never move. What the front end says itself (``answered`` has
    its header) has no ``request-id``: no provider was asked.
    """
    request_id = str(uuid.uuid4())
    correlation = asked.headers.get("x-ms-correlation-request-id", request_id)
    headers = [
        *_STANDARD,
        (b"x-ms-request-id", request_id.encode()),
        (b"x-ms-correlation-request-id", correlation.encode("latin-1", "replace")),
        (b"x-ms-routing-request-id", f"LOCAL:{now:%Y%m%dT%H%M%SZ}:{request_id}".encode()),
        *_remaining(asked, version),
    ]
    if not _GATEWAY.items() <= answered.items():
        headers.append((b"request-id", request_id.encode()))
    client = asked.headers.get("x-ms-client-request-id")
    if client and asked.headers.get("x-ms-return-client-request-id", "").lower() == "true":
        headers.append((b"x-ms-client-request-id", client.encode("latin-1", "replace")))
    return headers


def _remaining(asked: RequestHead, version: str) -> Headers:
    """Tell how many requests of this kind the subscription has left."""
    if asked.method == "POST" and asked.raw_path.lower().rstrip("/").endswith(_READING):
        return []
    kind = _COUNTED.get(asked.method, "writes")
    if kind == "deletes" and version < _DELETES_SINCE:
        kind = "writes"
    return [(f"x-ms-ratelimit-remaining-subscription-{kind}".encode(), _REMAINING[kind])]


def json_body(body: Mapping[str, Any] | Sequence[Any] | None) -> tuple[bytes, Headers]:
    """Write a JSON body and the headers that describe it; None is an empty body without a type."""
    if body is None:
        return b"", [(b"content-length", b"0")]
    data = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    return data, [(b"content-type", _JSON), (b"content-length", str(len(data)).encode())]


def error_body(code: str, message: str, target: str = "") -> dict[str, Any]:
    """Write an error in the resource manager's shape; ``target`` names the offending property."""
    error = {"code": code, "message": message}
    if target:
        error["target"] = target
    return {"error": error}


def service_error_body(error: ServiceError) -> dict[str, Any]:
    """Write a ServiceError in the resource manager's shape."""
    body = error_body(error.code, error.message, error.target)
    if error.errors:
        body["error"]["details"] = [service_error_body(inner)["error"] for inner in error.errors]
    return body


def encoded(headers: Mapping[str, str]) -> Headers:
    """Encode headers for the wire."""
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in headers.items()
    ]


async def send_json(
    send: Send, status: int, body: Mapping[str, Any] | Sequence[Any], headers: Mapping[str, str] | None = None
) -> None:
    """Send an answer of JSON."""
    data, described = json_body(body)
    await send_bytes(send, status, [*described, *encoded(headers or {})], data)


async def send_bytes(send: Send, status: int, headers: list[tuple[bytes, bytes]], data: bytes) -> None:
    """Send an answer whole."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
