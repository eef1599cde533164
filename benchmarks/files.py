"""Azure Files beside its peers: Azurite (blobs, npm) and moto's server (S3, PyPI), in one run.

    python benchmarks/files.py --install --peers /tmp/peers     # once: needs npm and the package index
    python benchmarks/files.py --peers /tmp/peers

Each does the same with requests that are signed as it demands (moto checks no signature): a GET of 1 KiB on
one connection, a PUT of 1 KiB, 100 MiB up in steps of 4 MiB and down, from Files at once, from the others in
the objects that the steps made. Peers that are not installed are left out. The figures of one run may be
compared with each other; look at the load average before you believe them.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common import load
from emulator.identity import development
from emulator.storage.sharedkey import string_to_sign

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    "import sys, pathlib; from emulator.server import *; "
    "home, port = pathlib.Path(sys.argv[1]), int(sys.argv[2]); "
    "EmulatorServer(EmulatorSettings(home=home, port=port, only='files')).serve_forever()"
)


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

    def prepare(self, wire: Wire) -> None:
        """Make what holds the files."""
        if self.blobs:
            wire.ask(self.request("PUT", "/bench?restype=container", {}))
        elif self.account is not None:
            wire.ask(self.request("PUT", "/bench?restype=share", {}))
            self.make(wire, "small", len(SMALL))
            self.make(wire, "large", LARGE)
        else:
            wire.ask(self.request("PUT", "/bench", {}))
        wire.ask(self.put("small", SMALL, 0))

    def make(self, wire: Wire, name: str, size: int) -> None:
        """Make an empty file (Files alone needs that)."""
        headers = {"x-ms-type": "file", "x-ms-content-length": str(size), **SMB}
        wire.ask(self.request("PUT", f"/bench/{name}", headers))

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


class Wire:
    """One connection that is kept, if the server keeps it (moto's does not)."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = self._open()
        self._closed = False

    def _open(self) -> socket.socket:
        opened = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def ask(self, request: bytes) -> int:
        """Send a request and read its answer away; gives the bytes of its body."""
        if self._closed:
            self._socket.close()
            self._socket = self._open()
        self._socket.sendall(request)
        data = self._socket.recv(MIB)
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        if int(head.split()[1]) >= 400:
            raise RuntimeError(f"{request.splitlines()[0]!r}: {data[:600]!r}")
        self._closed = b"connection: close" in head.lower()
        found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if found is None:
            while b"transfer-encoding: chunked" in head.lower() and not body.endswith(b"0\r\n\r\n"):
                body += self._more()
            return len(body)
        size, got = int(found.group(1)), len(body)
        while got < size:
            got += len(self._more())
        return got

    def _more(self) -> bytes:
        data = self._socket.recv(MIB)
        if not data:
            raise ConnectionError("the server hung up")
        return data


def peers(folder: Path, work: Path) -> list[Peer]:
    """List what can be measured."""
    ports = iter(_free_ports(3))
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
    return found


def measure(peer: Peer, rounds: int) -> dict[str, float]:
    """Measure one peer, which runs: requests a second, seconds, bytes a second, MiB of memory."""
    with subprocess.Popen(peer.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wire = _connect(peer.port)
            peer.prepare(wire)
            get, put = peer.get("small"), peer.put("small", SMALL, 0)
            for request in (get, put):
                for _ in range(200):
                    wire.ask(request)
            begun = time.perf_counter()
            gets = [_seconds(wire, get) for _ in range(rounds)]
            result = {"GET 1 KiB, /s": rounds / (time.perf_counter() - begun)}
            result["GET 1 KiB p50, ms"] = statistics.median(gets) * 1000
            result |= _with_wrk(peer, get)
            puts = [_seconds(wire, put) for _ in range(rounds // 2)]
            result["PUT 1 KiB p50, ms"] = statistics.median(puts) * 1000
            before = _peak(process.pid)
            result |= _large(peer, wire)
            result["extra memory, MiB"] = (_peak(process.pid) - before) / 1024
            return result
        finally:
            process.terminate()


def _seconds(wire: Wire, request: bytes) -> float:
    start = time.perf_counter()
    wire.ask(request)
    return time.perf_counter() - start


def _large(peer: Peer, wire: Wire) -> dict[str, float]:
    step = bytes(STEP)
    is_files = peer.account is not None and not peer.blobs
    names = {offset: "large" if is_files else f"large-{offset}" for offset in range(0, LARGE, STEP)}
    up = down = 0.0
    for offset, name in names.items():
        up += _seconds(wire, peer.put(name, step, offset))
    for name in dict.fromkeys(names.values()):
        down += _seconds(wire, peer.get(name))
    return {"100 MiB up, MB/s": LARGE / up / 1e6, "100 MiB down, MB/s": LARGE / down / 1e6}


def _with_wrk(peer: Peer, request: bytes) -> dict[str, float]:
    """Measure GETs with wrk, which takes less of the machine than this program does; nothing without it."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return {}
    head = request.decode().split("\r\n")
    options = [word for line in head[1:] if line for word in ("-H", line)]
    url = f"http://127.0.0.1:{peer.port}{head[0].split()[1]}"
    done = subprocess.run(
        [wrk, "-t1", "-c1", "-d5s", *options, url], capture_output=True, text=True, check=True
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        return {}  # moto does not take what wrk sends
    return {"GET 1 KiB with wrk, /s": float(found.group(1))}


def _connect(port: int) -> Wire:
    deadline = time.monotonic() + 60
    while True:
        with suppress(ConnectionError):
            return Wire(port)
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing listens on port {port}")
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [taken.getsockname()[1] for taken in sockets]


def _peak(pid: int) -> int:
    """Give the most memory that a process and its children ever held, in KiB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    status = Path(f"/proc/{pid}/status").read_text()
    own = int(status.partition("VmHWM:")[2].split()[0])
    return own + sum(_peak(int(child)) for child in children)


def install(folder: Path) -> None:
    """Install the peers into a folder of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "azurite@3.35"], check=True
    )
    subprocess.run([sys.executable, "-m", "venv", str(folder / "moto")], check=True)
    subprocess.run([str(folder / "moto/bin/pip"), "install", "--quiet", "moto[server,s3]"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peers", type=Path, default=Path(tempfile.gettempdir()) / "scenario-peers")
    parser.add_argument("--install", action="store_true", help="install the peers first, and do no more")
    parser.add_argument("--rounds", type=int, default=4000, help="GETs; half as many PUTs")
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    if chosen.install:
        install(chosen.peers)
        return
    before = load()
    with tempfile.TemporaryDirectory() as work:
        results = {peer.name: measure(peer, chosen.rounds) for peer in peers(chosen.peers, Path(work))}
    if chosen.as_json:
        print(json.dumps({"load": [before, load()], "results": results}, indent=2))
        return
    print(f"before: {before}\nafter:  {load()}")
    ours = next(iter(results.values()))
    for title, own in ours.items():
        print(title)
        for name, result in results.items():
            value = result.get(title)
            if value is not None:
                ratio = "" if result is ours or not value else f"   ours is {own / value:.2f} of it"
                print(f"  {name:28} {value:10.2f}{ratio}")


if __name__ == "__main__":
    main()
