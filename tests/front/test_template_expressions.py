"""Expressions of templates: values, what is none, and what would be too large."""

from __future__ import annotations

from typing import Any

import pytest

from batchai_scenario.emulator.arm.expressions import ExpressionError, evaluate
from batchai_scenario.emulator.arm.templates import Template
from batchai_scenario.emulator.errors import ServiceError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[concat('it''s ', string(1), ' ', toUpper('a'))]", "it's 1 A"),
        ("[[not an expression]", "[not an expression]"),
        ("[if(equals(1, 1), 'yes', json('{'))]", "yes"),
        ("[createArray(1, 2)[1]]", 2),
        ('[json(\'{"a": {"b": [5]}}\').a.b[0]]', 5),
        ("[padLeft(7, 3, '0')]", "007"),
        ("[union(createArray(1), createArray(1, 2))]", [1, 2]),
        ("[substring('abcdef', 1, 3)]", "bcd"),
        ("[mod(mul(add(1, 2), 4), sub(6, 1))]", 2),
        ({"k": ["[not(false())]"]}, {"k": [True]}),
    ],
)
def test_expressions(text: Any, value: Any) -> None:
    assert evaluate(text, {}) == value


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "[concat('a']",
        "[concat('a') 'b']",
        "[mul('a', 1000000000)]",
        "[div(1, 0)]",
        f"[{'a(' * 500}]",
        f"['{'a' * 25_000}']",
        "[add(123456789012345678901234, 1)]",
        "[mul(9000000000000000000, 9000000000000000000)]",
        "[json('NaN')]",
        f"[json('{'[' * 100}{']' * 100}')]",
        "[" + ("format('" + "{0}" * 100 + "', ") * 6 + "'aa'" + ")" * 6 + "]",
        "[" + "replace(" * 16 + "'aa'" + ", 'a', 'aaaa')" * 16 + "]",
    ],
)
def test_expressions_that_are_none(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, {})


@pytest.mark.parametrize("doubled", ["concat({0}, {0})", "createArray({0}, {0})"])
def test_a_template_that_would_fill_the_memory_is_refused(doubled: str) -> None:
    variables = {"v0": "some text"}
    for number in range(1, 50):
        variables[f"v{number}"] = f"[{doubled.format(f'variables({chr(39)}v{number - 1}{chr(39)})')}]"
    outputs = {"x": {"type": "string", "value": "[variables('v49')]"}}
    with pytest.raises(ServiceError, match="larger than"):
        Template({"variables": variables, "outputs": outputs}, {}, {}).outputs({})
