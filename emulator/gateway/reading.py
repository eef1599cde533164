"""Reading a request: its host, its query, its body."""

from __future__ import annotations

import ipaddress
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from batchai_scenario.emulator.arm.bodies import invalid_content
from batchai_scenario.emulator.clouds import place_of
from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope

_HOST = re.compile(r"(?:[A-Za-z0-9._~-]{1,253}|\[(?P<six>[0-9A-Fa-f:.]{2,45})\])(?::(?P<port>\d{0,5}))?")
_LAST_PORT = 65535

MAX_BODY = 4 * 1024 * 1024
"""Bytes in the body of a management request: the resource manager's own limit."""


def headers_of(scope: Scope) -> dict[str, str]:
    """Read the headers, names in lower case; of repeated ones the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def query_of(scope: Scope) -> dict[str, str]:
    """Read the query; names in lower case, as the service does not mind their case."""
    text = scope["query_string"].decode("latin-1")
    return {name.lower(): value for name, value in parse_qsl(text, keep_blank_values=True)}


def base_url_of(scope: Scope, headers: Mapping[str, str]) -> str:
    """Give scheme and host as the client used them: what absolute URLs in answers are built from."""
    host = headers.get("host") or "{}:{}".format(*(scope.get("server") or ("127.0.0.1", 0)))
    scheme = scope["scheme"]
    return f"{scheme}://{host.removesuffix(':443') if scheme == 'https' else host}"


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@lru_cache(maxsize=512)
def is_host(host: str) -> bool:
    """Tell whether a ``Host`` header can be one: a name or an address, and maybe a port."""
    found = _HOST.fullmatch(host)
    if found is None or int(found["port"] or 0) > _LAST_PORT:
        return False
    try:
        return found["six"] is None or bool(ipaddress.IPv6Address(found["six"]))
    except ValueError:
        return False


@lru_cache(maxsize=512)
def is_own_host(host: str) -> bool:
    """Tell whether a ``Host`` header names us.

    A page in a browser can make a name of its own point to this machine and so reach a server on
    loopback. Addresses, ``localhost``, names without a dot and Azure's own names cannot be had that way.
    """
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.strip("[]").rstrip(".").lower()
    if "." not in name or name.endswith((".localhost", ".internal")):
        return True
    if place_of(name) is not None:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def read_body(receive: Receive, limit: int = MAX_BODY) -> bytes:
    """Read a body into memory.

    Raises:
        ServiceError: 413 as soon as it is longer than ``limit``.
        ConnectionError: if the client went away.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client went away")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            text = f"The request is larger than the {limit} bytes that are allowed."
            raise ServiceError(413, "RequestEntityTooLarge", text, headers={"Connection": "close"})
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def check_media_type(written: str, data: bytes) -> None:
    """Refuse a body that says to be something else than JSON (415); one that says nothing is read."""
    kind = written.partition(";")[0].strip().lower()
    if data.strip() and kind not in ("", "application/json", "text/json"):
        text = f"The content media type '{kind}' is not supported. Only 'application/json' is supported."
        raise ServiceError(415, "UnsupportedMediaType", text, "content-type")


def parse_json(data: bytes) -> dict[str, Any] | None:
    """Read a body as a JSON object; None if it is empty. ServiceError 400 if it is something else."""
    if not data.strip():
        return None
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        text = str(error) if isinstance(error, json.JSONDecodeError) else "it is no JSON"
        raise invalid_content(text) from None
    if not isinstance(value, dict):
        raise invalid_content("a JSON object is expected")
    return value


def _no_constant(text: str) -> float:
    raise ValueError(text)
