"""Text that comes in blocks of bytes, as lines: in linear time, and in memory no more than a piece of one."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST = 1_000_000
"""Characters of a line in one piece; a longer line comes in several."""

OVERLAP = 10_000
"""Characters that two pieces of one line share, so that whatever is shorter stands whole in one of them."""


class Piece(NamedTuple):
    """A line without its end, or a part of a very long one; ``first`` and ``last`` tell which part."""

    text: str
    first: bool = True
    last: bool = True


def pieces(blocks: Iterable[bytes], longest: int = LONGEST, overlap: int = OVERLAP) -> Iterator[Piece]:
    """Give the lines; what is no UTF-8 is replaced. A piece that is not the first begins with an overlap."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest, first = "", True
    for block in blocks:
        *whole, tail = decoder.decode(block).split("\n")
        for line in whole:
            yield Piece((rest + line).rstrip("\r"), first)
            rest, first = "", True
        rest += tail
        if len(rest) > longest:
            yield Piece(rest, first, last=False)
            rest, first = rest[-overlap:], False
    rest += decoder.decode(b"", final=True)
    if rest:
        yield Piece(rest.rstrip("\r"), first)
