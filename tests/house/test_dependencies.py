"""What is imported is declared, and what is declared is imported."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

import batchai_scenario

PACKAGE = Path(batchai_scenario.__file__).parent
ROOMS = ("backends", "emulator", "scenarios", "schema", "training/toolkits/*/toolkit.py")

WITHOUT_IMPORT = {
    "azure-identity": "imported as a part of the namespace azure, as are the other parts of it",
    "azure-mgmt-batchai": "the same",
    "azure-mgmt-resource": "the same",
    "azure-core": "the same",
    "azure-storage-file": "the same",
    "azure-storage-extensions": "the same",
    "msrest": "azure-mgmt-batchai needs it and does not say so",
    "uvloop": "uvicorn uses it where it is",
    "httptools": "the same",
}
"""Declared, and not found by the name of a module."""

OF_THE_USER = {"pytest", "typing_extensions"}
"""Imported by what only a user of pytest imports, or for types alone."""


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> set[str]:
    """The top-level modules of others that the product imports."""
    files = [
        file
        for room in ROOMS
        for file in (PACKAGE.glob(room) if "*" in room else (PACKAGE / room).rglob("*.py"))
    ]
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
    return found - set(sys.stdlib_module_names) - {"batchai_scenario"} - OF_THE_USER


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    declared = {plain(re.split(r"[^-\w.]", text)[0]) for text in requires("batchai-scenario") or ()}
    owners = packages_distributions()
    used = {plain(owner) for name in imported() - {"azure"} for owner in owners.get(name, [name])}
    assert used - declared == set()
    assert declared - used - set(WITHOUT_IMPORT) == set()


def test_the_newest_clients_of_azure_may_be_installed_beside_it() -> None:
    """A project that tests its own program has that program's clients in the same environment."""
    pins = (Path(__file__).parent.parent / "clients" / "pins" / "newest.txt").read_text(encoding="utf-8")
    newest = dict(line.split("==") for line in pins.split() if "==" in line)
    declared = [Requirement(text) for text in requires("batchai-scenario") or ()]
    ours = {plain(found.name): found.specifier for found in declared}
    shared = ours.keys() & newest.keys()
    assert {"azure-mgmt-resource", "azure-identity", "azure-core"} <= shared
    assert {name: newest[name] for name in shared if not ours[name].contains(newest[name])} == {}
