"""Backends around other backends: ``slow``, ``faulty``, ``recording``, and ``replay`` of what was recorded.

The option ``of`` names the backend inside (``local`` by default); options that a wrapper does not know
are for that one. Each keeps the rules of ``batchai_scenario.backends.base.Backend``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from batchai_scenario.backends.errors import UserError
from batchai_scenario.backends.offers import Option, offer_of, offered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.backends.base import Backend, BackendOptions, PlannedRequest
    from batchai_scenario.backends.offers import Whereabouts

T = TypeVar("T")

_OF = Option("of", "The backend inside.", default="local")
_SEED = Option("seed", "What the dice begin with.", default="0", number=True)
_BUNDLE = Option("bundle", "The folder of the recording.")
OPTIONS = {
    "slow": (
        _OF,
        Option("latency", "Seconds that each call takes longer.", default="0.1", number=True),
        Option("jitter", "Seconds by which that differs.", default="0", number=True),
        _SEED,
    ),
    "faulty": (_OF, Option("faults", "What goes wrong, separated by ';' (docs/parity.md)."), _SEED),
    "recording": (_OF, _BUNDLE),
}
"""The wrappers, and the options that are theirs."""

OWN_OPTIONS = {name: tuple(option.name for option in options) for name, options in OPTIONS.items()}


class _InnerPlans:
    """Plans of a wrapper are those of the backend inside."""

    def __init__(self, name: str) -> None:
        self._name = name

    def requests(self, options: BackendOptions, calls: Callable[[Backend], object]) -> list[PlannedRequest]:
        from batchai_scenario.backends.planning import planned_requests

        of, inner, _ = inside(self._name, options)
        return planned_requests(of, inner, calls)

    def whereabouts(self, options: BackendOptions) -> Whereabouts:
        from batchai_scenario.backends.planning import whereabouts

        of, inner, _ = inside(self._name, options)
        return whereabouts(of, inner)


def _around(name: str, about: str) -> Callable[[T], T]:
    return offered(about, options=OPTIONS[name], around=True, plans=lambda: _InnerPlans(name))


def inside(name: str, options: BackendOptions) -> tuple[str, BackendOptions, dict[str, str]]:
    """Split a wrapper's options: the backend inside, that one's options, and the wrapper's own.

    Raises:
        UserError: a wrapper of a wrapper of its own kind.
    """
    own = {key: value for key, value in options.values.items() if key in OWN_OPTIONS[name]}
    of = own.pop("of", "local")
    if of == name:
        raise UserError(f"the backend {name!r} cannot be around itself", field="of")
    rest = {key: value for key, value in options.values.items() if key not in OWN_OPTIONS[name]}
    return of, replace(options, values=rest), own


def number(own: Mapping[str, str], name: str, default: float) -> float:
    """Read an option that is a number, 0 or more; UserError if it is none."""
    text = own.get(name, "")
    try:
        found = float(text) if text else default
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise UserError(f"{text!r} is no number, 0 or more", field=name)
    return found


def _inner(name: str, options: BackendOptions) -> tuple[Backend, str, dict[str, str]]:
    from batchai_scenario.backends.registry import Registry

    of, rest, own = inside(name, options)
    return Registry().open(of, rest), of, own


@_around("slow", "another backend that answers late (of=NAME, latency=SECONDS)")
def open_slow(options: BackendOptions) -> Backend:
    """Open a backend that answers late: ``latency`` and ``jitter`` in seconds, ``seed``."""
    from batchai_scenario.backends.wrappers.slow import SlowBackend

    _, _, own = inside("slow", options)
    latency, jitter = number(own, "latency", 0.1), number(own, "jitter", 0.0)
    seed = int(number(own, "seed", 0))
    return SlowBackend(_inner("slow", options)[0], latency, jitter, seed)


@_around("faulty", "another backend that fails as it is told (of=NAME, faults=...)")
def open_faulty(options: BackendOptions) -> Backend:
    """Open a backend that fails as told: ``faults`` separated by ``;`` (docs/parity.md), ``seed``."""
    from batchai_scenario.backends.wrappers.faults import Rules
    from batchai_scenario.backends.wrappers.faulty import FaultyBackend

    _, _, own = inside("faulty", options)
    rules = Rules.parse(filter(None, own.get("faults", "").split(";")), int(number(own, "seed", 0)))
    inner, of, _ = _inner("faulty", options)
    return FaultyBackend(inner, rules, options.home / "faults" / f"{of}.jsonl")


@_around("recording", "another backend, written down (of=NAME, bundle=FOLDER)")
def open_recording(options: BackendOptions) -> Backend:
    """Open a backend that writes down what it does, in the folder ``bundle`` (or one of the home)."""
    from datetime import datetime, timezone
    from pathlib import Path

    from batchai_scenario.backends.wrappers.recording import RecordingBackend

    inner, _, own = _inner("recording", options)
    stamp = f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S-%f}"
    bundle = Path(own["bundle"]) if own.get("bundle") else options.home / "recordings" / stamp
    return RecordingBackend(inner, bundle)


@offered("what was written down, without anything behind it (bundle=FOLDER)", options=(_BUNDLE,))
def open_replay(options: BackendOptions) -> Backend:
    """Open a recorded bundle as a backend: option ``bundle``. Nothing is sent anywhere."""
    from pathlib import Path

    from batchai_scenario.backends.wrappers.replay import ReplayBackend

    offer_of(open_replay).check("replay", options)
    if not options.values.get("bundle"):
        raise UserError("name the folder of a recording", field="bundle", hint="--option bundle=FOLDER")
    return ReplayBackend.read(Path(options.values["bundle"]))
