"""The checks: plain functions of a ``World``, each named after the rule that it proves.

``b4_2_ends_once`` proves rule B4.2. A check raises ``BrokenRuleError`` if the backend breaks its rule, and
``UnprobedError`` if it needs a look past the backend that the bench neither offers nor declares absent: that
fails its rule. A check looks at nothing but
its own rule, so that a backend that breaks one rule fails there and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from batchai_scenario.backends.testing.rules import RULES, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.backends.testing.world import World

__all__ = ["CHECKS", "Check"]

_MODULES = (
    *("opening", "shares", "jobs", "outputs", "ends"),
    *("views", "refusals", "powers", "roles", "clusters"),
)
_NAME = re.compile(r"([a-z]\d*)_(\d+)_(\w+)")


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its name, the rule that it proves, and the function."""

    name: str
    rule: Rule
    run: Callable[[World], None]


def _collected() -> dict[str, Check]:
    found = []
    for module in _MODULES:
        for name, run in vars(import_module(f"{__name__}.{module}")).items():
            match = _NAME.fullmatch(name)
            if match:
                found.append(Check(name, RULES[f"{match[1].upper()}.{match[2]}"], run))
    order = list(RULES)
    return {check.name: check for check in sorted(found, key=lambda check: order.index(check.rule.number))}


CHECKS = _collected()
"""Every check by its name, in the order of the rules."""
