"""The backends there are: ours, and those that other packages offer by an entry point.

Names are found without importing anything heavy; a backend's module is imported when it is opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, cast

from batchai_scenario.backends.errors import MachineError, ScenarioError, UserError
from batchai_scenario.backends.offers import Offered, nearly, offer_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

    from batchai_scenario.backends.base import Backend, BackendOptions, OpensBackend

GROUP = "scenario.backends"
"""The entry-point group; each entry names an ``OpensBackend``."""

BUILT_IN = {
    "azure": "batchai_scenario.backends.azure:open_backend",
    "faulty": "batchai_scenario.backends.wrappers:open_faulty",
    "local": "batchai_scenario.backends.local:open_backend",
    "memory": "batchai_scenario.backends.memory:open_backend",
    "recording": "batchai_scenario.backends.wrappers:open_recording",
    "replay": "batchai_scenario.backends.wrappers:open_replay",
    "slow": "batchai_scenario.backends.wrappers:open_slow",
}
"""Ours, known also in a checkout that was never installed."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A backend by name: where it is loaded from, what it says of itself, what is wrong (empty: nothing)."""

    name: str
    target: str
    error: str = ""
    offered: Offered = field(default_factory=Offered)


class Registry:
    """Finds backends by name.

    ``entries`` are entry points beside the built-in ones; by default the installed ones. Of two offers
    with one name the built-in one counts, then the first.
    """

    def __init__(self, entries: Iterable[EntryPoint] | None = None) -> None:
        self._entries = None if entries is None else list(entries)

    def _targets(self) -> dict[str, str]:
        found = dict(BUILT_IN)
        for entry in _installed() if self._entries is None else self._entries:
            found.setdefault(entry.name, entry.value)
        return found

    def names(self) -> list[str]:
        """List the names, sorted; imports nothing."""
        return sorted(self._targets())

    def offers(self) -> list[Offer]:
        """List the backends, sorted by name, each with what is wrong if it cannot be loaded."""
        return [_offer(name, target) for name, target in sorted(self._targets().items())]

    def describe(self, name: str) -> Offered:
        """Give what a backend says of itself.

        Raises:
            UserError: there is no such backend.
            MachineError: it cannot be loaded.
        """
        self.check(name)
        return offer_of(_load(name, self._targets()[name]))

    def check(self, name: str) -> None:
        """Refuse a name that no backend has, with one that may have been meant; UserError."""
        targets = self._targets()
        if name not in targets:
            raise UserError(f"there is no backend {name!r}", field="backend", hint=nearly(name, targets))

    def open(self, name: str, options: BackendOptions) -> Backend:
        """Open a backend.

        Raises:
            UserError: the name or an option is unknown.
            MachineError: the backend cannot be loaded, or lacks something.
        """
        self.check(name)
        opens = _load(name, self._targets()[name])
        offer_of(opens).check(name, options)
        return opens(options)


def _installed() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # heavy, and most of this module's users look for no backend

    return entry_points(group=GROUP)


def _offer(name: str, target: str) -> Offer:
    """Load a backend to see what it offers; what goes wrong is a part of the answer."""
    try:
        return Offer(name, target, offered=offer_of(_load(name, target)))
    except MachineError as error:
        return Offer(name, target, error.message)


def _load(name: str, target: str) -> OpensBackend:
    module, _, attribute = target.partition(":")
    try:
        opens = getattr(import_module(module), attribute)
    except ScenarioError:
        raise
    except Exception as error:  # another package's code: whatever it raises is reported
        reason = f"{type(error).__name__}: {error}"
        raise MachineError(
            f"the backend {name!r} ({target}) cannot be loaded: {reason}.",
            remedy="Reinstall or remove the package that offers it.",
        ) from error
    if not callable(opens):
        raise MachineError(
            f"the backend {name!r} ({target}) cannot be opened: it is not callable.",
            remedy="Reinstall or remove the package that offers it.",
        )
    return cast("OpensBackend", opens)
