"""``/ui/...``: the page for a person's browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.emulator.gateway.reading import is_own_host

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from batchai_scenario.emulator.gateway.head import RequestHead
    from batchai_scenario.emulator.lazy import Lazy


class WebPage(Protocol):
    """Takes everything under ``/ui``."""

    async def answer(self, request: Request, path: str) -> Response:
        """Answer; ``path`` is what follows ``/ui/``."""
        ...


class BrowserDoor:
    """Hands requests to the page, which is made when the first one comes."""

    def __init__(self, page: Lazy[WebPage]) -> None:
        self._page = page

    async def answer(self, asked: RequestHead, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; names of others that lead here are refused, wherever the emulator listens."""
        from starlette.requests import Request

        if not asked.host or not is_own_host(asked.host):
            text = "The page answers to addresses of this machine only."
            raise ServiceError(421, "MisdirectedRequest", text)
        page = await self._page.wait()
        response = await page.answer(Request(scope, receive), asked.rest)
        await response(scope, receive, send)
