"""What can go wrong with a request on its way: throttling, failures, lost connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

from tests.parity.azure_wire import FILES, error_xml, refused

if TYPE_CHECKING:
    from collections.abc import Callable


def _files(request: requests.PreparedRequest) -> bool:
    return str(request.url).startswith(FILES) and "sig=" not in str(request.url)


def _busy(_: requests.PreparedRequest) -> Any:
    return error_xml(503, "ServerBusy")


TROUBLES: dict[str, Callable[[requests.PreparedRequest], Any]] = {
    "429": lambda it: _busy(it) if _files(it) else refused(429, "TooManyRequests", **{"Retry-After": "0"}),
    "500": lambda it: error_xml(500, "InternalError") if _files(it) else refused(500, "InternalServerError"),
    "504": lambda it: _busy(it) if _files(it) else refused(504, "GatewayTimeout"),
    "502 of a proxy": lambda _: (502, {"Content-Type": "text/html"}, b"<html>Bad Gateway</html>"),
    "no connection": lambda _: requests.ConnectionError("refused"),
    "answer lost": lambda _: "lost",
    "no answer in time": lambda _: requests.ReadTimeout("slow"),
}
"""What ``azure_wire.Wire`` does in place of an answer, by name."""
