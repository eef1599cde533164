"""Patterns that find numbers in logs: regular expressions, with ``{number}`` for a number in any spelling."""

from __future__ import annotations

import re

NUMBER = r"([-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|(?i:nan|inf(?:inity)?)\b))"
"""A number as programs print it: 3, -0.25, 1.5e-05, also nan and inf, which then are no finite number."""


def metric_expression(pattern: str) -> re.Pattern[str]:
    """Read a metric's pattern; ``{number}`` is a group that matches a number.

    Raises:
        re.error: it is no regular expression.
    """
    return re.compile(pattern.replace("{number}", NUMBER))
