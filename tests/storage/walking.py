"""What a client's own sources say that it can send: headers and query parameters, operation by operation."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUILDER = re.compile(r"\ndef build_(\w+)_request\((.*?)(?=\ndef |\nclass |\Z)", re.DOTALL)
_HEADER = re.compile(r'_headers\["([A-Za-z][\w-]+)"\]')
_QUERY = re.compile(r'_params\["(\w+)"\]')
_ELSEWHERE = re.compile(r'"(x-ms-[a-z0-9-]+)"')
PLAIN = frozenset({"accept", "content-type", "content-length"})


class Sent(NamedTuple):
    """What an operation of a client can send, names in lower case; ``x-ms-meta`` stands for all metadata."""

    operation: str
    headers: frozenset[str]
    query: frozenset[str]


class Watched(dict[str, str]):
    """A mapping that notes which names were asked for."""

    def __init__(self, given: Mapping[str, str], seen: set[str]) -> None:
        super().__init__(given)
        self._seen = seen

    def get(self, name: str, default: Any = None) -> Any:
        self._seen.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self._seen.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._seen.add(str(name))
        return super().__contains__(name)

    def items(self) -> Any:
        self._seen.add("x-ms-meta")  # who reads all of them wants the metadata
        return super().items()


def operations(package: str) -> list[Sent]:
    """Walk a package's generated operations; those of one name from several files are told apart by it."""
    found = []
    for source in sorted((_folder(package) / "_generated" / "operations").glob("_*_operations.py")) or [
        _folder(package) / "_generated" / "operations" / "_operations.py"
    ]:
        kind = source.stem.removeprefix("_").removesuffix("_operations")
        for name, text in _BUILDER.findall(source.read_text()):
            headers = frozenset(header.lower() for header in _HEADER.findall(text)) - PLAIN
            operation = f"{kind}_{name}" if kind != "operations" else name
            found.append(Sent(operation, headers, frozenset(word.lower() for word in _QUERY.findall(text))))
    return found


def mentioned(package: str) -> set[str]:
    """Give every ``x-ms-*`` name that a package's sources hold, sent or received."""
    sources = (path.read_text() for path in _folder(package).rglob("*.py"))
    return {name.rstrip("-") for text in sources for name in _ELSEWHERE.findall(text)}


def _folder(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
