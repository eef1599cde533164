"""``docs/walks.md`` names every function that touches a file system on the host, and nothing else."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING

import batchai_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(batchai_scenario.__file__).parent
TESTS = Path(__file__).parents[1]
TABLES = TESTS.parent / "docs" / "walks.md"
ROOMS = ("emulator", "backends/local", "scenarios")
TOUCHING = re.compile(
    r"chmod|chown|copy2|copyfile|copytree|glob|iterdir|lchown|listdir|makedirs|mkdir|mkfifo|"
    r"read_bytes|read_text|rename|rglob|rmdir|rmtree|scandir|symlink|symlink_to|touch|truncate|"
    r"unlink|write_bytes|write_text"
)
OF_OS = ("open", "walk", "remove", "link", "replace")
MODE = re.compile(r"[rwxab+]+")


def touches(call: ast.Call) -> bool:
    """Tell whether a call makes, lists, opens, copies, changes or removes something in a file system."""
    if isinstance(call.func, ast.Name):
        return call.func.id == "open"
    if not isinstance(call.func, ast.Attribute):
        return False
    name, owner = call.func.attr, call.func.value
    if name in OF_OS and isinstance(owner, ast.Name) and owner.id == "os":
        return True
    if name == "open":  # also doors, backends and browsers have this method: a path's gets a mode
        words = [
            one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)
        ]
        return any(MODE.fullmatch(word) for word in words) or any(
            one.arg == "encoding" for one in call.keywords
        )
    return TOUCHING.fullmatch(name) is not None


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Give a file's functions and methods; what is nested belongs to the outer one."""
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for item in inside:
            if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield item


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def found_in_code() -> set[tuple[str, str]]:
    """Find all functions that touch a file system, as (file, function)."""
    return {
        (str(file.relative_to(PACKAGE)), function.name)
        for room in ROOMS
        for file in (PACKAGE / room).rglob("*.py")
        for function in functions(parsed(file))
        if any(isinstance(node, ast.Call) and touches(node) for node in ast.walk(function))
    }


def rows() -> Iterator[list[str]]:
    """Give the cells of all rows of the tables, without their heads."""
    lines = TABLES.read_text(encoding="utf-8").splitlines()
    for before, line in itertools.pairwise(lines):
        if line.startswith("| ") and before.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def place(name: str) -> Path:
    """Find a file or folder that the tables name: rooms of the emulator are named without it."""
    inside = PACKAGE / "emulator" / name
    return inside if inside.exists() else PACKAGE / name


def named() -> tuple[set[tuple[str, str]], list[str]]:
    """Give what the tables name as (file, function), "" for a whole file; and what of that there is not."""
    known: set[tuple[str, str]] = set()
    missing: list[str] = []
    for row in rows():
        words = re.findall(r"`([^`]+)`", row[1])
        files = [word for word in words if "/" in word or word.endswith(".py")]
        missing += [file for file in files if not place(file).exists()]
        for at, word in enumerate(words):
            if word in files:
                whole = at + 1 == len(words) or words[at + 1] in files
                current = place(word)
                for file in current.rglob("*.py") if current.is_dir() else [current]:
                    known |= {(str(file.relative_to(PACKAGE)), "")} if whole else set()
            elif not current.is_file():
                continue  # it stands among what is missing
            elif word not in {function.name for function in functions(parsed(current))}:
                missing.append(f"{current.name} {word}")
            else:
                known.add((str(current.relative_to(PACKAGE)), word))
    return known, missing


def test_every_walk_on_the_host_stands_in_the_tables() -> None:
    known, missing = named()
    assert missing == []
    untold = {(file, name) for file, name in found_in_code() if not {(file, ""), (file, name)} & known}
    assert sorted(untold) == [], "say in docs/walks.md how each is held, or why no job reaches it"


def test_every_test_that_the_tables_name_is_there() -> None:
    told = {test for row in rows() for test in re.findall(r"`([\w/]+/test_\w+\.py)`", row[-1])}
    assert len(told) > 5
    assert [test for test in sorted(told) if not (TESTS / test).is_file()] == []
