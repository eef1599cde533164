"""Who imports whom: no two files import each other in a circle, not even for their types."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import batchai_scenario

ROOMS = ("backends", "emulator", "scenarios", "schema")
PACKAGE = Path(batchai_scenario.__file__).parent


def module_of(file: Path) -> str:
    """Name a file's module; a package is its ``__init__``."""
    name = ".".join(["batchai_scenario", *file.relative_to(PACKAGE).with_suffix("").parts])
    return name.removesuffix(".__init__")


def imported(tree: ast.AST, known: set[str]) -> set[str]:
    """Give the modules of ours that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in known else node.module for name in whole}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & known


def test_no_files_import_each_other_in_a_circle() -> None:
    files = {module_of(file): file for room in ROOMS for file in (PACKAGE / room).rglob("*.py")}
    assert len(files) > 100
    graph = {
        name: imported(ast.parse(file.read_text(encoding="utf-8")), set(files)) - {name}
        for name, file in files.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise AssertionError(f"these import each other: {circle}") from None
