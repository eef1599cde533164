"""A bench: one backend set up to be checked, with what is known of it beside the interface."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol, cast

from batchai_scenario.backends.base import BackendOptions
from batchai_scenario.backends.errors import MachineError, UserError
from batchai_scenario.backends.registry import Registry
from batchai_scenario.backends.testing.fetching import fetch_url
from batchai_scenario.backends.testing.rules import LOOKS
from batchai_scenario.backends.testing.vocabulary import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from batchai_scenario.backends.base import Backend
    from batchai_scenario.backends.testing.probes import Probes
    from batchai_scenario.backends.testing.rules import Rule

GROUP = "scenario.benches"
"""The entry-point group of benches, for backends that need more than ``plain_bench``; by backend's name."""

BUILT_IN = {
    "azure": "batchai_scenario.backends.testing.benches:azure_bench",
    "local": "batchai_scenario.backends.testing.benches:local_bench",
    "memory": "batchai_scenario.backends.testing.benches:memory_bench",
}


@dataclass(frozen=True, slots=True)
class BenchTarget:
    """What ``--backend`` names: a backend and its options, ``NAME[:option=value[,option=value]...]``."""

    name: str
    options: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> BenchTarget:
        """Read a target.

        Raises:
            UserError: it is not of this form.
        """
        name, _, rest = text.partition(":")
        options: dict[str, str] = {}
        for part in filter(None, rest.split(",")):
            option, equals, value = part.partition("=")
            if not equals or not option:
                raise UserError(f"{part!r} in {text!r} is not option=value", field="--backend")
            options[option] = value
        if not name:
            raise UserError(f"{text!r} names no backend", field="--backend")
        return cls(name, options)

    def __str__(self) -> str:
        options = ",".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.name}:{options}" if options else self.name


@dataclass(frozen=True, slots=True)
class BenchSetting:
    """Where a bench is set up: its own folder, the environment, the image that jobs run in ("": none)."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    image: str = ""


@dataclass
class Bench:
    """A backend to be checked.

    ``open`` opens it, each time like another process; it takes options beside the target's. ``probes``
    look at the world itself; None: nothing can be looked at but through the backend. ``commands`` are the
    programs of the vocabulary. ``container`` is added to jobs as ``containerSettings``. ``attach`` are the
    arguments by which another process opens the backend; None: no other process can; ``environment`` is
    what that process needs beside this one's. ``fetch`` reads a URL, or a range of it, as anybody can.
    ``unseen`` declares the looks that this bench does not offer (keys of ``rules.LOOKS``), each with the
    reason: a look that is neither offered nor declared absent fails its rules. ``note`` tells the report's
    readers what stands behind this bench.
    """

    name: str
    folder: Path
    open: Callable[[Mapping[str, str]], Backend]
    probes: Probes | None = None
    commands: Mapping[str, str] = field(default_factory=lambda: COMMANDS)
    container: Mapping[str, Any] | None = None
    pause: Callable[[float], None] = time.sleep
    attach: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    fetch: Callable[[str, str], bytes] = fetch_url
    unseen: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    _main: Backend | None = None

    def absent(self, rule: Rule) -> str:
        """Say what is declared absent that a rule needs, and why; empty if the rule must be kept.

        Raises:
            UserError: the bench declares a look that there is not, or gives no reason.
        """
        for look, reason in self.unseen.items():
            if look not in LOOKS or not reason.strip():
                said = f"{look!r} is no look" if look not in LOOKS else "the reason is missing"
                raise UserError(f"{said}; looks are {', '.join(LOOKS)}", field=f"unseen of {self.name}")
        return rule.absent(self.main.capabilities(), self.unseen)

    @property
    def main(self) -> Backend:
        """The backend that all checks share; opened when it is asked for first."""
        if self._main is None:
            self._main = self.open({})
        return self._main

    def close(self) -> None:
        """Close the backend that the checks shared."""
        if self._main is not None:
            self._main.close()
            self._main = None


class MakesBench(Protocol):
    """What an entry point of the group ``scenario.benches`` names."""

    def __call__(self, target: BenchTarget, setting: BenchSetting) -> Bench:
        """Set a bench up; opens nothing."""
        ...


def make_bench(target: BenchTarget, setting: BenchSetting) -> Bench:
    """Set up the bench of a backend: its own where one is registered, else a plain one.

    Raises:
        UserError: there is no backend of this name.
        MachineError: the bench, or the backend, cannot be loaded.
    """
    for offer in Registry().offers():
        if offer.name == target.name and offer.error:
            raise MachineError(offer.error)
    if target.name not in Registry().names():
        known = ", ".join(Registry().names())
        raise UserError(f"there is no backend {target.name!r}; known are {known}", field="--backend")
    found = {entry.name: entry.value for entry in entry_points(group=GROUP)} | BUILT_IN
    if target.name not in found:
        return plain_bench(target, setting)
    module, _, attribute = found[target.name].partition(":")
    try:
        make = cast("MakesBench", getattr(import_module(module), attribute))
    except Exception as error:  # another package's code: whatever it raises is reported
        reason = f"{type(error).__name__}: {error}"
        raise MachineError(f"the bench of {target.name!r} cannot be loaded: {reason}.") from error
    return make(target, setting)


def plain_bench(target: BenchTarget, setting: BenchSetting) -> Bench:
    """Set up a backend that runs shell commands, opened by its name; nothing looks past its interface."""

    def opens(more: Mapping[str, str]) -> Backend:
        options = {**target.options, **more}
        return Registry().open(
            target.name, BackendOptions(setting.folder / "home", options, setting.environment)
        )

    container = {"imageSourceRegistry": {"image": setting.image}} if setting.image else None
    attach = (str(target), str(setting.folder / "home"))
    return Bench(
        str(target),
        setting.folder,
        opens,
        container=container,
        attach=attach,
        environment=setting.environment,
        unseen=dict.fromkeys(("folder", "traces"), f"no bench of {target.name!r} offers probes"),
    )
