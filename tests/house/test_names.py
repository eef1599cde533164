"""What things are called: each name of a class or type means one thing inside the product."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import batchai_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(batchai_scenario.__file__).parent
ROOMS = (
    "backends",
    "emulator",
    "scenarios",
    "schema",
    "training/toolkits",
    "training/support",
    "training/images",
)


def names_in(tree: ast.Module) -> Iterator[str]:
    """Give the names of a file's classes and of its types with names; variables of one letter are none."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in [node.target] if isinstance(node, ast.AnnAssign) else targets:
            if (
                isinstance(target, ast.Name)
                and target.id.strip("_")[:1].isupper()
                and not target.id.isupper()
            ):
                yield target.id


def test_no_two_things_share_a_name() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for room in ROOMS:
        for file in (PACKAGE / room).rglob("*.py"):
            for name in names_in(ast.parse(file.read_text(encoding="utf-8"))):
                found[name].append(str(file.relative_to(PACKAGE)))
    assert len(found) > 300
    assert {name: files for name, files in found.items() if len(files) > 1} == {}
