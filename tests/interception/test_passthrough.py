"""What the proxy lets through to other hosts, and that stopping ends it with everything else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from tests.interception.test_proxy import MANAGEMENT, SUBSCRIPTIONS, ask

if TYPE_CHECKING:
    from tests.interception.conftest import Intercepting


class Echo:
    """A server that is not ours: sends back what it gets, until the other side has nothing more."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        sock, _ = self._listener.accept()
        with sock:
            data = b""
            while part := sock.recv(65536):
                data += part
            sock.sendall(data)

    def close(self) -> None:
        self._thread.join(20)
        self._listener.close()


def test_what_is_let_through_arrives_as_it_was_sent(intercepting: Intercepting) -> None:
    echo = Echo()
    data = bytes(range(256)) * (16 * 1024)
    with socket.create_connection(("127.0.0.1", intercepting.address.passthrough_port), 20) as sock:
        sock.sendall(f"CONNECT localhost:{echo.port} HTTP/1.1\r\n\r\nfirst".encode())
        assert sock.recv(100) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)  # one side ends, the other still speaks
        parts = []
        while part := sock.recv(65536):
            parts.append(part)
    echo.close()
    assert b"".join(parts) == b"first" + data


def test_a_host_that_is_not_there_is_a_bad_gateway(intercepting: Intercepting) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for target in (f"localhost:{port}", "no-such-host.invalid:443"):
        said = intercepting.raw(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode(), passthrough=True)
        assert said.startswith(b"HTTP/1.1 502 ")


def test_the_way_through_still_ends_at_us_for_azure(intercepting: Intercepting) -> None:
    connection = intercepting.connect(MANAGEMENT, passthrough=True)
    assert ask(connection, "GET", SUBSCRIPTIONS)[0] == 401
    connection.close()


def test_stopping_ends_every_connection(tmp_path: Any) -> None:
    from batchai_scenario.emulator.gateway.authority import Authority
    from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings
    from batchai_scenario.emulator.state.clock import SystemClock
    from batchai_scenario.emulator.state.home import Home
    from tests.interception.conftest import Intercepting

    server = EmulatorServer(EmulatorSettings(home=tmp_path, engine="process", development_credentials=True))
    address = server.start()
    own = Intercepting(address, tmp_path, Authority(Home(tmp_path), SystemClock()).certificate())
    echo = Echo()
    inside = own.connect(MANAGEMENT)
    inside.connect()
    waiting = socket.create_connection(("127.0.0.1", address.proxy_port), 20)
    shaking = socket.create_connection(("127.0.0.1", address.proxy_port), 20)
    shaking.sendall(b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n")
    assert shaking.recv(100)
    through = socket.create_connection(("127.0.0.1", address.passthrough_port), 20)
    through.sendall(f"CONNECT localhost:{echo.port} HTTP/1.1\r\n\r\n".encode())
    assert through.recv(100)
    began = time.monotonic()
    server.close()
    assert time.monotonic() - began < 10
    for sock in (waiting, shaking, through):
        with sock, contextlib.suppress(ConnectionResetError):
            assert sock.recv(100) == b""
    inside.close()
    echo.close()
