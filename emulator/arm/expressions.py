"""Expressions of deployment templates: ``[concat(parameters('name'), '-1')]``.

The language and its functions are the resource manager's published ones. A function that is not here is
refused by its name.
"""

from __future__ import annotations

import base64
import hashlib
import json
import operator
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<name>[A-Za-z_][\w.]*)|(?P<mark>[()\[\],.]))"
)
_WRONG = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError)
_DEEPEST = 64
_LONGEST = 24_576
"""Characters of one expression: the resource manager's limit."""
_LARGEST = 4 * 1024 * 1024
"""Characters and items of one value: the resource manager's limit of a template that is written out."""
_NUMBERS = 1 << 63
"""Whole numbers are below it: the resource manager's have 64 bits."""
_FIGURES = 20
_WIDEST = 10_000
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_UNIQUE = 13
_KINDS: dict[type, str] = {
    str: "a string",
    bool: "a bool",
    int: "an int",
    float: "a float",
    list: "an array",
    dict: "an object",
}


class ExpressionError(ValueError):
    """An expression that cannot be evaluated; the text says why."""


class _Token(NamedTuple):
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function call, parsed."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """A property or an item of a value, parsed."""

    value: Any
    key: Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A text or a number."""

    value: str | int


def evaluate(value: Any, functions: Mapping[str, Callable[..., Any]]) -> Any:  # noqa: ANN401 - any JSON value
    """Give a JSON value with every expression in it replaced by what it says.

    Args:
        value: Any part of a template. A text is an expression if it begins with ``[`` and ends with ``]``;
            ``[[`` stands for a bracket.
        functions: Functions by lower-case name, beside those of ``FUNCTIONS``.

    Raises:
        ExpressionError: it cannot be read, or a function is unknown or refuses its arguments.
    """
    if isinstance(value, dict):
        return {key: evaluate(item, functions) for key, item in value.items()}
    if isinstance(value, list):
        return [evaluate(item, functions) for item in value]
    if not isinstance(value, str) or not (value.startswith("[") and value.endswith("]")):
        return value
    if value.startswith("[["):
        return value[1:]
    if len(value) > _LONGEST:
        raise ExpressionError(f"'{value[:40]}...' is longer than the {_LONGEST} characters of an expression")
    found = _value(_ExpressionParser(value[1:-1]).whole(), {**FUNCTIONS, **functions}, value)
    check_size(found)
    return found


def check_size(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Check that a value is neither too large nor too deep to be worked on; ExpressionError if it is."""
    weight, level = 0, [value]
    for _ in range(_DEEPEST):
        weight += sum(len(one) if isinstance(one, (str, list, dict)) else 1 for one in level)
        if weight > _LARGEST:
            raise ExpressionError(f"a value is larger than {_LARGEST} characters and items")
        if any(isinstance(one, int) and not -_NUMBERS <= one < _NUMBERS for one in level):
            raise ExpressionError("a number is too large")
        level = [item for one in level if isinstance(one, (list, dict)) for item in _items(one)]
        if not level:
            return
    raise ExpressionError(f"a value is nested more than {_DEEPEST} deep")


def _items(value: list[Any] | dict[str, Any]) -> list[Any]:
    return value if isinstance(value, list) else [*value, *value.values()]


def _value(node: Any, functions: Mapping[str, Callable[..., Any]], text: str) -> Any:  # noqa: ANN401 - as above
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Access):
        return _item(_value(node.value, functions, text), _value(node.key, functions, text), text)
    function = functions.get(node.name.lower())
    if function is None:
        raise ExpressionError(f"the function '{node.name}' in '{text}' is not emulated")
    if node.name.lower() == "if" and len(node.arguments) == 3:  # noqa: PLR2004 - only one side is evaluated
        wanted = node.arguments[1 if _value(node.arguments[0], functions, text) else 2]
        return _value(wanted, functions, text)
    arguments = [_value(argument, functions, text) for argument in node.arguments]
    check_size(arguments)
    try:
        return function(*arguments)
    except ExpressionError:
        raise
    except _WRONG:
        # What they are and not their values, which may be secret: Python's own texts quote them.
        told = ", ".join(_KINDS.get(type(argument), "null") for argument in arguments) or "none"
        raise ExpressionError(f"'{node.name}' in '{text}' cannot take these arguments: {told}") from None


def _item(value: Any, key: Any, text: str) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, dict):
        for name, item in value.items():
            if name.lower() == str(key).lower():
                return item
    elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    raise ExpressionError(f"there is no '{key}' in what '{text}' takes it from")


class _ExpressionParser:
    """Reads one expression, without its outer brackets."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[_Token] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise ExpressionError(f"'{text[at : at + 20]}' in '[{text}]' cannot be read")
            self._tokens.append(_Token(match.lastgroup, match[match.lastgroup]))
            at = match.end()
        self._at = 0

    def whole(self) -> Any:  # noqa: ANN401 - a node
        """Read all of it."""
        node = self._expression(0)
        if self._at != len(self._tokens):
            raise self._error()
        return node

    def _expression(self, depth: int) -> Any:  # noqa: ANN401 - a node
        if depth > _DEEPEST:
            raise ExpressionError("the expression is nested too deeply")
        token = self._next()
        if token.kind == "text":
            node: Any = Literal(token.text[1:-1].replace("''", "'"))
        elif token.kind == "number":
            if len(token.text) > _FIGURES:
                raise ExpressionError(f"the number {token.text[:_FIGURES]}... is too large")
            node = Literal(int(token.text))
        elif token.kind == "name" and self._take("("):
            node = FunctionCall(token.text, self._arguments(depth))
        else:
            raise self._error()
        while True:
            if self._take("."):
                for part in self._next("name").text.split("."):
                    node = Access(node, Literal(part))
            elif self._take("["):
                node = Access(node, self._expression(depth + 1))
                self._need("]")
            else:
                return node

    def _arguments(self, depth: int) -> tuple[Any, ...]:
        found: list[Any] = []
        if self._take(")"):
            return ()
        while True:
            found.append(self._expression(depth + 1))
            if self._take(")"):
                return tuple(found)
            self._need(",")

    def _next(self, kind: str = "") -> _Token:
        if self._at >= len(self._tokens) or (kind and self._tokens[self._at].kind != kind):
            raise self._error()
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, mark: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == _Token("mark", mark):
            self._at += 1
            return True
        return False

    def _need(self, mark: str) -> None:
        if not self._take(mark):
            raise self._error()

    def _error(self) -> ExpressionError:
        return ExpressionError(f"'[{self._text}]' cannot be read")


def unique_string(*parts: str) -> str:
    """Give 13 letters that are always the same for the same texts; not the service's own (our decision)."""
    number = int.from_bytes(hashlib.sha256("-".join(parts).encode()).digest()[:9], "big")
    return "".join(_LETTERS[(number >> (5 * place)) & 31] for place in range(_UNIQUE))


def _concat(*parts: Any) -> Any:  # noqa: ANN401 - texts, numbers or lists
    if parts and all(isinstance(part, list) for part in parts):
        return [item for part in parts for item in part]
    return "".join(_text(part) for part in parts)


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool):
        return "True" if value else "False"
    return json.dumps(value, separators=(",", ":")) if isinstance(value, (dict, list)) else str(value)


def _format(template: str, *values: Any) -> str:  # noqa: ANN401 - any JSON values
    parts = re.split(r"\{(\d{1,3})\}", template)
    texts = [_text(value) for value in values]
    parts[1::2] = [texts[int(number)] for number in parts[1::2]]
    check_size(parts)
    return "".join(parts)


def _replace(text: str, old: str, new: str) -> str:
    parts = text.split(old)
    if len(text) + (len(parts) - 1) * len(new) > _LARGEST:
        raise ExpressionError(f"a value is larger than {_LARGEST} characters and items")
    return new.join(parts)


def _union(*values: Any) -> Any:  # noqa: ANN401 - lists or objects
    if all(isinstance(value, dict) for value in values):
        return {name: item for value in values for name, item in value.items()}
    found: list[Any] = []
    for value in values:
        found += [item for item in value if item not in found]
    return found


def _contains(where: Any, what: Any) -> bool:  # noqa: ANN401 - a text, a list or an object
    if isinstance(where, dict):
        return str(what).lower() in {name.lower() for name in where}
    return str(what) in where if isinstance(where, str) else what in where


def _split(text: str, marks: Any) -> list[str]:  # noqa: ANN401 - a text or a list of texts
    wanted = [marks] if isinstance(marks, str) else marks
    return re.split("|".join(re.escape(mark) for mark in wanted), text)


def _number(value: Any) -> int:  # noqa: ANN401 - any JSON value
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a whole number is needed")
    return value


def _arithmetic(work: Callable[[int, int], int]) -> Callable[[Any, Any], int]:
    return lambda one, other: work(_number(one), _number(other))


def _pad(text: Any, size: int, fill: str = " ") -> str:  # noqa: ANN401 - a text or a number
    return _text(text).rjust(min(_number(size), _WIDEST), fill)


def _bool(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return value.lower() == "true" if isinstance(value, str) else bool(value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": _arithmetic(operator.add),
    "and": lambda *values: all(values),
    "array": lambda value: value if isinstance(value, list) else [value],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "bool": _bool,
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "concat": _concat,
    "contains": _contains,
    "createarray": lambda *values: list(values),
    "div": _arithmetic(operator.floordiv),
    "empty": lambda value: value is None or len(value) == 0,
    "endswith": lambda text, end: text.lower().endswith(end.lower()),
    "equals": lambda one, other: one == other,
    "false": lambda: False,
    "first": lambda value: value[0],
    "format": _format,
    "greater": lambda one, other: one > other,
    "guid": lambda *parts: str(uuid.uuid5(uuid.NAMESPACE_URL, "-".join(parts))),
    "if": lambda condition, one, other: one if condition else other,
    "int": int,
    "json": lambda text: json.loads(text, parse_constant=_number),
    "last": lambda value: value[-1],
    "length": len,
    "less": lambda one, other: one < other,
    "max": lambda *values: max(values[0] if len(values) == 1 else values),
    "min": lambda *values: min(values[0] if len(values) == 1 else values),
    "mod": _arithmetic(operator.mod),
    "mul": _arithmetic(operator.mul),
    "not": lambda value: not value,
    "null": lambda: None,
    "or": lambda *values: any(values),
    "padleft": _pad,
    "replace": _replace,
    "split": _split,
    "startswith": lambda text, start: text.lower().startswith(start.lower()),
    "string": _text,
    "sub": _arithmetic(operator.sub),
    "substring": lambda text, start, size=None: text[start:] if size is None else text[start : start + size],
    "take": lambda value, size: value[:size],
    "tolower": lambda text: text.lower(),
    "toupper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "true": lambda: True,
    "union": _union,
    "uniquestring": unique_string,
}
"""Functions that need nothing but their arguments, by lower-case name."""
