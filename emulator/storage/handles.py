"""Handles: files that SMB clients hold open. Nobody speaks SMB to an emulated share, so there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage import tree
from batchai_scenario.emulator.storage.call import XML, document
from batchai_scenario.emulator.storage.errors import failure

if TYPE_CHECKING:
    from starlette.responses import Response

    from batchai_scenario.emulator.storage.call import Call
    from batchai_scenario.emulator.storage.context import Context


async def list_handles(context: Context, call: Call) -> Response:
    """List the handles of a file or directory that exists: none."""
    _check_exists(context, call)
    body = document("<EnumerationResults><Entries /><NextMarker /></EnumerationResults>")
    return call.answer(200, {}, body, content_type=XML)


async def force_close_handles(context: Context, call: Call) -> Response:
    """Close the handles of a file or directory that exists: none had to be."""
    _check_exists(context, call)
    call.require("x-ms-handle-id")
    return call.answer(200, {"x-ms-number-of-handles-closed": "0", "x-ms-number-of-handles-failed": "0"})


def _check_exists(context: Context, call: Call) -> None:
    root = context.root(call)
    try:
        with tree.find(root, call.parts):
            return
    except (FileNotFoundError, NotADirectoryError):
        raise failure("ResourceNotFound") from None
