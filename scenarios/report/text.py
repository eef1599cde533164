"""Text for people: sizes, times, and other programs' output made harmless for a terminal."""

from __future__ import annotations

import difflib
import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC and the other strings: titles, links, clipboard
    r"|[ -/]*[0-~]?)"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?"
)
LONGEST_LINE = 4000
"""Characters of one log line that are shown; the file itself holds all of it."""


def clean(text: str) -> str:
    """Take out what could move the cursor, change colours, reorder or forge text on a terminal.

    Only what follows the last carriage return stays, as on a terminal (progress bars). Tabs stay.
    """
    text = _ESCAPES.sub("", text.rstrip("\r\n").rpartition("\r")[2])
    text = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}... ({len(text)} characters)"


def is_utf8(text: str) -> bool:
    """Tell whether a text can be written as UTF-8: arguments and file names may hold bytes that cannot."""
    return text.isprintable() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def printable(path: object) -> str:
    """Write a path of this machine so that it can stand in any text: bytes that are no UTF-8 are escaped."""
    return os.fsencode(str(path)).decode("utf-8", "backslashreplace")


def size(count: float) -> str:
    """Write a number of bytes: ``12 B``, ``3.4 kB``, ``128 MB``."""
    unit = "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 999.5 or unit == "TB":  # noqa: PLR2004 - the next unit starts at 1000
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.1f} {unit}"  # noqa: PLR2004


def duration(seconds: float) -> str:
    """Write a time span: ``0.21 s``, ``4.2 s``, ``1 min 5 s``, ``2 h 3 min``."""
    if seconds < 9.95:  # noqa: PLR2004 - below ten seconds tenths matter
        return f"{seconds:.2f} s" if seconds < 0.995 else f"{seconds:.1f} s"  # noqa: PLR2004
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def parse_duration(text: str) -> timedelta:
    """Read ``90``, ``90s``, ``30m``, ``1h30m``, ``30d``; ValueError for anything else, and for zero."""
    match = _DURATION.fullmatch(text.strip().replace(" ", ""))
    if not text.strip() or match is None:
        raise ValueError(f"{text!r} is no time span; write e.g. 90s, 30m, 1h30m or 30d")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not span:
        raise ValueError("a time span must be longer than nothing")
    return span


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give ``did you mean X? known: A, B`` for a word that is not among the known ones."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, 1)
    listed = f"known: {', '.join(names)}" if names else "there are none"
    return f"did you mean {close[0]!r}? {listed}" if close else listed
