"""What a request asks for, apart from its body."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from batchai_scenario.emulator.gateway.peers import Peer
from batchai_scenario.emulator.gateway.reading import base_url_of, headers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope


class RequestHead:
    """What a request asks for, apart from its body.

    ``raw_path`` is not decoded and has no query; ``first`` is its first component, ``rest`` what follows;
    ``host`` is empty without that header, and no name of a host if it stands there twice; ``port`` is the one
    that was connected to. ``peer``: whose program asks, as far as it is told.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.method: str = scope["method"]
        self.port: int = (scope.get("server") or ("", 0))[1]
        self.raw_path: str = scope["raw_path"].decode("latin-1").partition("?")[0]
        self.first, _, self.rest = self.raw_path.removeprefix("/").partition("/")
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        self.host: str = b",".join(hosts).decode("latin-1")
        self.peer: Peer = scope.get("peer", Peer.UNTOLD)

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Give the headers, names in lower case."""
        return headers_of(self._scope)

    @property
    def base_url(self) -> str:
        """Give scheme and host as the client used them."""
        return base_url_of(self._scope, self.headers)
