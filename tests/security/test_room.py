"""Clients that keep us waiting are let go, and there is always room for jobs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from batchai_scenario.emulator.gateway.connections import ClientTimeouts, ConnectionPlaces, places
from batchai_scenario.emulator.gateway.protocol import HttpProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = ClientTimeouts(head=0.4, body=0.4, answer=0.5, idle=75, head_bytes=64 * 1024)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Read a body; answer with 64 MiB at ``/large``, in the end at ``/slow``."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
    if scope["path"] == "/slow":
        await asyncio.sleep(1.0)
    size = 64 * 1024 * 1024 if scope["path"] == "/large" else 2
    head = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-length", str(size).encode())],
    }
    await send(head)
    for _ in range(max(1, size // 65536)):
        await send({"type": "http.response.body", "body": b"x" * min(size, 65536), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def door() -> Iterator[tuple[str, int]]:
    """A server with little patience and four places."""
    kind = partial(HttpProtocol, patience=QUICK, room=ConnectionPlaces(4))
    server = uvicorn.Server(
        uvicorn.Config(application, http=kind, lifespan="off", ws="none", log_config=None)  # type: ignore[arg-type]
    )
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    yield listener.getsockname()
    server.should_exit = server.force_exit = True
    thread.join(10)
    listener.close()


@contextlib.contextmanager
def line(door: tuple[str, int], data: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(door, timeout=10) as made:
        made.sendall(data)
        yield made


def heard(made: socket.socket) -> bytes:
    """Read to the end; empty if it was closed without a word."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while more := made.recv(65536):
            found += more
    return found


def status(made: socket.socket) -> int:
    return int(made.recv(65536).split()[1])


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"G",
        b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
        b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n",
    ],
)
def test_half_a_request_is_answered_408(door: tuple[str, int], sent: bytes) -> None:
    begin = time.monotonic()
    with line(door, sent) as made:
        last = heard(made).split(b"HTTP/1.1 ")[-1]
    assert last.startswith(b"408"), last
    assert time.monotonic() - begin > 0.3


def test_a_connection_that_says_nothing_is_closed(door: tuple[str, int]) -> None:
    with line(door) as made:
        assert heard(made) == b""


def test_a_body_that_comes_slowly_is_taken(door: tuple[str, int]) -> None:
    with line(door, b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n") as made:
        for _ in range(6):
            time.sleep(0.2)  # of real time: the server's patience is what is looked at
            made.sendall(b"x")
        assert status(made) == 200


def test_an_answer_that_takes_its_time_is_waited_for(door: tuple[str, int]) -> None:
    with line(door, b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n") as made:
        assert status(made) == 200


def test_an_answer_that_nobody_takes_is_given_up(door: tuple[str, int]) -> None:
    with line(door, b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") as made:
        assert len(made.recv(1)) == 1
        time.sleep(2.5)
        assert len(heard(made)) < 64 * 1024 * 1024


def test_a_head_without_end_is_answered_431(door: tuple[str, int]) -> None:
    with line(door, b"GET / HTTP/1.1\r\nHost: a\r\n") as made:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            made.sendall(b"".join(b"X-%d: " % number + b"a" * 1000 + b"\r\n" for number in range(70)))
        assert status(made) == 431


def test_who_was_idle_longest_makes_room(door: tuple[str, int]) -> None:
    with contextlib.ExitStack() as held:
        first = held.enter_context(line(door))
        busy = held.enter_context(line(door, b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"))
        time.sleep(0.1)
        others = [held.enter_context(line(door)) for _ in range(2)]
        time.sleep(0.05)
        newest = held.enter_context(line(door, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        assert status(newest) == 200
        assert heard(first) == b""
        assert status(busy) == 200
        assert others


def test_without_anybody_idle_the_next_is_told_to_come_again(door: tuple[str, int]) -> None:
    with contextlib.ExitStack() as held:
        busy = [held.enter_context(line(door, b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")) for _ in range(4)]
        time.sleep(0.2)
        with line(door, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") as late:
            assert status(late) == 503
        assert [status(made) for made in busy] == [200] * 4


@pytest.mark.parametrize(("limit", "found"), [(64, 32), (256, 128), (1024, 768), (65536, 4096)])
def test_jobs_keep_their_share_of_descriptors(limit: int, found: int) -> None:
    assert places(limit) == found


def test_jobs_run_while_hundreds_of_connections_are_idle(tmp_path: Path, exercise_process: None) -> None:
    home = {**os.environ, "SCENARIO_HOME": str(tmp_path / "home")}
    scenario = [sys.executable, "-m", "batchai_scenario.scenarios"]
    few = " ".join(["ulimit -n 256; exec", *scenario, "emulator serve --engine process --json"])
    with subprocess.Popen(["sh", "-c", few], env=home, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            ready = json.loads(serving.stdout.readline())
            where = ready["url"].removeprefix("http://").split(":")
            with contextlib.ExitStack() as held:
                for _ in range(356):
                    held.enter_context(line((where[0], int(where[1]))))
                run = [*scenario, "run", "hello", "--backend", "local", "--json"]
                runs = [subprocess.Popen(run, env=home, stdout=subprocess.PIPE) for _ in range(3)]
                said = [one.communicate(timeout=120)[0] for one in runs]
                assert [one.returncode for one in runs] == [0, 0, 0], said
        finally:
            serving.send_signal(signal.SIGTERM)
            serving.wait(20)
