"""What the tests of interception share: an emulator with its proxies, and a client that speaks to these."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchai_scenario.backends import local
from batchai_scenario.emulator.gateway.authority import Authority
from batchai_scenario.emulator.server import Address, EmulatorServer, EmulatorSettings
from batchai_scenario.emulator.state.clock import SystemClock
from batchai_scenario.emulator.state.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROGRAMS = Path(__file__).with_name("programs")
ROOT = Path(__file__).parents[2]


@dataclass
class Intercepting:
    """An emulator that serves, as a program behind its proxy sees it."""

    address: Address
    home: Path
    certificate: Path

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def connect(
        self, host: str, *, port: int = 443, passthrough: bool = False, context: ssl.SSLContext | None = None
    ) -> http.client.HTTPSConnection:
        """Open a connection to a host through the proxy; nothing is sent before it is used."""
        proxy = self.address.passthrough_port if passthrough else self.address.proxy_port
        connection = http.client.HTTPSConnection(
            "127.0.0.1", proxy, timeout=20, context=context or self.context()
        )
        connection.set_tunnel(host, port)
        return connection

    def raw(self, data: bytes, *, passthrough: bool = False) -> bytes:
        """Send bytes to the proxy and read until it closes."""
        proxy = self.address.passthrough_port if passthrough else self.address.proxy_port
        with socket.create_connection(("127.0.0.1", proxy), 20) as sock:
            sock.sendall(data)
            parts = []
            while part := sock.recv(65536):
                parts.append(part)
        return b"".join(parts)

    def log(self) -> str:
        """Read the emulator's own log."""
        file = self.home / "emulator" / "emulator.log"
        return file.read_text() if file.exists() else ""


@pytest.fixture(scope="module")
def intercepting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intercepting]:
    home = tmp_path_factory.mktemp("home")
    with EmulatorServer(EmulatorSettings(home=home, engine="process", development_credentials=True)):
        certificate = Authority(Home(home), SystemClock()).certificate()
        yield Intercepting(local.found_address(home), home, certificate)


@dataclass
class Command:
    """Runs the command line in processes of its own, with one home folder."""

    home: Path

    def variables(self, **more: str) -> dict[str, str]:
        steering = ("SCENARIO_", "AZURE_", "MSI_", "IDENTITY_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
        return {**inherited, "SCENARIO_HOME": str(self.home), "PYTHONPATH": str(ROOT / "src"), **more}

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        environment: Mapping[str, str] = options.pop("env", {})
        return subprocess.Popen(
            [sys.executable, "-m", "batchai_scenario.scenarios", "emulator", *arguments],
            env=self.variables(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def __call__(self, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None) -> str:
        """Run it to its end; gives what it wrote, standard error last."""
        process = self.start(*arguments, env=env or {})
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{process.returncode}\n{out}\n{err}"
        return out + err


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """The command line with an empty home; its emulator is stopped at the end."""
    found = Command(tmp_path / "home")
    yield found
    found("stop")
