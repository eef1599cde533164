"""What changes, as server-sent events: one stream for each page that somebody looks at."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from batchai_scenario.emulator.errors import ServiceError
from batchai_scenario.schema.layout import STDOUTERR

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from batchai_scenario.emulator.ui.board import Board
    from batchai_scenario.emulator.ui.jobs import Details

LOOK_SECONDS = 0.5
"""Seconds between two looks; nothing is looked at while no page is open."""

_ALIVE_LOOKS = 30
"""After so many looks without news a comment is sent, so that a connection that broke is noticed."""


async def events(instance: str, board: Board | None, details: Details | None, job: str) -> AsyncIterator[str]:
    """Give events as long as somebody listens.

    ``hello``: the emulator's instance, once. ``board``: what changed of clusters and jobs (``Board.since``).
    ``logs``: the files of ``stdouterr`` of ``job`` (an id; empty: none), when one of them grew.
    """
    yield _event("hello", {"instance": instance})
    revision, files, quiet = 0, None, 0
    while True:
        quiet += 1
        if board is not None:
            changed = await to_thread.run_sync(board.since, revision)
            if changed is not None:
                revision, quiet = changed["revision"], 0
                yield _event("board", changed)
        if job and details is not None:
            found = await to_thread.run_sync(_logs, details, job)
            if found != files:
                files, quiet = found, 0
                yield _event("logs", {"files": found})
        if quiet > _ALIVE_LOOKS:
            quiet = 0
            yield ": nothing new\n\n"
        await asyncio.sleep(LOOK_SECONDS)


def _logs(details: Details, job: str) -> list[dict[str, Any]]:
    try:
        return [entry for entry in details.files(job, STDOUTERR) if not entry["directory"]]
    except ServiceError:
        return []


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
