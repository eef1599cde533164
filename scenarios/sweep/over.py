"""The values that a sweep goes over: ``epochs=2,4`` lists them, ``rate=0.001:0.1:log`` is a range."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import UserError
from batchai_scenario.scenarios.report.text import did_you_mean

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence

    from batchai_scenario.scenarios.definition.parameters import Parameter, Value

MOST_POINTS = 9_999
"""Points of one sweep."""

_TRIES = 100
"""Draws for each point that is wanted, after which there are no more that differ."""

_RANGE = re.compile(r"([^:,]+):([^:,]+?)(:log)?")

Point = dict[str, "Value"]


@dataclass(frozen=True, slots=True)
class Axis:
    """A parameter and its values: those listed, or (``values`` empty) all from ``low`` to ``high``.

    ``log``: each order of magnitude of a range is as likely as another.
    """

    name: str
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    log: bool = False

    def draw(self, dice: random.Random) -> Value:
        """Draw one value; of a range with six digits."""
        if self.values:
            return dice.choice(self.values)
        if self.log:
            value = math.exp(dice.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = dice.uniform(self.low, self.high)
        if self.whole:
            return dice.randint(round(self.low), round(self.high)) if not self.log else round(value)
        return min(self.high, max(self.low, float(f"{value:.6g}")))


def parse_over(texts: Sequence[str], declared: Mapping[str, Parameter]) -> list[Axis]:
    """Read the ``--over`` flags; each value must be one that the scenario's parameter may have.

    Raises:
        UserError: names the flag, and what is wrong with which value.
    """
    axes: list[Axis] = []
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip()
        if not equals or not name or not values.strip():
            raise UserError(f"{text!r} is not NAME=VALUE,VALUE", "--over", "write --over epochs=2,4")
        flag = f"--over {name}"
        if name not in declared:
            hint = did_you_mean(name, declared)
            raise UserError(f"the scenario has no parameter {name!r}", flag, hint)
        twin = next((axis.name for axis in axes if variable(axis.name) == variable(name)), None)
        if twin is not None:
            why = (
                "it stands twice" if twin == name else f"its variable {variable(name)} is that of {twin}, too"
            )
            raise UserError(why, flag, "give all values at once: NAME=VALUE,VALUE")
        axes.append(_axis(name, values, declared[name], flag))
    return axes


def _axis(name: str, text: str, parameter: Parameter, flag: str) -> Axis:
    span = _RANGE.fullmatch(text.strip()) if parameter.type in ("integer", "number") else None
    parts = [span[1], span[2]] if span else text.split(",")
    values: list[Value] = []
    for part in parts:
        try:
            value = parameter.convert(part.strip())
        except ValueError as error:
            raise UserError(str(error), flag, parameter.describe()) from None
        if value in values:
            raise UserError(f"{part.strip()} stands twice", flag)
        values.append(value)
    if span is None:
        return Axis(name, tuple(values))
    low, high = float(values[0]), float(values[1])
    if low > high:
        raise UserError(f"{parts[0]} is above {parts[1]}", flag, "write LOW:HIGH")
    if span[3] and low <= 0:
        raise UserError(f"a range with :log begins above 0, not at {parts[0]}", flag)
    if parameter.choices:
        raise UserError("a parameter with choices has no range", flag, parameter.describe())
    return Axis(name, (), low, high, whole=parameter.type == "integer", log=bool(span[3]))


def variable(parameter: str) -> str:
    """Give the variable in which a job finds a parameter of its point, named as in the service's recipes."""
    return f"PARAM_{parameter.upper()}"


def count(axes: Sequence[Axis]) -> int | None:
    """Count the points of a grid; None where a range has no end of them."""
    if any(not axis.values for axis in axes):
        return None
    return math.prod(len(axis.values) for axis in axes)


def grid(axes: Sequence[Axis]) -> Iterator[Point]:
    """Give every point, the last parameter moving first.

    Raises:
        UserError: there are too many, or a range has no end of them.
    """
    for axis in axes:
        if not axis.values:
            raise UserError("a range holds no end of points", f"--over {axis.name}", "add --random N")
    if (number := count(axes) or 0) > MOST_POINTS:
        raise UserError(f"these are {number:,} points; a sweep has at most {MOST_POINTS:,}", "--over")
    for values in itertools.product(*(axis.values for axis in axes)):
        yield dict(zip((axis.name for axis in axes), values, strict=True))


def draw(axes: Sequence[Axis], number: int, dice: random.Random) -> list[Point]:
    """Draw points that differ; fewer where there are no more."""
    found: dict[tuple[Value, ...], Point] = {}
    tries = number * _TRIES
    while len(found) < number and tries:
        tries -= 1
        point = {axis.name: axis.draw(dice) for axis in axes}
        found.setdefault(tuple(point.values()), point)
    return list(found.values())
