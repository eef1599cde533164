"""Parameters of a scenario: their declaration, and the values that people set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Union

from pydantic import Field, model_validator

from batchai_scenario.backends.errors import InvalidScenario, UserError
from batchai_scenario.scenarios.definition.strict import Strict, wrong
from batchai_scenario.scenarios.report.text import did_you_mean, is_utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Value = Union[int, float, str, bool]  # noqa: UP007 - pydantic evaluates it on Python 3.10 as well
_WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class Parameter(Strict):
    """A declared parameter; without a ``default`` it must be set."""

    type: Literal["integer", "number", "string", "boolean"] = "string"
    default: Value | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: list[Value] = Field(default_factory=list)
    help: str = ""

    @model_validator(mode="after")
    def _default_fits(self) -> Parameter:
        for label, values in (("default", [self.default]), ("choices", self.choices)):
            for value in values:
                if value is None:
                    continue
                try:
                    self.convert(value)
                except ValueError as error:
                    raise wrong(f"{label}: {error}") from error
        return self

    def convert(self, value: Value) -> Value:
        """Turn what was written (text, or typed by YAML) into the type; ValueError says why not."""
        result = _CONVERTERS[self.type](value)
        if self.minimum is not None and not isinstance(result, str) and result < self.minimum:
            raise ValueError(f"{result} is below the minimum {_short(self.minimum)}")
        if self.maximum is not None and not isinstance(result, str) and result > self.maximum:
            raise ValueError(f"{result} is above the maximum {_short(self.maximum)}")
        if self.choices and result not in [_CONVERTERS[self.type](choice) for choice in self.choices]:
            raise ValueError(f"{result!r} is none of: {', '.join(str(choice) for choice in self.choices)}")
        return result

    def sample(self) -> Value:
        """Give a value to check the rest of a file with: the default, or one that fits."""
        if self.default is not None:
            return self.convert(self.default)
        if self.choices:
            return self.convert(self.choices[0])
        low = self.minimum if self.minimum is not None else min(1.0, self.maximum or 1.0)
        samples: dict[str, Value] = {
            "integer": math.ceil(low),
            "number": low,
            "string": "x",
            "boolean": False,
        }
        return samples[self.type]

    def describe(self) -> str:
        """Say the type and its limits in a few words: ``integer, 1 or more``."""
        words: list[str] = [self.type]
        if self.minimum is not None and self.maximum is not None:
            words.append(f"{_short(self.minimum)} to {_short(self.maximum)}")
        elif self.minimum is not None:
            words.append(f"{_short(self.minimum)} or more")
        elif self.maximum is not None:
            words.append(f"{_short(self.maximum)} or less")
        if self.choices:
            words.append("one of " + " ".join(str(choice) for choice in self.choices))
        return ", ".join(words)


def _short(number: float) -> str:
    return f"{number:g}" if abs(number) < 1e6 else str(int(number))  # noqa: PLR2004


def _boolean(value: Value) -> bool:
    word = str(value).strip().lower()
    if word not in _WORDS:
        raise ValueError(f"{value!r} is not a boolean; write true or false")
    return _WORDS[word]


def _integer(value: Value) -> int:
    wrong_kind = isinstance(value, bool) or (isinstance(value, float) and not value.is_integer())
    try:
        return int("" if wrong_kind else value)
    except (ValueError, OverflowError):
        raise ValueError(f"{value!r} is not an integer") from None


def _number(value: Value) -> float:
    try:
        number = float("" if isinstance(value, bool) else value)
    except ValueError:
        raise ValueError(f"{value!r} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not a finite number")
    return number


def _string(value: Value) -> str:
    if not is_utf8(str(value)):
        raise ValueError(f"{value!r} is not UTF-8")
    return str(value).lower() if isinstance(value, bool) else str(value)


_CONVERTERS: dict[str, Callable[[Value], Value]] = {
    "integer": _integer,
    "number": _number,
    "string": _string,
    "boolean": _boolean,
}


def parse_settings(settings: Sequence[str]) -> dict[str, str]:
    """Read ``--set key=value`` flags; a later one wins; UserError for text without ``=``."""
    values = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            raise UserError(f"{setting!r} is not key=value", "--set", "write --set epochs=3")
        values[name.strip()] = value
    return values


def values_of(
    declared: Mapping[str, Parameter], overrides: Mapping[str, Value], *, samples: bool = False
) -> dict[str, Value]:
    """Give every declared parameter its value: what was set, else its default.

    Args:
        declared: The scenario's parameters.
        overrides: What was set, as text from the command line or typed.
        samples: Fill parameters without a default with a sample, to check a file.

    Raises:
        UserError: An unknown parameter, a value that does not fit.
        InvalidScenario: A parameter without a default was not set.
    """
    for name in overrides:
        if name not in declared:
            raise UserError(
                f"the scenario has no parameter {name!r}", f"--set {name}", did_you_mean(name, declared)
            )
    values: dict[str, Value] = {}
    for name, parameter in declared.items():
        if name in overrides:
            try:
                values[name] = parameter.convert(overrides[name])
            except ValueError as error:
                raise UserError(str(error), f"--set {name}", parameter.describe()) from None
        elif parameter.default is not None or samples:
            values[name] = parameter.sample()
        else:
            about = f": {parameter.help}" if parameter.help else ""
            raise InvalidScenario(
                f"parameter {name!r} has no default and was not set",
                "--set",
                f"add --set {name}=VALUE{about}",
            )
    return values
