"""Conditions on parameters: ``epochs >= 40``, ``epochs >= 2 and nodes == 1``."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

from batchai_scenario.scenarios.report.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.scenarios.definition.parameters import Value

_COMPARISON = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|==|!=|<|>)\s*(\S.*?)\s*")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}


def holds(condition: str, values: Mapping[str, Value]) -> bool:
    """Tell whether all comparisons of a condition hold; ValueError if it cannot be read."""
    met = [_compare(part, values) for part in re.split(r"\band\b", condition)]  # all are read
    return all(met)


def problem_of(condition: str, values: Mapping[str, Value]) -> str:
    """Say why a condition cannot be read; empty if it can."""
    try:
        holds(condition, values)
    except ValueError as error:
        return str(error)
    return ""


def _compare(text: str, values: Mapping[str, Value]) -> bool:
    match = _COMPARISON.fullmatch(text)
    if match is None:
        raise ValueError(f"{text.strip()!r} is no comparison; write e.g. epochs >= 40")
    name, comparison, literal = match.groups()
    if name not in values:
        raise ValueError(f"there is no parameter {name!r} ({did_you_mean(name, values)})")
    left = values[name]
    right: Value
    if isinstance(left, bool):
        right = literal.strip("'\"").lower() == "true"
    elif isinstance(left, (int, float)):
        try:
            right = float(literal)
        except ValueError:
            raise ValueError(f"{literal!r} is not a number, and {name} is one") from None
    else:
        right = literal.strip("'\"")
    return _OPERATORS[comparison](left, right)
