"""Every operation of the three published descriptions: what answers is tested by asking for each.

``python -m batchai_scenario.emulator.batchai.served`` prints the page ``docs/operations.md``; a test holds
the two together.
"""

from __future__ import annotations

from batchai_scenario.emulator.batchai.versions.registry import delivered
from batchai_scenario.emulator.batchai.versions.rows import GROUP, SUBSCRIPTION

_HEAD = """# Batch AI: operations

Made by `python -m batchai_scenario.emulator.batchai.served > docs/operations.md`: do not edit.
Names are those of the published descriptions. A row that is not *served* says with what error it is refused.
Each is tested. What a body may say is told in [front.md](front.md) and [api-versions.md](api-versions.md).
The operations of Azure Files have a page of their own, [files-operations.md](files-operations.md).

`P` is `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.BatchAI`, and
`S` is `/subscriptions/{subscriptionId}/providers/Microsoft.BatchAI`.
"""


def page() -> str:
    """Write the page: a count and a table for each API version."""
    lines = [_HEAD]
    for version, wire in delivered().items():
        rows = wire.OPERATIONS
        served = sum(not row.refused for row in rows)
        lines += [f"## {version}", "", f"{served} of {len(rows)} operations are served.", ""]
        lines += ["| operation | request | |", "|---|---|---|"]
        for row in sorted(rows, key=lambda row: row.name):
            path = row.path.replace(GROUP, "P").replace(SUBSCRIPTION, "S")
            lines.append(f"| {row.name} | `{row.method} {path}` | {row.refused or 'served'} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - a page for a file
