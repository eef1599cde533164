"""What a backend says of itself where it is defined: what it is, its options, and whether it can plan.

    @offered(about="jobs are functions", options=(Option("nodes", "how many"),), plans=plan)
    def open_backend(options): ...

From this come the flags of the command line, the lists of ``scenario backends`` and the errors for options
that there are not. A backend that says nothing takes whatever it is given and judges it itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from batchai_scenario.backends.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from batchai_scenario.backends.base import Backend, BackendOptions, PlannedRequest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a backend, declared once.

    ``name``: in snake case; its flag is ``--name-in-words``. ``choices``: its only values; empty: any text.
    ``default``: what holds if it is not given, for people to read. ``number``: 0 or more. ``secret``: it has
    no flag, for flags stand in process tables. ``variable``: the environment variable it is read from, too.
    """

    name: str
    help: str
    choices: tuple[str, ...] = ()
    default: str = ""
    number: bool = False
    secret: bool = False
    variable: str = ""

    def check(self, value: str) -> None:
        """Refuse a value that it does not have; UserError."""
        if self.choices and value not in self.choices:
            raise UserError(f"{value!r} is not one of {', '.join(self.choices)}", field=self.name)
        if self.number:
            try:
                good = 0 <= float(value) < float("inf")
            except ValueError:
                good = False
            if not good:
                raise UserError(f"{value!r} is no number, 0 or more", field=self.name)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a plan's requests would go, and as whom: each by a name that is the same for every backend.

    ``endpoints`` and ``credentials`` are what stands in requests (or, of a secret, where it comes from).
    """

    endpoints: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict)


class Plans(Protocol):
    """The power to say what calls would send, without sending it."""

    def requests(
        self, options: BackendOptions, calls: Callable[[Backend], object]
    ) -> Sequence[PlannedRequest]:
        """Give the requests that ``calls`` would send, in order; UserError as the calls raise it."""
        ...

    def whereabouts(self, options: BackendOptions) -> Whereabouts:
        """Say where they would go, and as whom; empty if nowhere."""
        ...


@dataclass(frozen=True, slots=True)
class Offered:
    """What a backend says of itself.

    ``options`` None: it does not say. ``around``: it is a wrapper; options that it does not know are for the
    backend inside. ``plans``: makes what plans, when a plan is wanted.
    """

    about: str = ""
    options: tuple[Option, ...] | None = None
    around: bool = False
    plans: Callable[[], Plans] | None = None

    def check(self, backend: str, options: BackendOptions) -> None:
        """Refuse what the backend does not know, by name; UserError."""
        if self.options is None:
            return
        known = {option.name: option for option in self.options}
        if not self.around:
            refuse_unknown(backend, options, known)
        for name, value in options.values.items():
            if name in known:
                known[name].check(value)


def offered(
    about: str,
    *,
    options: tuple[Option, ...] = (),
    around: bool = False,
    plans: Callable[[], Plans] | None = None,
) -> Callable[[T], T]:
    """Declare what a function that opens a backend offers."""

    def declare(opens: T) -> T:
        opens.offered = Offered(about, options, around, plans)  # type: ignore[attr-defined]
        return opens

    return declare


def offer_of(opens: object) -> Offered:
    """Give what a function that opens a backend declared; nothing if it did not."""
    found = getattr(opens, "offered", None)
    return found if isinstance(found, Offered) else Offered()


def refuse_unknown(backend: str, options: BackendOptions, known: Iterable[str]) -> None:
    """Refuse an option that a backend does not know, by name.

    Raises:
        UserError: ``field`` is the option.
    """
    names = sorted(known)
    for name in options.values:
        if name not in names:
            raise UserError(
                f"the backend {backend!r} has no such option",
                field=name,
                hint=nearly(name, names) if names else "it has none",
            )


def nearly(name: str, known: Iterable[str]) -> str:
    """Suggest a name that is nearly the one given, and list all."""
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    return (f"did you mean {close[0]!r}? " if close else "") + f"known are {', '.join(names)}"
