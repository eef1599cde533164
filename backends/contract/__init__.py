"""The contract suite: rules B1 to B10 of ``backends.base.Backend`` as plain functions.

``CHECKS`` holds every check by its name, which begins with its rule. A check takes a ``World`` and
raises ``BrokenRuleError`` if the backend breaks the rule; no test framework is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.contract import jobs, places
from backends.contract.world import PROGRAMS, BrokenRuleError, World

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CHECKS", "PROGRAMS", "BrokenRuleError", "World"]

CHECKS: dict[str, Callable[[World], None]] = {
    name: check
    for module in (places, jobs)
    for name, check in vars(module).items()
    if name.startswith("b") and name[1].isdigit()
}
"""Every check by its name."""
