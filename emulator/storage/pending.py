"""Copies that take their time, because somebody wants to see them ``pending``, or to abort them.

They are done at once otherwise. The target of a copy that takes its time is zeros until it is complete; one
that is aborted leaves an empty file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STATUS, ID = "x-ms-copy-status", "x-ms-copy-id"
_DESCRIPTION = "x-ms-copy-status-description"


@dataclass(slots=True)
class PendingCopy:
    """A copy that is not complete: where its content waits, and what completes it."""

    draft: str
    timer: asyncio.TimerHandle


class Copies:
    """The copies that are under way; used on one event loop. ``seconds``: how long each takes."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self._waiting: dict[str, PendingCopy] = {}

    def begin(self, copy_id: str, draft: str, complete: Callable[[], None]) -> None:
        """Let a copy take its time; its draft is removed afterwards, if it is still there."""

        def end() -> None:
            try:
                complete()
            finally:
                self._drop(copy_id)

        timer = asyncio.get_running_loop().call_later(self.seconds, end)
        self._waiting[copy_id] = PendingCopy(draft, timer)

    def is_pending(self, copy_id: str) -> bool:
        """Tell whether a copy is under way."""
        return copy_id in self._waiting

    def abort(self, copy_id: str) -> None:
        """End a copy that is under way."""
        self._waiting[copy_id].timer.cancel()
        self._drop(copy_id)

    def told(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Give the headers about a copy as they are now: one that the emulator's end broke off has failed."""
        if headers.get(STATUS) != "pending" or self.is_pending(headers[ID]):
            return dict(headers)
        return {**headers, STATUS: "failed", _DESCRIPTION: "The emulator ended before the copy did."}

    def _drop(self, copy_id: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._waiting.pop(copy_id).draft)  # noqa: PTH108 - a plain string
