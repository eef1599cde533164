"""A disk that is full while an image is built: the remedy names the disk, and nothing half made is left."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import docker
import pytest

import training.images.debian.build as debian
from training.images.builder import _build
from training.images.rootfs import make_rootfs
from training.support.events import RequirementError
from training.support.room import no_room

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.training.conftest import Heard

FULL = "write /srv/engine/overlay2/x/usr/lib/libc.so: no space left on device"
MMDEBSTRAP = '#!/bin/sh\nfor last; do true; done\necho system > "$last"\n'


class FullEngine(BaseHTTPRequestHandler):
    """A Docker engine that has nothing, and whose disk is full once an image is imported."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        known = path.endswith("/info")
        self._answer(200 if known else 404, {"DockerRootDir": "/srv/engine"} if known else {"message": path})

    def do_POST(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(*self.server.told)  # type: ignore[attr-defined]

    def _answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_: object) -> None:
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, told: tuple[int, dict[str, str]]) -> None:
        self.asked: list[str] = []
        self.told = told
        super().__init__(path, FullEngine)


@contextmanager
def full_engine(path: Path, told: tuple[int, dict[str, str]]) -> Iterator[list[str]]:
    """Serve an engine on a socket that answers so what it is to do; gives what that was."""
    with Server(str(path), told) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.asked
        finally:
            server.shutdown()
            thread.join()


def _tools(folder: Path, script: str) -> str:
    """Put a stand-in for mmdebstrap into a folder, before what is there; gives PATH."""
    folder.mkdir()
    for name, text in (("mmdebstrap", script), ("apt-get", "#!/bin/sh\nexit 1\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


@pytest.mark.parametrize("told", [(500, {"message": FULL}), (200, {"error": FULL})], ids=["at once", "late"])
def test_an_engine_whose_disk_is_full(
    told: tuple[int, dict[str, str]], tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, socket = tmp_path / "scratch", tmp_path / "engine.sock"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setenv("PATH", _tools(tmp_path / "tools", MMDEBSTRAP))
    with full_engine(socket, told) as asked:
        engine = docker.DockerClient(base_url=f"unix://{socket}", version="1.41")
        try:
            with pytest.raises(RequirementError) as caught:
                _build(engine, debian.RECIPE, heard, registry=False)
        finally:
            engine.close()
    assert caught.value.message == f"the engine could not import the image: {FULL}"
    assert f"make room in /srv/engine and {scratch} " in caught.value.remedy
    assert [path.partition("?")[0] for path in asked] == ["/v1.41/images/create"]
    assert list(scratch.iterdir()) == []


def test_a_full_disk_under_the_system_that_is_made(
    tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = '#!/bin/sh\necho "E: cannot copy extracted data: No space left on device" >&2\nexit 25\n'
    monkeypatch.setenv("PATH", _tools(tmp_path / "tools", script))
    with pytest.raises(RequirementError, match="No space left on device") as caught:
        make_rootfs("bookworm", (), None, "", tmp_path / "out.tar", heard)
    assert f"make room in {tmp_path}" in caught.value.remedy
    assert not (tmp_path / "out.tar").exists()


def test_other_trouble_is_no_full_disk() -> None:
    assert no_room("E: no mirror answers", "/srv") == ""
