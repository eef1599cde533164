"""Azure Files beside its peers: Azurite (blobs, npm), moto's server (S3, PyPI) and a floor, in one run.

    python benchmarks/files.py --install --peers /tmp/peers     # once: needs npm and the package index
    python benchmarks/files.py --peers /tmp/peers

Each does the same with requests that are signed as it demands (moto checks no signature): a GET of 1 KiB on
one connection and on 64 at once, a PUT of 1 KiB, 100 MiB up in steps of 4 MiB and down, from Files at once,
from the others in the objects that the steps made. Peers that are not installed are left out. Beside the
100 MiB stands a plain copy: the same steps into a file, and their MD5, in one process.

The floor is the same web server as ours with twenty lines behind it, which check and keep nothing but the
bytes: what it reaches is what this program, or wrk, can measure here.

All take turns, and the medians of the turns are told. The figures of one run may be compared with each other;
look at the load average before you believe them. CPU is that of the server, so it minds a busy machine least.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common import load
from benchmarks.peers import LARGE, MIB, SMALL, STEP, Peer, install, peers

CONNECTIONS = 64


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
        self.send(request)
        return self.receive(request)

    def send(self, request: bytes) -> None:
        """Send a request; ``receive`` reads the answer."""
        if self._closed:
            self._socket.close()
            self._socket = self._open()
        self._socket.sendall(request)

    def receive(self, request: bytes) -> int:
        """Read the answer to a request away; gives the bytes of its body."""
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

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _more(self) -> bytes:
        data = self._socket.recv(MIB)
        if not data:
            raise ConnectionError("the server hung up")
        return data


def measure(peer: Peer, rounds: int) -> dict[str, float]:
    """Measure one peer, which runs: requests a second, seconds, bytes a second, MiB of memory."""
    with subprocess.Popen(peer.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wire = _connect(peer.port)
            peer.prepare(wire.ask)
            get, put = peer.get("small"), peer.put("small", SMALL, 0)
            for request in (get, put):
                for _ in range(200):
                    wire.ask(request)
            result: dict[str, float] = {}
            for title, request, count in (("GET", get, rounds), ("PUT", put, rounds // 2)):
                begun, used = time.perf_counter(), _cpu(process.pid)
                times = [_seconds(wire, request) for _ in range(count)]
                result[f"{title} 1 KiB, /s"] = count / (time.perf_counter() - begun)
                result[f"{title} 1 KiB p50, ms"] = statistics.median(times) * 1000
                result[f"{title} 1 KiB, ms of CPU"] = (_cpu(process.pid) - used) / count * 1000
            result[f"GET 1 KiB on {CONNECTIONS} connections, /s"] = _crowd(peer, get, rounds)
            result |= _with_wrk(peer, get)
            wire = _connect(peer.port)  # no server keeps an idle connection for ever
            before = _peak(process.pid)
            result |= _large(peer, wire)
            result["extra memory, MiB"] = (_peak(process.pid) - before) / 1024
            return result
        finally:
            process.terminate()


def _crowd(peer: Peer, request: bytes, rounds: int) -> float:
    """Ask on many connections at once; gives the requests a second of all together."""
    wires = [_connect(peer.port) for _ in range(CONNECTIONS)]
    for wire in wires:
        wire.ask(request)
    turns = max(rounds // CONNECTIONS, 1)
    begun = time.perf_counter()
    for _ in range(turns):
        for wire in wires:
            wire.send(request)
        for wire in wires:
            wire.receive(request)
    took = time.perf_counter() - begun
    for wire in wires:
        wire.close()
    return turns * CONNECTIONS / took


def copy_plainly(folder: Path) -> dict[str, float]:
    """Write what the peers are sent into a file, and take its MD5; and read it again."""
    step, place = bytes(STEP), folder / "plain"
    begun = time.perf_counter()
    with place.open("wb", buffering=0) as file:
        for _ in range(0, LARGE, STEP):
            hashlib.md5(step, usedforsecurity=False).digest()
            file.write(step)
    up = time.perf_counter() - begun
    begun = time.perf_counter()
    with place.open("rb", buffering=0) as file:
        while file.read(MIB):
            pass
    return {
        "100 MiB up, MB/s": LARGE / up / 1e6,
        "100 MiB down, MB/s": LARGE / (time.perf_counter() - begun) / 1e6,
    }


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


def _peak(pid: int) -> int:
    """Give the most memory that a process and its children ever held, in KiB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    status = Path(f"/proc/{pid}/status").read_text()
    own = int(status.partition("VmHWM:")[2].split()[0])
    return own + sum(_peak(int(child)) for child in children)


def _cpu(pid: int) -> float:
    """Give the seconds of CPU that a process and its children have used."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(_cpu(int(child)) for child in children)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peers", type=Path, default=Path(tempfile.gettempdir()) / "scenario-peers")
    parser.add_argument("--install", action="store_true", help="install the peers first, and do no more")
    parser.add_argument("--rounds", type=int, default=4000, help="GETs; half as many PUTs")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", action="store_true", dest="as_json")
    chosen = parser.parse_args()
    if chosen.install:
        install(chosen.peers)
        return
    loads = [load()]
    turns: dict[str, list[dict[str, float]]] = {}
    for _ in range(chosen.turns):
        with tempfile.TemporaryDirectory() as work:
            for peer in peers(chosen.peers, Path(work)):
                turns.setdefault(peer.name, []).append(measure(peer, chosen.rounds))
            turns.setdefault("plain copy, with its MD5", []).append(copy_plainly(Path(work)))
        loads.append(load())
    results = {name: _medians(measured) for name, measured in turns.items()}
    if chosen.as_json:
        print(json.dumps({"load": loads, "results": results}, indent=2))
        return
    print("\n".join(loads))
    ours = next(iter(results.values()))
    for title, own in ours.items():
        print(title)
        for name, result in results.items():
            value = result.get(title)
            if value is not None:
                ratio = "" if result is ours or not value else f"   ours is {own / value:.2f} of it"
                print(f"  {name:28} {value:10.2f}{ratio}")


def _medians(measured: list[dict[str, float]]) -> dict[str, float]:
    return {title: statistics.median(turn[title] for turn in measured) for title in measured[0]}


if __name__ == "__main__":
    main()
