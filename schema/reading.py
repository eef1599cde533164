"""From a body to what is meant by it: read through its model, with everything that is wrong at once."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from batchai_scenario.schema.faults import Fault, FaultsFound, json_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel, ValidationError

    from batchai_scenario.schema.body import Body

_WORDS = {
    "missing": "it is required",
    "string_type": "it must be a string",
    "list_type": "it must be a list",
    "dict_type": "it must be an object",
    "model_type": "it must be an object",
    "model_attributes_type": "it must be an object",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "string_too_short": "it is empty",
}


def read(model: type[Body], body: Mapping[str, Any], more: Iterable[Fault] = ()) -> dict[str, Any]:
    """Read a body's ``properties``: wire names, defaults filled in, absent things absent.

    Args:
        model: the body's.
        body: whatever the caller wrote; names in any case.
        more: what else is wrong with it, by the caller's knowledge.

    Raises:
        FaultsFound: everything that is wrong.
    """
    from pydantic import ValidationError

    found = [*_unusable(body), *more]
    try:
        value = model.model_validate(body)
    except ValidationError as error:
        raise FaultsFound(_sorted([*found, *_faults(error, model)])) from None
    if found:
        raise FaultsFound(_sorted(found))
    dumped: dict[str, Any] = value.model_dump(by_alias=True, exclude_none=True)["properties"]
    return dumped


def check_exactly(model: type[Body], body: Mapping[str, Any], more: Iterable[Fault] = ()) -> None:
    """Check a body that is sent as it is: its names and types are those of the service, none is read-only.

    Raises:
        FaultsFound: everything that is wrong; unknown properties with what may have been meant.
    """
    from pydantic import ValidationError

    unusable = [*_unusable(body)]
    found = [*unusable, *more]
    if not unusable:  # what is no text at all cannot be written as JSON either
        try:
            model.model_validate_json(json.dumps(body), strict=True, context="exactly")
        except ValidationError as error:
            found += _faults(error, model)
    if found:
        raise FaultsFound(_sorted(found))


def _sorted(faults: list[Fault]) -> list[Fault]:
    """Put misspelt names first, and leave out that the right ones are missing."""
    unknown = [fault for fault in faults if fault.kind == "unknown"]
    spelled = {fault.path.lower() for fault in unknown}
    return [
        *unknown,
        *(fault for fault in faults if fault.kind != "unknown" and fault.path.lower() not in spelled),
    ]


def _faults(error: ValidationError, model: type[BaseModel]) -> Iterator[Fault]:
    for line in error.errors(include_url=False, include_input=False):
        path = json_path(line["loc"])
        context = line.get("ctx", {})
        if line["type"] == "faults":
            yield from (fault.below(path) for fault in context["found"])
        elif line["type"] == "extra_forbidden":
            yield _unknown(path, line["loc"], model)
        else:
            yield Fault(path, _why(line["type"], line["msg"], context))


def _why(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind == "fault":
        return str(context["why"])
    if kind == "literal_error":
        return f"it must be {context['expected']}"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = context.get("ge", context.get("le"))
        return f"it must be at {'least' if 'ge' in context else 'most'} {bound}"
    return _WORDS.get(kind) or message[:1].lower() + message[1:]


def _unknown(path: str, location: tuple[int | str, ...], model: type[BaseModel]) -> Fault:
    known = _names_at(model, location[:-1])
    name = str(location[-1])
    alike = [key for key in known if key.lower() == name.lower()] or get_close_matches(name, known, n=1)
    hint = f"did you mean {alike[0]!r}?" if alike else f"known are {', '.join(sorted(known))}"
    return Fault(path, "the service knows no such property", "unknown", hint if known else "")


def _names_at(model: type[BaseModel], location: Iterable[int | str]) -> list[str]:
    """List the names of the properties of what stands at a location."""
    from batchai_scenario.schema.body import wire_names

    current: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        fields = dict(zip(wire_names(current), current.model_fields.values(), strict=True))
        found = list(_models(fields[part].annotation)) if part in fields else []
        if not found:
            return []
        current = found[0]
    return [name for name in wire_names(current) if name.lower() not in current.read_only]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - a type form
    from batchai_scenario.schema.body import Body

    if isinstance(annotation, type) and issubclass(annotation, Body):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models(argument)


def _unusable(body: Mapping[str, Any]) -> Iterator[Fault]:
    """Find texts that no program can be given."""
    for path, text in _texts(body, ""):
        if "\x00" in text or not _encodable(text):
            yield Fault(path, "it holds a character that no program can be given")


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
