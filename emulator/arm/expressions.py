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
_WIDEST = 10_000
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_UNIQUE = 13


class ExpressionError(ValueError):
    """An expression that cannot be evaluated; the text says why."""


class _Token(NamedTuple):
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Call:
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
    return _value(_Parser(value[1:-1]).whole(), {**FUNCTIONS, **functions}, value)


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
    try:
        return function(*arguments)
    except ExpressionError:
        raise
    except _WRONG as error:
        raise ExpressionError(f"'{node.name}' in '{text}' cannot take these arguments: {error}") from None


def _item(value: Any, key: Any, text: str) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, dict):
        for name, item in value.items():
            if name.lower() == str(key).lower():
                return item
    elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    raise ExpressionError(f"there is no '{key}' in what '{text}' takes it from")


class _Parser:
    """Reads one expression, without its outer brackets."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[_Token] = []
        at = 0
        while text[at:].strip():
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
            node = Literal(int(token.text[:20]))
        elif token.kind == "name" and self._take("("):
            node = Call(token.text, self._arguments(depth))
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
    return re.sub(r"\{(\d{1,3})\}", lambda match: _text(values[int(match[1])]), template)


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
        raise TypeError(f"'{value}' is no whole number")
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
    "json": json.loads,
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
    "replace": lambda text, old, new: text.replace(old, new),
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
