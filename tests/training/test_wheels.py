"""Wheels over a network that breaks off, and onto a disk that is full."""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from training.support.events import RequirementError
from training.support.wheels import Wheel, fetch, find_pip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.training.conftest import Heard

COUNTED = """
import runpy, sys
with open({log!r}, "a") as log:
    print(*sys.argv[1:], file=log)
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__")
"""


def _made(name: str) -> bytes:
    """Make a wheel that does not shrink when it is packed."""
    noise = b"".join(hashlib.sha256(f"{name}{number}".encode()).digest() for number in range(10_000))
    files = {
        f"{name}/__init__.py": b"noise = '" + base64.b64encode(noise) + b"'\n",
        f"{name}-1.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n".encode(),
        f"{name}-1.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{name}-1.dist-info/RECORD": b"",
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return made.getvalue()


@contextmanager
def _index(files: dict[str, bytes], cut: set[str]) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Serve a package index that breaks off in the middle of some files, once each.

    Gives its address, and what is asked for: (file, first byte).
    """
    asked: list[tuple[str, int]] = []

    class Index(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.strip("/").rpartition("/")[2]
            if name in files:
                self._give(name)
                return
            link = f'<a href="/files/{name}-1-py3-none-any.whl">{name}-1-py3-none-any.whl</a>'.encode()
            self._answer(200, len(link), {"Content-Type": "text/html"})
            self.wfile.write(link)

        def _give(self, name: str) -> None:
            content = files[name]
            first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
            asked.append((name, first))
            more = {"ETag": f'"{name}"', "Accept-Ranges": "bytes"}
            if first:
                more["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            self._answer(206 if first else 200, len(content) - first, more)
            breaks = name in cut
            cut.discard(name)
            self.wfile.write(content[first : len(content) // 2 if breaks else None])

        def _answer(self, status: int, length: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(length), "Connection": "close", **headers}.items():
                self.send_header(key, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def only_index(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Have pip ask the index that a test names, and nothing else."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return monkeypatch


def test_a_wheel_that_breaks_off_is_taken_up_and_pip_is_asked_once(
    tmp_path: Path, heard: Heard, only_index: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pip")
    files = {f"{name}-1-py3-none-any.whl": _made(name) for name in ("aa", "bb")}
    wheels: list[Wheel] = [
        {
            "name": file[:2],
            "version": "1",
            "file": file,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for file, content in files.items()
    ]
    counted = tmp_path / "counted.py"
    counted.write_text(COUNTED.format(log=str(tmp_path / "log")))
    (first, second), size = files, wheels[0]["size"]
    with _index(files, {first}) as (address, asked):
        only_index.setenv("PIP_INDEX_URL", address)
        paths = fetch(wheels, tmp_path / "wheels", heard, [sys.executable, str(counted)])
    assert [path.read_bytes() for path in paths] == list(files.values())
    assert sorted(path.name for path in (tmp_path / "wheels").iterdir()) == [first, second]
    called = (tmp_path / "log").read_text().splitlines()
    assert called.pop(0).endswith("--help")
    resumes = len(called) == len(wheels)  # an earlier pip is called again, and begins the file again
    assert asked == [(first, 0), (first, size // 2 if resumes else 0), (second, 0)]
    assert resumes == find_pip().resumes
    assert len(called) == len(asked) - resumes


@pytest.mark.parametrize("said", ["[Errno 28] No space left on device", "[Errno 122] Disk quota exceeded"])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, heard: Heard, said: str) -> None:
    pip = tmp_path / "pip"
    pip.write_text(
        f'#!/bin/sh\n[ "$2" != --help ] || exit 0\necho "ERROR: Could not install packages: {said}"\nexit 1\n'
    )
    pip.chmod(0o755)
    wheel: Wheel = {"name": "x", "version": "1", "file": "x-1-py3-none-any.whl", "size": 4, "sha256": ""}
    with pytest.raises(RequirementError, match="could not be fetched") as caught:
        fetch([wheel], tmp_path / "wheels", heard, [str(pip)])
    assert f"make room in {tmp_path / 'wheels'} and " in caught.value.remedy
    assert list((tmp_path / "wheels").iterdir()) == []
