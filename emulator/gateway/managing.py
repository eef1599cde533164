"""The resource manager's door: checks tokens, reads bodies, holds polls of work that goes on for a moment."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.gateway.reading import check_media_type, parse_json, read_body
from batchai_scenario.emulator.gateway.rendering import arm_headers, encoded, json_body, send_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Send

    from batchai_scenario.emulator.arm.manager import ResourceManager
    from batchai_scenario.emulator.arm.messages import ArmResponse
    from batchai_scenario.emulator.gateway.head import RequestHead
    from batchai_scenario.emulator.identity.tokens import Tokens
    from batchai_scenario.emulator.lazy import Lazy
    from batchai_scenario.emulator.state.clock import Clock

_LOOK_SECONDS = 0.02
_LOOKS = 10


class ManagerDoor:
    """Hands requests to the resource manager, which is built when the first one comes."""

    def __init__(self, manager: Lazy[ResourceManager], tokens: Tokens, clock: Clock) -> None:
        self._manager = manager
        self._tokens = tokens
        self._clock = clock

    async def answer(
        self, asked: RequestHead, query: Mapping[str, str], receive: Receive, send: Send
    ) -> None:
        """Answer a request of the resource manager's."""
        self._tokens.check(asked.headers.get("authorization", ""), asked.base_url)
        await self._manager.wait()
        if asked.method in ("GET", "HEAD"):
            answer = await self._read(asked, query)
        else:
            # What changes something may wait for the disk or an engine: beside the event loop.
            from anyio import to_thread

            data = await read_body(receive)
            check_media_type(asked.headers.get("content-type", ""), data)
            body = parse_json(data)
            answer = await to_thread.run_sync(self._manage, asked, query, body)
        data, described = json_body(answer.body)
        if answer.status == HTTPStatus.NO_CONTENT:
            described = []  # HTTP allows it no length
        extra = arm_headers(asked, query.get("api-version", ""), self._clock.now(), answer.headers)
        headers = [*described, *encoded(answer.headers), *extra]
        await send_bytes(send, answer.status, headers, b"" if asked.method == "HEAD" else data)

    async def _read(self, asked: RequestHead, query: Mapping[str, str]) -> ArmResponse:
        """Answer a GET; a poll of work that goes on is held for a moment.

        With ``Retry-After: 0`` clients ask again at once: without this they would do nothing else. Those that
        are built on azure-core take 0 for no word at all, and would wait 30 s: they are told 1.
        """
        answer = self._manage(asked, query, None)
        looks = _LOOKS
        while looks and _goes_on(answer):
            await asyncio.sleep(_LOOK_SECONDS)
            answer = self._manage(asked, query, None)
            looks -= 1
        if _goes_on(answer) and asked.headers.get("user-agent", "").startswith("azsdk-"):
            answer = replace(answer, headers={**answer.headers, "Retry-After": "1"})
        return answer

    def _manage(
        self, asked: RequestHead, query: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> ArmResponse:
        return self._manager().handle(
            asked.method,
            asked.raw_path,
            query=query,
            headers=asked.headers,
            body=body,
            base_url=asked.base_url,
        )


def _goes_on(answer: ArmResponse) -> bool:
    """Tell whether an answer is a poll's that says: not yet, ask again at once."""
    if answer.headers.get("Retry-After") != "0":
        return False
    return answer.status == HTTPStatus.ACCEPTED or (answer.body or {}).get("status") == "InProgress"
