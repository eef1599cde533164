"""Short answers: their headers stand there from the start, with names in the case that was given."""

from __future__ import annotations

from functools import lru_cache

from starlette.responses import Response


class ShortAnswer(Response):
    """A short answer: like Starlette's, but its headers stand there from the start."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code = status
        self.raw_headers = headers
        self.body = body
        self.background = None


class Spelled(bytes):
    """The name of a header that keeps its case: uvicorn sends all names in what ``lower`` makes of them."""

    __slots__ = ()

    def lower(self) -> Spelled:
        """Give itself."""
        return self


@lru_cache(maxsize=512)
def header_name(name: str) -> bytes:
    """Give the name of a header as it is sent."""
    encoded = name.encode("latin-1")
    return encoded if encoded.islower() else Spelled(encoded)
