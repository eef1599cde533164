"""``$filter`` and ``$select`` of lists: of resources, and of the flat API versions.

The service published no grammar for the latter. Ours is the common part of OData 4 (our decision): paths
(``name``, ``properties/executionState``, ``tags/owner``) compared with ``eq ne gt ge lt le`` to a text in
single quotes, a number, ``true``, ``false`` or ``null``; ``and``, ``or``, ``not``, parentheses. Names are
read without regard to case; numbers compare as numbers, texts as texts, and times, being ISO 8601, as
texts. What is not there equals null and compares to nothing else.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    Test = Callable[[Mapping[str, Any]], bool]

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([()])|(-?\d+(?:\.\d+)?)(?![\w.])|([A-Za-z_][\w./-]*))")
_ORDERED = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}
_WORDS = {"true": True, "false": False, "null": None}
_ALWAYS = ("id", "name", "type")
_DEEPEST = 40
"""Levels of parentheses and ``not``."""


def read_filter(text: str, known: Collection[str] = (), any_case: Collection[str] = ()) -> Test:
    """Read a ``$filter``; empty lets everything pass.

    Args:
        text: The filter.
        known: Paths that it may name, without regard to case; any if empty.
        any_case: Those of them whose texts are compared without regard to case.

    Raises:
        ServiceError: 400 ``InvalidFilterInQueryString``, for what is not understood.
    """
    if not text.strip():
        return lambda _: True
    return _FilterParser(text, known, any_case).parse()


def read_select(text: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Read a ``$select``: paths separated by commas; empty, or ``*``, selects everything.

    ``id``, ``name`` and ``type`` are always there, or clients could not tell what they got. Unknown paths
    select nothing.

    Raises:
        ServiceError: 400 ``InvalidSelectInQueryString``.
    """
    paths = [path.strip() for path in text.split(",")] if text.strip() else ["*"]
    if "*" in paths:
        return lambda body: body
    for path in paths:
        if re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", path) is None:
            message = f"The $select '{text}' is no list of properties such as name,properties/executionState."
            raise ServiceError(400, "InvalidSelectInQueryString", message, "$select")

    def narrow(body: Mapping[str, Any]) -> Mapping[str, Any]:
        kept: dict[str, Any] = {name: body[name] for name in _ALWAYS}
        for path in paths:
            _copy(body, kept, path.split("/"))
        return kept

    return narrow


def _copy(source: Mapping[str, Any], target: dict[str, Any], path: list[str]) -> None:
    name = _spelt(source, path[0])
    if name is None:
        return
    if len(path) == 1:
        target[name] = source[name]
    elif isinstance(source[name], dict) and target.get(name) is not source[name]:
        _copy(source[name], target.setdefault(name, {}), path[1:])


def _spelt(body: Mapping[str, Any], name: str) -> str | None:
    return next((known for known in body if known.lower() == name.lower()), None)


def _look_up(body: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    for part in path.split("/"):
        name = _spelt(body, part) if isinstance(body, dict) else None
        if name is None:
            return None
        body = body[name]
    return body


def _same_in_any_case(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON values
    return str(one).lower() == str(other).lower() if isinstance(one, str) else one == other


class _FilterParser:
    """Reads ``or`` of ``and`` of comparisons, by recursive descent."""

    def __init__(self, text: str, known: Collection[str], any_case: Collection[str]) -> None:
        self._text = text
        self._known = known
        self._any_case = {name.lower() for name in any_case}
        self._tokens = list(self._scan(text))
        self._depth = 0

    def parse(self) -> Test:
        test = self._either()
        if self._tokens:
            raise self._refused(f"'{self._tokens[0]}' is too much")
        return test

    def _scan(self, text: str) -> list[str]:
        tokens, position, end = [], 0, len(text.rstrip())
        while position < end:
            found = _TOKEN.match(text, position)
            if found is None:
                raise self._refused(f"'{text[position:end].strip()}' is not understood")
            tokens.append(found[found.lastindex or 0])
            position = found.end()
        return tokens

    def _either(self) -> Test:
        tests = [self._all()]
        while self._take("or"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda body: any(test(body) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._take("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda body: all(test(body) for test in tests)

    def _one(self) -> Test:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._refused("it is nested too deeply")
        try:
            if self._take("not"):
                test = self._one()
                return lambda body: not test(body)
            if self._take("("):
                test = self._either()
                if not self._take(")"):
                    raise self._refused("a parenthesis is not closed")
                return test
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Test:
        if len(self._tokens) < 3:  # noqa: PLR2004 - PATH OPERATOR VALUE
            raise self._refused("a comparison is PATH OPERATOR VALUE")
        path, word, literal = self._tokens[:3]
        del self._tokens[:3]
        value = self._value(literal)
        word = word.lower()
        if re.match(r"[A-Za-z_]", path) is None:
            raise self._refused(f"'{path}' is no property")
        if self._known and path.lower() not in {name.lower() for name in self._known}:
            raise self._refused(f"'{path}' is none of {', '.join(self._known)}")
        if word in ("eq", "ne"):
            same = _same_in_any_case if path.lower() in self._any_case else operator.eq
            return lambda body: same(_look_up(body, path), value) is (word == "eq")
        if word not in _ORDERED:
            raise self._refused(f"'{word}' is none of eq, ne, gt, ge, lt, le")
        compare = _ORDERED[word]
        if value is None or isinstance(value, bool):
            raise self._refused(f"'{word}' takes a number or a text")
        kind: Any = str if isinstance(value, str) else (int, float)

        def ordered(body: Mapping[str, Any]) -> bool:
            found = _look_up(body, path)
            return isinstance(found, kind) and not isinstance(found, bool) and bool(compare(found, value))

        return ordered

    def _value(self, literal: str) -> Any:  # noqa: ANN401 - a text, a number, a truth or None
        if literal.startswith("'"):
            return literal[1:-1].replace("''", "'")
        if literal.lower() in _WORDS:
            return _WORDS[literal.lower()]
        try:
            return float(literal)
        except ValueError:
            raise self._refused(f"'{literal}' is no value: texts stand in single quotes") from None

    def _take(self, word: str) -> bool:
        if self._tokens and self._tokens[0].lower() == word:
            del self._tokens[0]
            return True
        return False

    def _refused(self, why: str) -> ServiceError:
        text = f"The $filter '{self._text}' cannot be read: {why}."
        return ServiceError(400, "InvalidFilterInQueryString", text, "$filter")
