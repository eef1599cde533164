"""Bytes of files for the page: whole, from an offset, and never as anything that a browser would run."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

BLOCK = 1 << 20
"""Bytes that are read at once."""

_IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
}

SEALED = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""Headers of what a job or a person wrote: shown as a picture or saved, never a page of this origin."""


def file_answer(request: Request, fd: int, path: str) -> Response:
    """Answer with a file's bytes from ``offset`` on, at most ``length``; ``fd`` is closed afterwards.

    ``X-File-Size`` is the size of the whole. Less comes if a job makes the file shorter meanwhile.

    Raises:
        ServiceError: 400 for an offset or length that is no number.
    """
    try:
        offset, length = number_of(request, "offset", 0), number_of(request, "length", -1)
    except ServiceError:
        os.close(fd)
        raise
    status = os.fstat(fd)
    left = max(0, status.st_size - offset)
    wanted = left if length < 0 else min(left, length)
    name = PurePosixPath(path).name
    headers = {
        **SEALED,
        "X-File-Size": str(status.st_size),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
    }
    kind = _IMAGES.get(PurePosixPath(name.lower()).suffix, "application/octet-stream")
    if request.method == "HEAD":
        os.close(fd)
        return Response(headers=headers, media_type=kind)
    return StreamingResponse(_blocks(fd, offset, wanted), headers=headers, media_type=kind)


def _blocks(fd: int, offset: int, left: int) -> Iterator[bytes]:
    """Read blocks; runs in worker threads."""
    try:
        while left > 0:
            block = os.pread(fd, min(BLOCK, left), offset)
            if not block:
                return
            yield block
            offset, left = offset + len(block), left - len(block)
    finally:
        os.close(fd)


def number_of(request: Request, name: str, default: int) -> int:
    """Read a parameter that is a whole number, zero or more; ServiceError 400."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004 - what 64 bits hold
        raise ServiceError(400, "InvalidParameter", f"'{text[:100]}' is no whole number.", name)
    return int(text)


def text_of(request: Request, name: str) -> str:
    """Read a parameter that must be there; ServiceError 400."""
    value = request.query_params.get(name, "")
    if not value:
        raise ServiceError(400, "MissingParameter", f"The parameter '{name}' is required.", name)
    return value
