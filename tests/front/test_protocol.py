"""How answers leave: in one piece if they are small, in order and whole always."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.server import ServerState

from batchai_scenario.emulator.gateway.protocol import HttpProtocol, JoiningTransport

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGE = bytes(70_000)


class Line(asyncio.Transport):
    """A transport that notes what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.calls.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.calls.append(b"".join(list_of_data))

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.calls

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 10000) if name == "peername" else default

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")


async def _turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_small_pieces_wait_for_the_loop_to_come_round_and_leave_together() -> None:
    async def run() -> list[bytes | str]:
        line = Line()
        joined = JoiningTransport(line, asyncio.get_running_loop())
        joined.write(b"head")
        joined.write(b"body")
        assert line.calls == []
        await _turn()
        joined.write(b"more")
        await _turn()
        return line.calls

    assert asyncio.run(run()) == [b"headbody", b"more"]


def test_large_pieces_leave_at_once_behind_what_waits() -> None:
    async def run() -> list[bytes | str]:
        line = Line()
        joined = JoiningTransport(line, asyncio.get_running_loop())
        joined.write(LARGE)
        joined.write(b"head")
        joined.write(LARGE)
        return line.calls

    assert asyncio.run(run()) == [LARGE, b"head" + LARGE]


def test_what_waits_leaves_before_the_end_and_is_dropped_when_cut() -> None:
    async def run() -> list[list[bytes | str]]:
        told = []
        for end in ("close", "abort"):
            line = Line()
            joined = JoiningTransport(line, asyncio.get_running_loop())
            joined.write(b"head")
            getattr(joined, end)()
            await _turn()
            told.append(line.calls)
        return told

    assert asyncio.run(run()) == [[b"head", "close"], ["abort"]]


def test_an_answer_leaves_with_one_call_and_a_body_arrives_uncopied() -> None:
    pieces: list[bytes] = []

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            pieces.append(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def run() -> list[bytes | str]:
        line = Line()
        config = uvicorn.Config(application, lifespan="off", log_config=None)
        config.load()
        protocol = HttpProtocol(config=config, server_state=ServerState(), app_state={})
        protocol.connection_made(line)
        protocol.data_received(b"PUT / HTTP/1.1\r\ncontent-length: 70004\r\n\r\nab")
        protocol.data_received(b"cd")
        await _turn()
        protocol.data_received(LARGE)
        await _turn()
        cast("asyncio.TimerHandle", protocol.timeout_keep_alive_task).cancel()
        return line.calls

    calls = asyncio.run(run())
    assert b"".join(pieces) == b"abcd" + LARGE
    answers = [call for call in calls if isinstance(call, bytes)]
    assert len(answers) == 1
    assert answers[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert answers[0].endswith(b"\r\n\r\nok")
