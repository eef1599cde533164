"""The file of expected failures: rules that a backend is known to break, each with the reason.

One line a rule, ``B5.14: the storage has no links``; empty lines and lines that begin with ``#`` count for
nothing. It is strict: a rule that stands there and is kept after all is a failure.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import UserError
from batchai_scenario.backends.testing.rules import RULES

if TYPE_CHECKING:
    from pathlib import Path


def read_expected(path: Path) -> dict[str, str]:
    """Read reasons by rule.

    Raises:
        UserError: the file cannot be read, a line is none of ours, or names a rule that does not exist.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", field=str(path)) from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        rule, _, reason = (part.strip() for part in line.partition(":"))
        where = f"{path}:{number}"
        if rule not in RULES:
            close = get_close_matches(rule, RULES, n=1)
            hint = f"did you mean {close[0]}?" if close else "the rules are listed in docs/backend-authors.md"
            raise UserError(f"there is no rule {rule!r}", field=where, hint=hint)
        if not reason:
            raise UserError(f"the rule {rule} has no reason", field=where, hint=f"write '{rule}: why'")
        if rule in found:
            raise UserError(f"the rule {rule} stands there twice", field=where)
        found[rule] = reason
    return found
