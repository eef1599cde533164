"""Which points a sweep tries: all of a grid, some at random, or those that HyperBand lets go on.

A search gives rounds of points, and asks for the values of those before it gives the next. It is the same
again for the same seed and values, so that a sweep that was cut off finds every point by its number.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from batchai_scenario.backends.errors import UserError
from batchai_scenario.scenarios.sweep.over import MOST_POINTS, count, draw, grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batchai_scenario.scenarios.sweep.over import Axis, Point

    Values = Callable[[int], "float | None"]


class Search(Protocol):
    """Gives rounds of points; points are numbered from 1 in the order in which they are given."""

    def first(self) -> list[Point]:
        """Give the points that are checked before anything is made."""
        ...

    def rounds(self, value: Values) -> Iterator[list[Point]]:
        """Give the rounds. ``value`` gives that of a point by its number, the smaller the better, or None."""
        ...


@dataclass(frozen=True, slots=True)
class OneRound:
    """One round of points that are known: a grid's, or drawn ones."""

    points: tuple[Point, ...]

    def first(self) -> list[Point]:
        """Give all of them."""
        return list(self.points)

    def rounds(self, value: Values) -> Iterator[list[Point]]:  # noqa: ARG002 - no later round
        """Give all of them."""
        yield list(self.points)


def every(axes: Sequence[Axis]) -> OneRound:
    """Search a whole grid; UserError where it is too large."""
    return OneRound(tuple(grid(axes)))


def some(axes: Sequence[Axis], number: int, seed: int) -> OneRound:
    """Search points drawn at random.

    Raises:
        UserError: there are not as many that differ.
    """
    whole = count(axes)
    if whole is not None and number > whole:
        raise UserError(f"there are only {whole} points", "--random", "a grid of all needs no --random")
    points = draw(axes, number, random.Random(seed))  # noqa: S311 - not for secrets
    if len(points) < number:
        raise UserError(f"only {len(points)} points that differ were found", "--random")
    return OneRound(tuple(points))


@dataclass(frozen=True, slots=True)
class HyperBand:
    """Many points with few epochs, the best with more: brackets of rounds, as in the service's recipe.

    Args:
        axes: What points are drawn of.
        resource: The parameter that is what a point may use.
        most: Its largest value.
        eta: One of so many points goes on to the next round, which has so many times the resource.
        seed: What the dice begin with.
    """

    axes: tuple[Axis, ...]
    resource: str
    most: int
    eta: int
    seed: int

    def brackets(self) -> list[list[tuple[int, int]]]:
        """Give the rounds of each bracket as (points, resource), the bracket with the most points first."""
        steps = 0
        while self.eta ** (steps + 1) <= self.most:
            steps += 1
        whole = count(self.axes)
        found = []
        for halvings in range(steps, -1, -1):
            points = math.ceil((steps + 1) / (halvings + 1) * self.eta**halvings)
            points = points if whole is None else min(points, whole)
            rounds = [
                (points // self.eta**step, max(1, round(self.most / self.eta ** (halvings - step))))
                for step in range(halvings + 1)
            ]
            found.append([(number, resource) for number, resource in rounds if number])
        return found

    def total(self) -> int:
        """Count the jobs."""
        return sum(number for bracket in self.brackets() for number, _ in bracket)

    def first(self) -> list[Point]:
        """Give each drawn point with the most that it may use."""
        return [{**point, self.resource: self.most} for points in self._drawn() for point in points]

    def _drawn(self) -> list[list[Point]]:
        dice = random.Random(self.seed)  # noqa: S311 - not for secrets
        return [draw(self.axes, bracket[0][0], dice) for bracket in self.brackets()]

    def rounds(self, value: Values) -> Iterator[list[Point]]:
        """Give the rounds of each bracket; who has no value goes on last."""
        before = given = 0
        for bracket, drawn in zip(self.brackets(), self._drawn(), strict=True):
            points = drawn
            for step, (number, resource) in enumerate(bracket):
                if step:
                    points = _best(points, before, value)[:number]
                before = given
                given += len(points)
                yield [{**point, self.resource: resource} for point in points]


def _best(points: list[Point], before: int, value: Values) -> list[Point]:
    def key(index: int) -> float:
        found = value(before + index + 1)
        return math.inf if found is None else found

    return [points[index] for index in sorted(range(len(points)), key=key)]


def hyperband(axes: Sequence[Axis], text: str, eta: int, seed: int) -> HyperBand:
    """Read ``--hyperband epochs=27``.

    Raises:
        UserError: it is none, or there would be too many jobs.
    """
    name, equals, most = text.partition("=")
    if not equals or not most.strip().isdecimal() or int(most) < 1:
        raise UserError(f"{text!r} is not NAME=MOST", "--hyperband", "write --hyperband epochs=27")
    found = HyperBand(tuple(axes), name.strip(), int(most), eta, seed)
    if found.total() > MOST_POINTS:
        told = f"these are {found.total():,} jobs; a sweep has at most {MOST_POINTS:,}"
        raise UserError(told, "--hyperband", "name a smaller one")
    return found
