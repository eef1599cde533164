"""Drives the asynchronous clients of azure-storage-file-share as if they were the others."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    import pytest
    from azure.core.exceptions import HttpResponseError


class Driven:
    """An object whose coroutines are run, and whose asynchronous iterators are read, where they are used."""

    def __init__(self, loop: asyncio.AbstractEventLoop, inner: Any) -> None:
        self._loop = loop
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return self._driven(getattr(self._inner, name))

    def __getitem__(self, name: str) -> Any:
        return self._inner[name]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._loop.run_until_complete(_collect(self._inner)))

    def _driven(self, value: Any) -> Any:
        if inspect.isawaitable(value):
            return self._driven(self._loop.run_until_complete(_wait(value)))
        if callable(value) and not isinstance(value, type):
            return lambda *args, **options: self._driven(
                value(*map(_plain, args), **{name: _plain(option) for name, option in options.items()})
            )
        if hasattr(value, "__aiter__") or type(value).__module__.startswith("azure.storage.fileshare.aio"):
            return Driven(self._loop, value)
        return value


def _plain(value: Any) -> Any:
    return value._inner if isinstance(value, Driven) else value


async def _wait(value: Any) -> Any:
    return await value


async def _collect(value: Any) -> list[Any]:
    return [item async for item in value]


def error_code(refused: pytest.ExceptionInfo[HttpResponseError]) -> str:
    """Give the code of the error with which a client refused."""
    code = refused.value.error_code  # type: ignore[attr-defined]
    return str(getattr(code, "value", code))
