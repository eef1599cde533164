"""Homes that are damaged: looked at, mended, and what can be read brought out. Plain data comes back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import MachineError, UserError
from batchai_scenario.backends.local.host import HomeTakenError, locked

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Damage:
    """Something in a home that cannot be used: what, and what helps."""

    path: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was brought out: shares (``account/share``), run ids, and what could not be read, a line each."""

    folder: Path
    shares: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def damages(home: Path) -> list[Damage]:
    """List what is damaged in a home's state; empty if nothing is."""
    from batchai_scenario.emulator.api import Home, HomeDamaged
    from batchai_scenario.emulator.api import home_problems as problems

    return [
        Damage(one.path, one.reason, one.remedy)
        if isinstance(one, HomeDamaged)
        else Damage(str(Home(home).database), str(one), "")
        for one in problems(Home(home))
    ]


def last_copy(home: Path) -> datetime | None:
    """Tell when the newest copy of the state was made; None if there is none."""
    from batchai_scenario.emulator.api import Home
    from batchai_scenario.emulator.api import home_copies as copies

    return next((copy.made for copy in copies(Home(home))), None)


def repair(home: Path) -> list[str]:
    """Put aside what is damaged and the newest good copy in its place; gives a line for each thing.

    Raises:
        MachineError: an emulator serves the home, or the disk refuses.
    """
    import sqlite3

    from batchai_scenario.emulator.api import Home
    from batchai_scenario.emulator.api import repair_home as mend

    try:
        with locked(home):
            return mend(Home(home), datetime.now(timezone.utc))
    except HomeTakenError as error:
        raise MachineError(
            str(error), remedy="Stop it with 'scenario emulator stop', then try again."
        ) from None
    except (OSError, sqlite3.Error) as error:
        raise MachineError(
            f"{home} cannot be repaired: {error}.", remedy="Bring out what is in it."
        ) from error


def salvage(home: Path, into: Path) -> Salvaged:
    """Copy shares and run records out of a home, whatever state it is in.

    Shares stand in ``<into>/storage/<account>/<share>`` afterwards, runs in ``<into>/runs/<run>``; links are
    copied and not followed.

    Raises:
        UserError: ``into`` holds something already, or lies in the home.
        MachineError: nothing can be written there.
    """
    from batchai_scenario.emulator.api import Home

    target = into.absolute()
    if target.resolve().is_relative_to(home.resolve()):
        raise UserError(
            f"{into} lies in the home that is to be left", field="DIR", hint="name a folder elsewhere"
        )
    try:
        if target.exists() and any(target.iterdir()):
            raise UserError(f"{into} is not empty", field="DIR", hint="name a new folder")
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(
            f"{into} cannot be written: {error.strerror}.", remedy="Name another folder."
        ) from None
    lost: list[str] = []
    shares = _copy_all(Home(home).storage, target / "storage", 2, lost)
    runs = _copy_all(home / "runs", target / "runs", 1, lost)
    return Salvaged(target, tuple(shares), tuple(runs), tuple(lost))


def _copy_all(source: Path, target: Path, depth: int, lost: list[str]) -> list[str]:
    """Copy the folders at a depth; gives their names, ``a/b`` at depth 2."""
    from batchai_scenario.emulator.api import copy_tree

    if depth == 0:
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            copy_tree(str(source), str(target), lambda path, why: lost.append(f"{source}/{path}: {why}"))
        except OSError as error:
            lost.append(f"{source}: {error.strerror}")
        return [source.name]
    found: list[str] = []
    try:
        names = sorted(entry.name for entry in os.scandir(source) if entry.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        lost.append(f"{source}: {error.strerror}")
        return []
    for name in names:
        if name == ".staging":
            continue  # data on its way in
        below = _copy_all(source / name, target / name, depth - 1, lost)
        found += below if depth == 1 else [f"{name}/{one}" for one in below]
    return found
