"""Docker's client on a Unix socket, without its leak: it forgets a socket that finds no engine, open."""

from __future__ import annotations

import socket
from typing import Any

from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        """Connect, or close the socket that could not."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self.unix_socket)
        except BaseException:
            sock.close()
            raise
        self.sock = sock


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:  # noqa: ANN401 - urllib3 wants a type that Docker's own is not
        timeout: Any = self.timeout
        return _Connection(self.base_url, self.socket_path, timeout)


class Adapter(UnixHTTPAdapter):
    """Docker's own, with connections that close what they opened."""

    def get_connection(self, url: Any, proxies: Any = None) -> _Pool:  # noqa: ANN401, ARG002 - its signature
        """Give the pool of connections for the engine."""
        with self.pools.lock:
            pool = self.pools.get(url)
            if pool is None:
                pool = self.pools[url] = _Pool(url, self.socket_path, self.timeout, self.max_pool_size)
            return pool
