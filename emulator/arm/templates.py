"""Deployment templates: read, checked as a whole, and taken apart into resources in their order."""

from __future__ import annotations

import operator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from batchai_scenario.emulator.arm.expressions import ExpressionError, check_size, evaluate
from batchai_scenario.emulator.arm.resources import Resource, invalid_template, ordered
from batchai_scenario.emulator.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "securestring": (str,),
    "int": (int,),
    "bool": (bool,),
    "object": (dict,),
    "secureobject": (dict,),
    "array": (list,),
}
_SECTIONS = frozenset(
    {"$schema", "contentVersion", "apiProfile", "parameters", "variables", "resources", "outputs", "metadata"}
)
_PARTS = frozenset({"type", "name", "apiVersion", "dependsOn", "copy", "condition", "comments", "resources"})
_PARAMETER = frozenset(
    {"type", "defaultValue", "allowedValues", "minValue", "maxValue", "minLength", "maxLength", "metadata"}
)
_OUTPUT = frozenset({"type", "value", "condition", "metadata"})
_MOST = 800
"""Resources of a template, copies among them: the service's limit."""
_Kind = TypeVar("_Kind", "dict[str, Any]", "list[Any]")


class Template:
    """A template with the parameters that were given.

    Args:
        template: The template's JSON.
        given: Parameters as a deployment gives them, ``{name: {"value": ...}}``.
        functions: Functions that need the place (``resourceGroup``, ...), by lower-case name.

    Raises:
        ServiceError: 400 ``InvalidTemplate``, with all that is wrong in ``details``.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        given: Mapping[str, Any],
        functions: Mapping[str, Callable[..., Any]],
    ) -> None:
        for section in template:
            if section not in _SECTIONS:
                raise invalid_template(f"the section '{section}' is not emulated", section)
        try:
            check_size([template, given])
        except ExpressionError as error:
            raise invalid_template(str(error)) from None
        self._declared = _entries(template, "parameters", _PARAMETER)
        self._variables = _part(template, "variables", dict)
        if "copy" in self._variables:
            raise invalid_template("copies of variables are not emulated", "variables.copy")
        self._resources = _part(template, "resources", list)
        self._outputs = _entries(template, "outputs", _OUTPUT)
        self._functions = dict(functions)
        self._hidden: list[str] = []
        self._parameters: dict[str, Any] = {}
        self._functions["parameters"] = self._parameter
        self._read_parameters(given)
        self._known: dict[str, Any] = {}
        self._asked: set[str] = set()
        self._functions["variables"] = self._variable

    def resources(self) -> list[Resource]:
        """Give its resources, each after what it depends on, without those whose condition is false."""
        found = list(islice(self._all(self._resources, "", "", meant=True), _MOST + 1))
        if len(found) > _MOST:
            raise invalid_template(f"it has more than {_MOST} resources", "resources")
        try:
            return [one for one in ordered(found) if one.meant]
        except ServiceError as error:
            raise self.hiding(error) from None

    def body(self, resource: Resource, more: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
        """Give what is to be put for a resource; ``more`` are functions that look at what is there by now."""
        whole: dict[str, Any] = self._evaluate(dict(resource.body), resource.index, more)
        return whole

    def outputs(self, more: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
        """Give its outputs; the values of secure ones are left out."""
        return {
            name: {
                "type": output.get("type", "String"),
                **({} if _secure(output) else {"value": self._evaluate(output.get("value"), 0, more)}),
            }
            for name, output in self._outputs.items()
            if self._condition(output, 0, more)
        }

    def told_parameters(self) -> dict[str, Any]:
        """Give the parameters without the values of secure ones."""
        return {
            name: {
                "type": self._declared[name].get("type", "String"),
                **({} if _secure(self._declared[name]) else {"value": value}),
            }
            for name, value in self._parameters.items()
        }

    def hiding(self, error: ServiceError) -> ServiceError:
        """Give an error without the values of secure parameters, which its text may quote."""
        text = error.message
        for secret in self._hidden:
            text = text.replace(secret, "<secret>")
        return replace(error, message=text)

    def _read_parameters(self, given: Mapping[str, Any]) -> None:
        declared = {name.lower() for name in self._declared}
        for name in given:
            if name.lower() not in declared:
                raise invalid_template(f"the template has no parameter '{name}'", f"parameters.{name}")
        lower = {name.lower(): entry for name, entry in given.items()}
        for name, entry in self._declared.items():
            where = f"parameters.{name}"
            got = lower.get(name.lower())
            if got is None and "defaultValue" not in entry:
                raise invalid_template(f"the parameter '{name}' has no value", where)
            if got is not None and (not isinstance(got, dict) or "value" not in got):
                raise invalid_template(
                    f"the parameter '{name}' has no 'value'; references are not emulated", where
                )
            value = self._evaluate(entry["defaultValue"], 0, {}) if got is None else got["value"]
            if _secure(entry):
                self._hidden = sorted({*self._hidden, *_texts(value)}, key=len, reverse=True)
            _check_parameter(name, entry, value)
            self._parameters[name] = value

    def _parameter(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        for known, value in self._parameters.items():
            if known.lower() == name.lower():
                return value
        raise ExpressionError(f"there is no parameter '{name}'")

    def _variable(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        key = name.lower()
        if key in self._known:
            return self._known[key]
        if key in self._asked:
            raise ExpressionError(f"the variable '{name}' needs itself")
        self._asked.add(key)
        for known, value in self._variables.items():
            if known.lower() == key:
                return self._known.setdefault(key, evaluate(value, self._functions))
        raise ExpressionError(f"there is no variable '{name}'")

    def _evaluate(self, value: Any, index: int, more: Mapping[str, Callable[..., Any]]) -> Any:  # noqa: ANN401
        functions = {**self._functions, "copyindex": lambda *args: index + _offset(args), **more}
        try:
            found = evaluate(value, functions)
            check_size(found)
        except ExpressionError as error:
            raise self.hiding(invalid_template(str(error))) from None
        return found

    def _condition(
        self, entry: Mapping[str, Any], index: int, more: Mapping[str, Callable[..., Any]]
    ) -> bool:
        found = self._evaluate(entry.get("condition", True), index, more)
        if not isinstance(found, bool):
            raise invalid_template("a condition must be true or false", "condition")
        return found

    def _all(self, entries: Sequence[Any], types: str, names: str, *, meant: bool) -> Iterator[Resource]:
        for entry in entries:
            if not isinstance(entry, dict) or not entry.get("type") or not entry.get("name"):
                raise invalid_template("every resource needs a type and a name", "resources")
            if "scope" in entry:
                raise invalid_template("the scope of a resource is not emulated", "resources.scope")
            if _copies(entry.get("properties")):
                raise invalid_template("copies within a resource are not emulated", "resources.properties")
            count = self._evaluate(_part(entry, "copy", dict, "resources.").get("count", 1), 0, {})
            if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= _MOST:
                raise invalid_template(f"a resource is copied 0 to {_MOST} times", "resources.copy.count")
            for index in range(count):
                here = self._condition(entry, index, {})
                yield from self._one(entry, index, types, names, meant=meant and here)

    def _one(
        self, entry: Mapping[str, Any], index: int, types: str, names: str, *, meant: bool
    ) -> Iterator[Resource]:
        kind, name = f"{types}{entry['type']}", f"{names}{self._evaluate(entry['name'], index, {})}"
        if len(kind.split("/")) != len(name.split("/")) + 1:
            text = f"the name '{name}' does not fit the type '{kind}'"
            raise self.hiding(invalid_template(text, "resources.name"))
        depends = self._evaluate(_part(entry, "dependsOn", list, "resources."), index, {})
        yield Resource(
            type=kind,
            name=name,
            api_version=str(self._evaluate(entry.get("apiVersion") or "", index, {})),
            body={key: value for key, value in entry.items() if key not in _PARTS},
            index=index,
            depends=tuple(str(item) for item in depends),
            loop=str((entry.get("copy") or {}).get("name") or "").lower(),
            meant=meant,
        )
        yield from self._all(
            _part(entry, "resources", list, "resources."), f"{kind}/", f"{name}/", meant=meant
        )


def _part(holder: Mapping[str, Any], name: str, kind: type[_Kind], where: str = "") -> _Kind:
    """Give a part of a template, empty if it is not there; ServiceError if it is of another kind."""
    value = holder.get(name)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        said = "an object" if kind is dict else "an array"
        raise invalid_template(f"{where}{name} must be {said}", f"{where}{name}")
    return value


def _entries(template: Mapping[str, Any], section: str, known: frozenset[str]) -> dict[str, dict[str, Any]]:
    """Give a section whose entries are objects; ServiceError for what is not emulated in one."""
    found = _part(template, section, dict)
    for name, entry in found.items():
        where = f"{section}.{name}"
        if not isinstance(entry, dict):
            raise invalid_template(f"{where} must be an object", where)
        for key in entry:
            if key not in known:
                raise invalid_template(f"{where}.{key} is not emulated", f"{where}.{key}")
    return found


def _check_parameter(name: str, entry: Mapping[str, Any], value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Check a parameter's value by what is declared of it."""
    where = f"parameters.{name}"
    kinds = _KINDS.get(str(entry.get("type", "string")).lower())
    if kinds is None or not isinstance(value, kinds) or (kinds == (int,) and isinstance(value, bool)):
        raise invalid_template(f"the parameter '{name}' is no {entry.get('type')}", where)
    if "allowedValues" in entry and value not in _part(entry, "allowedValues", list, f"{where}."):
        raise invalid_template(f"the value of the parameter '{name}' is not among its allowedValues", where)
    told: Any = value
    size = told if isinstance(told, int) else len(told)
    bounds = ("minValue", "maxValue") if isinstance(value, int) else ("minLength", "maxLength")
    for bound, wrong in zip(bounds, (operator.lt, operator.gt), strict=True):
        limit = entry.get(bound)
        if limit is not None and (not isinstance(limit, int) or wrong(size, limit)):
            raise invalid_template(f"the parameter '{name}' does not keep its {bound}, {limit}", where)


def _copies(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Tell whether anything in a value is to be copied."""
    if isinstance(value, dict):
        return isinstance(value.get("copy"), list) or any(_copies(item) for item in value.values())
    return isinstance(value, list) and any(_copies(item) for item in value)


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Give the texts in a value."""
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, (list, dict)):
        for item in value if isinstance(value, list) else value.values():
            yield from _texts(item)


def _offset(arguments: Sequence[Any]) -> int:
    return next((int(value) for value in arguments if not isinstance(value, str)), 0)


def _secure(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("type", "")).lower().startswith("secure")
