"""The servers that ``files.py`` compares: ours, its peers, and a floor below all of them."""

from __future__ import annotations

import base64
import hmac
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

from batchai_scenario.emulator.identity import development
from batchai_scenario.emulator.storage.sharedkey import string_to_sign

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MIB = 1024 * 1024
STEP = 4 * MIB
LARGE = 100 * MIB
SMALL = bytes(1024)
AZURITE = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
)
SMB = {
    "x-ms-file-attributes": "None",
    "x-ms-file-creation-time": "now",
    "x-ms-file-last-write-time": "now",
    "x-ms-file-permission": "Inherit",
}
SERVE = (
    "import sys, pathlib; from batchai_scenario.emulator.server import *; "
    "home, port = pathlib.Path(sys.argv[1]), int(sys.argv[2]); "
    "settings = EmulatorSettings(home=home, port=port, only='files', development_credentials=True); "
    "EmulatorServer(settings).serve_forever()"
)

FLOOR = """
import os, sys, uvicorn
async def app(scope, receive, send):
    path = os.path.join(sys.argv[1], scope["path"].replace("/", "_"))
    body = b""
    if scope["method"] == "PUT":
        with open(path, "wb", buffering=0) as file:
            more = True
            while more:
                message = await receive()
                file.write(message["body"])
                more = message["more_body"]
    else:
        with open(path, "rb", buffering=0) as file:
            body = file.read()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
os.makedirs(sys.argv[1])
options = {"log_level": "critical", "lifespan": "off", "ws": "none", "timeout_keep_alive": 60}
uvicorn.run(app, port=int(sys.argv[2]), **options)
"""


@dataclass
class Peer:
    """A server to measure: how it is started, and how a request to it is written."""

    name: str
    command: list[str]
    port: int
    account: tuple[str, str] | None = None
    blobs: bool = False

    def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
        """Write a request, signed if the peer has an account."""
        sent = {"host": f"127.0.0.1:{self.port}", "content-length": str(len(body)), **headers}
        if self.account is not None:
            name, key = self.account
            sent |= {"x-ms-version": "2019-02-02", "x-ms-date": formatdate(usegmt=True)}
            target = f"/{name}{target}"
            path, _, query = target.partition("?")
            pairs = dict(pair.split("=") for pair in query.split("&")) if query else {}
            text = string_to_sign(name, method, path, pairs, sent)
            signature = base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), "sha256")).decode()
            sent["authorization"] = f"SharedKey {name}:{signature}"
        else:
            # moto checks no signature, but lets nobody read without a name.
            sent["authorization"] = (
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                "SignedHeaders=host, Signature=none"
            )
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
        return "\r\n".join(lines).encode() + body

    def prepare(self, ask: Callable[[bytes], object]) -> None:
        """Make what holds the files; ``ask`` sends a request."""
        if self.blobs:
            ask(self.request("PUT", "/bench?restype=container", {}))
        elif self.account is not None:
            ask(self.request("PUT", "/bench?restype=share", {}))
            self.make(ask, "small", len(SMALL))
            self.make(ask, "large", LARGE)
        else:
            ask(self.request("PUT", "/bench", {}))
        ask(self.put("small", SMALL, 0))

    def make(self, ask: Callable[[bytes], object], name: str, size: int) -> None:
        """Make an empty file (Files alone needs that)."""
        headers = {"x-ms-type": "file", "x-ms-content-length": str(size), **SMB}
        ask(self.request("PUT", f"/bench/{name}", headers))

    def get(self, name: str) -> bytes:
        """Write a GET."""
        return self.request("GET", f"/bench/{name}", {})

    def put(self, name: str, body: bytes, offset: int) -> bytes:
        """Write a PUT; blobs and objects are put whole, under a name for each step."""
        if self.account is not None and not self.blobs:
            span = f"bytes={offset}-{offset + len(body) - 1}"
            headers = {"x-ms-write": "update", "x-ms-range": span}
            return self.request("PUT", f"/bench/{name}?comp=range", headers, body)
        kind = {"content-type": "application/octet-stream"}
        headers = {"x-ms-blob-type": "BlockBlob"} if self.blobs else kind
        return self.request("PUT", f"/bench/{name}", headers, body)


def peers(folder: Path, work: Path) -> list[Peer]:
    """List what can be measured."""
    ports = iter(_free_ports(4))
    ours = next(ports)
    found = [
        Peer(
            "scenario emulator (Files)",
            [sys.executable, "-c", SERVE, str(work / "home"), str(ours)],
            ours,
            (development.ACCOUNT, development.ACCOUNT_KEY),
        )
    ]
    azurite = folder / "node_modules" / ".bin" / "azurite-blob"
    if azurite.exists():
        port = next(ports)
        command = [str(azurite), "--blobPort", str(port), "--location", str(work / "azurite"), "--silent"]
        found.append(Peer("Azurite (blobs)", [*command, "--skipApiVersionCheck"], port, AZURITE, blobs=True))
    moto = folder / "moto" / "bin" / "moto_server"
    if moto.exists():
        port = next(ports)
        found.append(Peer("moto (S3)", [str(moto), "-H", "127.0.0.1", "-p", str(port)], port))
    port = next(ports)
    found.append(Peer("floor", [sys.executable, "-c", FLOOR, str(work / "floor"), str(port)], port))
    return found


def install(folder: Path) -> None:
    """Install the peers into a folder of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "azurite@3.35"], check=True
    )
    subprocess.run([sys.executable, "-m", "venv", str(folder / "moto")], check=True)
    subprocess.run([str(folder / "moto/bin/pip"), "install", "--quiet", "moto[server,s3]"], check=True)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [taken.getsockname()[1] for taken in sockets]
