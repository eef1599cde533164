"""The emulator's own door, ``/.emulator/``: health, stop, preempt."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import NothingToTake, ServiceError
from batchai_scenario.emulator.gateway.rendering import send_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Send

    from batchai_scenario.emulator.gateway.head import RequestHead


class OwnDoor:
    """Answers about the emulator itself.

    ``health`` gives the body of the health answer; ``stop`` is called to stop the emulator, ``preempt`` with
    a cluster and a node; both need ``stop_key``.
    """

    def __init__(
        self,
        *,
        health: Callable[[], Mapping[str, Any]],
        stop_key: str,
        stop: Callable[[], None],
        preempt: Callable[[str, str], str],
    ) -> None:
        self._health = health
        self._stop_key = stop_key
        self._stop = stop
        self._preempt = preempt

    async def answer(self, asked: RequestHead, query: Mapping[str, str], send: Send) -> None:
        """Answer what is asked below ``/.emulator/``."""
        if asked.rest == "health" and asked.method in ("GET", "HEAD"):
            await send_json(send, 200, self._health())
            return
        if asked.rest not in ("stop", "preempt") or asked.method != "POST":
            text = "Here are GET /.emulator/health, POST /.emulator/stop and POST /.emulator/preempt."
            raise ServiceError(404, "NotFound", text)
        given = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._stop_key.encode()):
            text = f"POST /.emulator/{asked.rest} needs the stopKey of the emulator's address file."
            raise ServiceError(403, "AuthorizationFailed", text)
        if asked.rest == "preempt":
            await self._take_node(query, send)
            return
        await send_json(send, 202, {"status": "stopping"})
        self._stop()

    async def _take_node(self, query: Mapping[str, str], send: Send) -> None:
        """Take a low-priority node away, as the service could at any moment."""
        from anyio import to_thread

        try:
            taken = await to_thread.run_sync(self._preempt, query.get("cluster", ""), query.get("node", ""))
        except NothingToTake as error:
            raise ServiceError(409, "NothingToTake", str(error)) from error
        await send_json(send, 200, {"node": taken})
