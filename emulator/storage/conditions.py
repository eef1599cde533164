"""Conditional headers of operations on files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchai_scenario.emulator.storage.errors import bad_header, failure
from batchai_scenario.emulator.storage.times import parse_http_date

if TYPE_CHECKING:
    from datetime import datetime

    from batchai_scenario.emulator.storage.call import Call

_NAMES = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
_OF_CACHES = ("if-none-match", "if-modified-since")


def check_conditions(call: Call, tag: str, changed: int) -> None:
    """Check the conditional headers of a request.

    Args:
        call: The request.
        tag: The file's ETag, with quotes.
        changed: When the file last changed, in ns since 1970.

    Raises:
        StorageError: ConditionNotMet: 412, or 304 for a read whose file has not changed; InvalidHeaderValue.
    """
    if not any(name in call.headers for name in _NAMES):
        return
    seconds = changed // 1_000_000_000
    wanted = call.headers.get("if-match")
    since = _date(call, "if-unmodified-since")
    if wanted is not None:
        if not _matches(wanted, tag):
            raise failure("ConditionNotMet")
    elif since is not None and seconds > since.timestamp():
        raise failure("ConditionNotMet")
    unwanted = call.headers.get("if-none-match")
    after = _date(call, "if-modified-since")
    if unwanted is not None:
        unchanged = _matches(unwanted, tag)
    else:
        unchanged = after is not None and seconds <= after.timestamp()
    if unchanged:
        error = failure("ConditionNotMet")
        if call.method in ("GET", "HEAD"):
            error.status = 304
        raise error


def refuse_conditions(call: Call) -> None:
    """Refuse the conditional headers of a request whose operation looks at none.

    A read may be answered whole whatever a cache knows already, as HTTP has it.

    Raises:
        StorageError: ConditionHeadersNotSupported (400), by the header's name.
    """
    reads = call.method in ("GET", "HEAD")
    for name in _NAMES:
        if name in call.headers and not (reads and name in _OF_CACHES):
            raise failure("ConditionHeadersNotSupported", HeaderName=name)


def check_source_conditions(call: Call, tag: str, changed: int) -> None:
    """Check the conditions that a copy sets on its source (``x-ms-source-if-*``).

    Raises:
        StorageError: SourceConditionNotMet (412), InvalidHeaderValue.
    """
    seconds = changed // 1_000_000_000
    wanted, unwanted = (call.headers.get(f"x-ms-source-if-{word}") for word in ("match", "none-match"))
    before = _date(call, "x-ms-source-if-unmodified-since")
    after = _date(call, "x-ms-source-if-modified-since")
    if (
        (wanted is not None and not _matches(wanted, tag))
        or (unwanted is not None and _matches(unwanted, tag))
        or (before is not None and seconds > before.timestamp())
        or (after is not None and seconds <= after.timestamp())
    ):
        raise failure("SourceConditionNotMet")


def _matches(text: str, tag: str) -> bool:
    return text == "*" or tag.strip('"') in [word.strip().strip('"') for word in text.split(",")]


def _date(call: Call, name: str) -> datetime | None:
    text = call.headers.get(name)
    if text is None:
        return None
    value = parse_http_date(text)
    if value is None:
        raise bad_header(name, text)
    return value
