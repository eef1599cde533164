"""Reading files strictly: every property is known or named as wrong, with the line it stands in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from batchai_scenario.backends.errors import InvalidScenario
from batchai_scenario.scenarios.report.text import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

Path_ = tuple[Any, ...]
Model = TypeVar("Model", bound="Strict")


class Strict(BaseModel):
    """A section of a file: unknown properties are refused with a suggestion."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _known_properties_only(cls, data: Any) -> Any:  # noqa: ANN401 - YAML holds anything
        if not isinstance(data, dict):
            return data
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for name in data:
            if name not in known:
                raise PydanticCustomError(
                    "unknown_property",
                    "unknown property '{name}' ({hint})",
                    {"name": str(name), "hint": did_you_mean(str(name), known)},
                )
        return data


class YamlFile:
    """A YAML file that was read: its data, and where each property stands."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidScenario(f"cannot read it: {error}", str(file)) from error
        self._lines: dict[Path_, int] = {}
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            self._note(root, ())
            self.data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{file}:{mark.line + 1}" if mark else str(file)
            problem = getattr(error, "problem", None) or str(error)
            raise InvalidScenario(
                f"this is not YAML: {problem}", where, "values with {{ }} or ': ' in them need quotes"
            ) from error
        if not isinstance(self.data, dict):
            raise InvalidScenario("the file must hold properties, e.g. 'summary: ...'", str(file))

    def _note(self, node: yaml.Node | None, path: Path_) -> None:
        if node is None:
            return
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, value in node.value:
                name = str(key.value)
                here = (*path, name)
                if name in seen:
                    raise InvalidScenario(
                        f"{name!r} stands here twice", self.where(here, key.start_mark.line + 1), "keep one"
                    )
                seen.add(name)
                self._note(value, here)
                self._lines[here] = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._note(value, (*path, index))

    def where(self, path: Path_, line: int = 0) -> str:
        """Name the file, the line and the property path: ``scenario.yaml:12: jobs.train.nodeCount``."""
        for length in range(len(path), -1, -1):
            line = line or self._lines.get(path[:length], 0)
        shown = dotted(path)
        return f"{self.file}:{line}" + (f": {shown}" if shown else "")

    def error(self, path: Path_, message: str, hint: str = "") -> InvalidScenario:
        """Make an error that names the file, the line and the property."""
        return InvalidScenario(message, self.where(path), hint)

    def read(self, model: type[Model], data: object, path: Path_ = ()) -> Model:
        """Read a section; InvalidScenario names the first thing that is wrong with it."""
        try:
            return model.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            location = tuple(part for part in first["loc"] if not _is_branch(part))
            raise self.error((*path, *location), _message(first)) from None


def wrong(text: str) -> PydanticCustomError:
    """Make an error for a validator to raise."""
    return PydanticCustomError("parameter", "{text}", {"text": text})


def dotted(path: Path_) -> str:
    """Write a property path: ``uploads[0].from``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _is_branch(part: object) -> bool:
    """Tell whether a part of a location is pydantic's name of a union's branch, not a property."""
    return isinstance(part, str) and (part in ("int", "float", "str", "bool") or part.startswith("function-"))


def _message(error: Any) -> str:  # noqa: ANN401 - pydantic's dictionary
    if error["type"] == "missing":
        return "this property is required"
    given = error.get("input")
    message = str(error["msg"])
    message = message[0].lower() + message[1:]
    if error["type"] not in ("unknown_property", "parameter") and isinstance(given, (str, int, float, bool)):
        message += f", not {given!r}"
    return message
