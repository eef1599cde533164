"""From a request's body to a definition: read it through its model, then part the secrets from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.bodies import invalid_content
from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import ValidationError

    from batchai_scenario.schema.body import Body

_SECRETS = frozenset({"accountKey", "adminUserPassword", "password", "instrumentationKey"})


def invalid_value(path: str, why: str) -> ServiceError:
    """Say that a property's value is wrong. No such code was recorded; it is Azure Batch's (our decision)."""
    text = f"The value provided for the property '{path}' in the request body is invalid: {why}."
    return ServiceError(400, "InvalidPropertyValue", text, path)


def read(model: type[Body], body: Mapping[str, Any] | None) -> dict[str, Any]:
    """Read a body's ``properties`` through its model: wire names, defaults filled in, absent things absent.

    Raises:
        ServiceError: 400 ``InvalidRequestContent`` for what is unknown, ``InvalidPropertyValue`` for what
            is missing or wrong; the target is the property's JSON path. Values are not repeated: they may be
            secret.
    """
    from pydantic import ValidationError

    if body is None:
        raise invalid_content("the request needs a body")
    for path, text in _texts(body, ""):
        if "\x00" in text or not _encodable(text):
            raise invalid_value(path, "it holds a character that no program can be given")
    try:
        value = model.model_validate(body)
    except ValidationError as error:
        raise _first(error) from None
    dumped: dict[str, Any] = value.model_dump(by_alias=True, exclude_none=True)["properties"]
    return dumped


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
        if key in _SECRETS or (in_secrets and key == "value"):
            secrets[f"{pointer}/{key}"] = item
        else:
            kept[key] = _strip(item, f"{pointer}/{key}", secrets)
    return kept


def _first(error: ValidationError) -> ServiceError:
    """Word the first thing that is wrong."""
    found = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = json_path(found["loc"])
    if found["type"] == "extra_forbidden":
        return invalid_content(f"Could not find member '{found['loc'][-1]}'. Path '{path}'", path)
    if found["type"] == "missing":
        return invalid_value(path, "it is required")
    return invalid_value(path, found["msg"][:1].lower() + found["msg"][1:])


def json_path(location: tuple[int | str, ...]) -> str:
    """Write where something stands in a body: ``properties.inputDirectories[0].id``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, key
            yield from _texts(item, f"{path}.{key}" if path else key)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
