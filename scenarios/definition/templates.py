"""Parameters in texts: ``{{ epochs }}``.

Job texts are full of the service's own variables (``$AZ_BATCHAI_OUTPUT_MODEL``), of the shell's
(``${HOME}``, ``$(date)``) and of backends' placeholders (``$STORAGE_URL``), so nothing that starts with
a dollar sign can be ours. Double braces with one word in them mean nothing to a shell, and nothing to
the service; braces around anything else (``{{.State}}``) are left alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchai_scenario.scenarios.definition.bodies import NUMBERS
from batchai_scenario.scenarios.report.text import did_you_mean, is_utf8

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchai_scenario.scenarios.definition.parameters import Value
    from batchai_scenario.scenarios.definition.strict import Path_, YamlFile

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


_BODIES = ("cluster", "jobs")


def substitute(tree: Any, values: Mapping[str, Value], source: YamlFile, path: Path_ = ()) -> Any:  # noqa: ANN401
    """Put values into every text below a tree of YAML data; keys are left alone.

    A text that is nothing but one placeholder takes the value with its type, so
    ``nodeCount: "{{ nodes }}"`` becomes a number; in the service's bodies only where the service has a
    number, so that ``commandLineArgs: "{{ slow }}"`` stays a text.

    Raises:
        InvalidScenario: A placeholder names no parameter.
    """
    if isinstance(tree, dict):
        return {key: substitute(value, values, source, (*path, key)) for key, value in tree.items()}
    if isinstance(tree, list):
        return [substitute(value, values, source, (*path, index)) for index, value in enumerate(tree)]
    if not isinstance(tree, str):
        return tree

    if not is_utf8(tree):
        raise source.error(path, "the text holds half a character (a lone surrogate)")

    def value_of(match: re.Match[str]) -> Value:
        name = match[1]
        if name not in values:
            raise source.error(path, f"{match[0]} names no parameter", did_you_mean(name, values))
        return values[name]

    whole = _PLACEHOLDER.fullmatch(tree.strip())
    if whole and (path[:1] not in [(name,) for name in _BODIES] or path[-1] in NUMBERS):
        return value_of(whole)
    return _PLACEHOLDER.sub(lambda match: written(value_of(match)), tree)


def written(value: Value) -> str:
    """Write a value inside a text: numbers as short as they can be, booleans in lower case."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)
