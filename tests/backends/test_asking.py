"""Questions to an emulator that ends just then, or is another program altogether."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest

from batchai_scenario.backends.errors import MachineError
from batchai_scenario.backends.local.asking import health

if TYPE_CHECKING:
    from collections.abc import Iterator


class Says(BaseHTTPRequestHandler):
    """Answers as it is told, one answer after the other; the last one stays."""

    answers: ClassVar[list[tuple[int, bytes]]]

    def do_GET(self) -> None:
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[tuple[str, type[Says]]]:
    """A server of this machine, and what it says."""

    class Told(Says):
        answers: ClassVar = [(200, b'{"engine": "process"}')]

    server = HTTPServer(("127.0.0.1", 0), Told)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Told
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_emulator_that_ends_just_then_is_waited_for(address: tuple[str, type[Says]]) -> None:
    url, told = address
    told.answers = [(503, b"ending"), (200, b"half an ans"), (200, b'{"engine": "docker"}')]
    waited: list[float] = []
    assert health(url, pause=waited.append) == {"engine": "docker"}
    assert len(waited) == 2


def test_one_that_does_not_answer_is_told(address: tuple[str, type[Says]]) -> None:
    url, told = address
    told.answers = [(500, b"")]
    with pytest.raises(MachineError, match=f"the emulator at {url} does not answer") as caught:
        health(url, seconds=0.2)
    assert "scenario emulator" in caught.value.remedy
    with pytest.raises(MachineError, match="does not answer"):
        health("http://127.0.0.1:9", seconds=0.2)


def test_no_proxy_of_the_environment_stands_between(
    address: tuple[str, type[Says]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert health(address[0], seconds=2)["engine"] == "process"
