"""A tiny MNIST, the mirrors that serve it, and a listener for events."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from training.datasets.mnist_digits import PIXELS, Digits, write_text
from training.datasets.mnist_sources import Part, Spec
from training.support.downloads import KnownFile
from training.support.events import Events

if TYPE_CHECKING:
    from collections.abc import Iterator


class Heard(Events):
    """Events that a test can look at."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        super().__init__(as_json=True, out=self.stream)

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def last(self) -> dict[str, Any]:
        return self.all()[-1]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@dataclass
class Tiny:
    """A data set of a few digits: its originals by name, its digits, and what is known of it."""

    originals: dict[str, bytes]
    digits: list[Digits]
    spec: Spec


def make_digits(count: int, seed: int) -> Digits:
    pixels = hashlib.shake_128(b"%d" % seed).digest(count * PIXELS)
    return Digits(pixels, bytes((seed + i) % 10 for i in range(count)))


def idx(digits: Digits) -> tuple[bytes, bytes]:
    count = len(digits.labels)
    images = struct.pack(">IIII", 0x803, count, 28, 28) + digits.images
    return images, struct.pack(">II", 0x801, count) + digits.labels


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    originals: dict[str, bytes] = {}
    parts, everything = [], []
    for stem, text, count in (("train", "Train.txt", 40), ("t10k", "Test.txt", 12)):
        digits = make_digits(count, len(stem))
        everything.append(digits)
        known = []
        for kind, raw in zip(("images-idx3", "labels-idx1"), idx(digits), strict=True):
            packed = gzip.compress(raw, mtime=0)
            name = f"{stem}-{kind}-ubyte.gz"
            originals[name] = packed
            known.append(KnownFile(name, len(packed), hashlib.sha256(packed).hexdigest()))
        out = io.BytesIO()
        digest = write_text(digits, out, lambda _: None)
        size = len(out.getvalue())
        parts.append(Part(count, known[0], known[1], text, digits.digest(), size, digest))
    return Tiny(originals, everything, Spec((parts[0], parts[1]), (), None))


@dataclass
class Mirror:
    """A server of files that notes what it is asked, and misbehaves on demand."""

    files: dict[str, bytes]
    requests: list[tuple[str, str]] = field(default_factory=list)
    cut_after: int = 0
    url: str = ""


@pytest.fixture
def mirror(tiny: Tiny) -> Iterator[Mirror]:
    state = Mirror(dict(tiny.originals))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, asked = self.path.strip("/"), self.headers.get("Range", "")
            state.requests.append((name, asked))
            data = state.files.get(name)
            if data is None:
                self.send_error(404)
                return
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start : start + state.cut_after] if state.cut_after else data[start:])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()
