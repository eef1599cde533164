"""Times as Files writes them: HTTP dates, SMB times with seven decimals, and the times in a SAS."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST = -11_644_473_600
"""1601-01-01, where the times of SMB begin, in seconds since 1970."""

LAST = 253_402_300_799
"""The last second of the year 9999."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SAS_PATTERNS = {10: "%Y-%m-%d", 17: "%Y-%m-%dT%H:%MZ", 20: "%Y-%m-%dT%H:%M:%SZ"}
"""Patterns by length of the text; longer ones have a fraction of a second."""


def _cached(function: Callable[[str], datetime | None]) -> Callable[[str], datetime | None]:
    """Remember the last answers: clients send the same second and the same SAS again and again."""
    return lru_cache(maxsize=256)(function)


def moment(nanoseconds: int) -> datetime:
    """Give a file's time; one that the service could not write (a job sets any) is the nearest it could."""
    return datetime.fromtimestamp(min(max(nanoseconds / 1e9, FIRST), LAST), timezone.utc)


@lru_cache(maxsize=256)
def http_date(seconds: int) -> str:
    """Write whole seconds since 1970 as ``Fri, 21 Nov 2025 20:47:00 GMT``, as ``moment`` does."""
    value = datetime.fromtimestamp(min(max(seconds, FIRST), LAST), timezone.utc)
    return (
        f"{_DAYS[value.weekday()]}, {value.day:02} {_MONTHS[value.month - 1]} {value.year:04} "
        f"{value.hour:02}:{value.minute:02}:{value.second:02} GMT"
    )


@_cached
def parse_http_date(text: str) -> datetime | None:
    """Read ``Fri, 21 Nov 2025 20:47:00 GMT``; None if it is anything else."""
    words = text.replace(",", " ").split()
    try:
        _, day, month, year, clock, zone = words
        hour, minute, second = clock.split(":")
        if zone not in ("GMT", "UTC"):
            return None
        return datetime(
            int(year),
            _MONTHS.index(month) + 1,
            int(day),
            int(hour),
            int(minute),
            int(second),
            tzinfo=timezone.utc,
        )
    except ValueError:
        return None


@_cached
def parse_sas_time(text: str) -> datetime | None:
    """Read ``st`` or ``se`` of a SAS (ISO 8601, UTC, by day, minute or second); None if it is neither."""
    pattern = _SAS_PATTERNS.get(len(text), "%Y-%m-%dT%H:%M:%S.%fZ")
    if len(text) == len("2019-02-02T00:00:00.0000000Z"):
        text = text[:-2] + "Z"
    try:
        return datetime.strptime(text, pattern).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def sas_time(value: datetime) -> str:
    """Write a time as the service's own links do: whole seconds, ``Z``."""
    return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def snapshot_time(value: datetime) -> str:
    """Write when a snapshot was made: ``2019-05-17T23:41:28.0000000Z``, which is also its name."""
    return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def smb_time(nanoseconds: int) -> str:
    """Write nanoseconds since 1970 as ``2019-05-17T23:41:28.6060000Z`` (hundreds of nanoseconds)."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{_iso_seconds(seconds)}.{rest // 100:07}Z"


@lru_cache(maxsize=256)
def _iso_seconds(seconds: int) -> str:
    value = datetime.fromtimestamp(min(max(seconds, FIRST), LAST), timezone.utc)
    return value.strftime("%Y-%m-%dT%H:%M:%S")


def parse_smb_time(text: str) -> int | None:
    """Read an SMB time as nanoseconds since 1970; None if it is anything else.

    ``...:280Z`` is taken for ``...:28.0Z``: SDK 2.1.0 writes that when a time has no microseconds.
    """
    if not text.endswith("Z"):
        return None
    whole, _, fraction = text[:-1].partition(".")
    if not fraction and len(whole) == len("2019-05-17T23:41:280"):
        whole = whole[:-1]
    if fraction and not (fraction.isdecimal() and len(fraction) <= 9):  # noqa: PLR2004 - nanoseconds
        return None
    try:
        value = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return int(value.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0") or 0)
