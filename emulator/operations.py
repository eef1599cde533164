"""The table of operations: every operation of the published descriptions, served or refused.

``python -m emulator.operations`` prints the page ``docs/operations.md``; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_HEAD = """# Operations

Made by `python -m emulator.operations > docs/operations.md`: do not edit. Names are those of the published
descriptions of each API. *Served* is what answers as the service did; *refused* answers with an error that
names what is refused. Both are tested. What a served operation may be asked for, and what it refuses in a
body, is told in [front.md](front.md), [api-versions.md](api-versions.md) and [storage.md](storage.md).
"""


@dataclass(frozen=True, slots=True)
class Row:
    """An operation: ``path`` as in the description; ``refused`` says with what error, empty: it is served."""

    name: str
    method: str
    path: str
    refused: str = ""


def page(sections: Iterable[tuple[str, Sequence[Row]]]) -> str:
    """Write the page: a heading, a count and a table for each (title, rows)."""
    lines = [_HEAD]
    for title, rows in sections:
        served = sum(not row.refused for row in rows)
        lines += [f"## {title}", "", f"{served} of {len(rows)} operations are served.", ""]
        lines += ["| operation | request | |", "|---|---|---|"]
        lines += [
            f"| {row.name} | `{row.method} {row.path}` | {row.refused or 'served'} |"
            for row in sorted(rows, key=lambda row: row.name)
        ]
        lines.append("")
    return "\n".join(lines)


def sections() -> list[tuple[str, Sequence[Row]]]:
    """Collect the rows of every API, titled."""
    from emulator.batchai.served import ROWS

    return [(f"Microsoft.BatchAI, {version}", rows) for version, rows in ROWS.items()]


if __name__ == "__main__":
    print(page(sections()), end="")  # noqa: T201 - a page for a file
