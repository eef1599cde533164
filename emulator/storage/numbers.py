"""Whole numbers of requests: however many digits they have."""

from __future__ import annotations

BEYOND = 2**64
"""What a number is read as that is larger: no size, offset or duration reaches it."""

_DIGITS = 20


def is_number(text: str) -> bool:
    """Tell whether a text is digits and nothing else."""
    return text.isascii() and text.isdecimal()


def read_number(text: str) -> int:
    """Read digits; Python itself refuses to read thousands of them."""
    digits = text.lstrip("0")
    return BEYOND if len(digits) > _DIGITS else min(int(digits or "0"), BEYOND)
