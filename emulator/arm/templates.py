"""Deployment templates: read, checked as a whole, and taken apart into resources in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchai_scenario.emulator.arm.expressions import ExpressionError, evaluate
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
_PARTS = frozenset(
    {"type", "name", "apiVersion", "dependsOn", "copy", "condition", "comments", "resources", "scope"}
)
_MOST_COPIES = 800
"""Copies of one resource: the service's limit."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a template: ``body`` is what is put, with its expressions; ``index`` its copy's number.

    ``depends`` are full names (``type/name``, in lower case) or plain names, as ``dependsOn`` gave them.
    """

    type: str
    name: str
    api_version: str
    body: Mapping[str, Any]
    index: int
    depends: tuple[str, ...]

    def path(self, prefix: str) -> str:
        """Give its path below a resource group's (``prefix``)."""
        namespace, *types = self.type.split("/")
        pairs = "/".join(f"{kind}/{name}" for kind, name in zip(types, self.name.split("/"), strict=True))
        return f"{prefix}/providers/{namespace}/{pairs}"

    def is_meant(self, dependency: str) -> bool:
        """Tell whether an entry of ``dependsOn`` names it: by id, by ``type/name``, or by name."""
        wanted = dependency.lower().strip("/")
        path = self.path("").lower().strip("/")
        return wanted in (self.name.lower(), f"{self.type}/{self.name}".lower()) or wanted.endswith(path)


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
        self._template = template
        self._functions = dict(functions)
        self._parameters = self._read_parameters(given)
        self._functions["parameters"] = self._parameter
        self._functions["variables"] = self._variable
        self._depth = 0

    def resources(self) -> list[Resource]:
        """Give its resources, each after what it depends on, without those whose condition is false."""
        found = list(self._all(self._template.get("resources") or (), "", ""))
        return _ordered(found)

    def body(self, resource: Resource, more: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
        """Give what is to be put for a resource; ``more`` are functions that look at what is there by now."""
        whole: dict[str, Any] = self._evaluate(dict(resource.body), resource.index, more)
        return whole

    def outputs(self, more: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
        """Give its outputs; the values of secure ones are left out."""
        outputs = self._template.get("outputs") or {}
        return {
            name: {
                "type": output.get("type", "String"),
                **({} if _secure(output) else {"value": self._evaluate(output.get("value"), 0, more)}),
            }
            for name, output in outputs.items()
            if self._evaluate(output.get("condition", True), 0, more)
        }

    def told_parameters(self) -> dict[str, Any]:
        """Give the parameters without the values of secure ones."""
        declared = self._template.get("parameters") or {}
        return {
            name: {
                "type": declared[name].get("type", "String"),
                **({} if _secure(declared[name]) else {"value": value}),
            }
            for name, value in self._parameters.items()
        }

    def _read_parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        declared = self._template.get("parameters") or {}
        for name in given:
            if name.lower() not in {known.lower() for known in declared}:
                raise invalid_template(f"the template has no parameter '{name}'", f"parameters.{name}")
        values: dict[str, Any] = {}
        lower = {name.lower(): entry for name, entry in given.items()}
        self._functions["parameters"] = lambda name: values[name]
        for name, entry in declared.items():
            where = f"parameters.{name}"
            got = lower.get(name.lower())
            if got is None and "defaultValue" not in entry:
                raise invalid_template(f"the parameter '{name}' has no value", where)
            if got is not None and "value" not in got:
                raise invalid_template(
                    f"the parameter '{name}' has no 'value'; references are not emulated", where
                )
            value = self._evaluate(entry["defaultValue"], 0, {}) if got is None else got["value"]
            kinds = _KINDS.get(str(entry.get("type", "string")).lower())
            if kinds is None or not isinstance(value, kinds) or (kinds == (int,) and isinstance(value, bool)):
                raise invalid_template(f"the parameter '{name}' is no {entry.get('type')}", where)
            if "allowedValues" in entry and value not in entry["allowedValues"]:
                raise invalid_template(
                    f"the value of the parameter '{name}' is not among its allowedValues", where
                )
            values[name] = value
        return values

    def _parameter(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        for known, value in self._parameters.items():
            if known.lower() == name.lower():
                return value
        raise ExpressionError(f"there is no parameter '{name}'")

    def _variable(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        for known, value in (self._template.get("variables") or {}).items():
            if known.lower() == name.lower():
                if self._depth > len(self._template["variables"]):
                    raise ExpressionError(f"the variable '{name}' needs itself")
                self._depth += 1
                try:
                    return evaluate(value, self._functions)
                finally:
                    self._depth -= 1
        raise ExpressionError(f"there is no variable '{name}'")

    def _evaluate(self, value: Any, index: int, more: Mapping[str, Callable[..., Any]]) -> Any:  # noqa: ANN401
        functions = {**self._functions, "copyindex": lambda *args: index + _offset(args), **more}
        try:
            return evaluate(value, functions)
        except ExpressionError as error:
            raise invalid_template(str(error)) from None

    def _all(self, entries: Sequence[Any], types: str, names: str) -> Iterator[Resource]:
        for entry in entries:
            if not isinstance(entry, dict) or not entry.get("type") or not entry.get("name"):
                raise invalid_template("every resource needs a type and a name", "resources")
            count = self._evaluate((entry.get("copy") or {}).get("count", 1), 0, {})
            if not isinstance(count, int) or not 0 <= count <= _MOST_COPIES:
                raise invalid_template(
                    f"a resource is copied 0 to {_MOST_COPIES} times", "resources.copy.count"
                )
            for index in range(count):
                if self._evaluate(entry.get("condition", True), index, {}) is not False:
                    yield from self._one(entry, index, types, names)

    def _one(self, entry: Mapping[str, Any], index: int, types: str, names: str) -> Iterator[Resource]:
        kind, name = f"{types}{entry['type']}", f"{names}{self._evaluate(entry['name'], index, {})}"
        if len(kind.split("/")) != len(name.split("/")) + 1:
            raise invalid_template(f"the name '{name}' does not fit the type '{kind}'", "resources.name")
        depends = [str(item) for item in self._evaluate(list(entry.get("dependsOn") or ()), index, {})]
        yield Resource(
            type=kind,
            name=name,
            api_version=str(self._evaluate(entry.get("apiVersion") or "", index, {})),
            body={key: value for key, value in entry.items() if key not in _PARTS},
            index=index,
            depends=tuple(depends),
        )
        yield from self._all(entry.get("resources") or (), f"{kind}/", f"{name}/")


def _ordered(resources: list[Resource]) -> list[Resource]:
    waiting, done = list(resources), []
    while waiting:
        ready = [
            one
            for one in waiting
            if not any(other.is_meant(text) for other in waiting if other is not one for text in one.depends)
        ]
        if not ready:
            names = ", ".join(one.name for one in waiting)
            raise invalid_template(f"these resources wait for each other: {names}", "resources.dependsOn")
        done += ready
        waiting = [one for one in waiting if one not in ready]
    return done


def _offset(arguments: Sequence[Any]) -> int:
    return next((int(value) for value in arguments if not isinstance(value, str)), 0)


def _secure(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("type", "")).lower().startswith("secure")


def invalid_template(why: str, target: str = "") -> ServiceError:
    """Say what is wrong with a template."""
    text = f"Deployment template validation failed: '{why}'."
    return ServiceError(400, "InvalidTemplate", text, f"properties.template.{target}" if target else "")
