"""What is a secret in a body: named here and nowhere else.

A secret is the value of a property whose name is among ``SECRET_NAMES``, and the ``value`` of an entry of a
list called ``secrets``. The service never gives one back.
"""

from __future__ import annotations

import re
from typing import Any

SECRET_NAMES = frozenset({"accountkey", "adminuserpassword", "password", "instrumentationkey"})
"""Names of properties whose values are secrets, in lower case."""

# Such as $STORAGE_KEY: a password may begin with a dollar too.
_PLACEHOLDER = re.compile(r"\$[A-Z]+(?:_[A-Z]+)+")
_ENTRY = re.compile(r"\.secrets\[\d+\]\.value\Z")


def is_secret(path: str) -> bool:
    """Tell whether the property of a path, ``properties.secrets[0].value``, holds a secret."""
    return path.rpartition(".")[2].lower() in SECRET_NAMES or _ENTRY.search(path) is not None


def is_placeholder(value: object) -> bool:
    """Tell whether a text, ``$STORAGE_KEY``, only stands for a secret that is put in later."""
    return _PLACEHOLDER.fullmatch(str(value)) is not None


def split_secrets(definition: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Part secrets from a definition: gives it without them, and JSON pointer -> secret."""
    secrets: dict[str, str] = {}
    return _strip(definition, "", secrets), secrets


def _strip(value: Any, pointer: str, secrets: dict[str, str]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [_strip(item, f"{pointer}/{index}", secrets) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    in_secrets = pointer.rpartition("/")[0].endswith("/secrets")
    kept = {}
    for key, item in value.items():
        if key.lower() in SECRET_NAMES or (in_secrets and key == "value"):
            secrets[f"{pointer}/{key}"] = item
        else:
            kept[key] = _strip(item, f"{pointer}/{key}", secrets)
    return kept


def redacted(tree: Any, key: str = "") -> Any:  # noqa: ANN401 - any JSON value
    """Copy a body without its secrets: where one stood there is its name; placeholders stay."""
    if isinstance(tree, dict):
        return {name: redacted(value, name) for name, value in tree.items()}
    if isinstance(tree, list):
        if key == "secrets":
            return [_hidden(item) for item in tree]
        return [redacted(item) for item in tree]
    if key.lower() not in SECRET_NAMES or tree is None or is_placeholder(tree):
        return tree
    return f"<{key}>"


def _hidden(item: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(item, dict) and "value" in item:
        return {**item, "value": f"<secret {item.get('name', '')}>"}
    return redacted(item)
