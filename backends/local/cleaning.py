"""What empties homes: ``reset`` and ``gc``. Plain data comes back."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from batchai_scenario.backends.errors import LeftBehind, MachineError, UserError
from batchai_scenario.backends.local.control import live, status, stop
from batchai_scenario.backends.local.host import HomeTakenError, locked


def reset(home: Path, *, force: bool = False) -> list[str]:
    """Delete everything that an emulator keeps in a home but its caches; gives a line for each thing.

    An emulator that serves the home is stopped. Runs' records are not the emulator's, and stay. With
    ``force`` it does not matter whether the state can be read.

    Raises:
        UserError: jobs run, and ``force`` is not set.
        MachineError: the emulator could not be stopped, the state cannot be read and ``force`` is not set,
            or something cannot be removed.
        LeftBehind: an engine does not remove something; all else is gone.
    """
    from batchai_scenario.emulator.api import Home

    found = status(home)
    if not force and found.problem:
        raise MachineError(f"whether jobs run is not known: {found.problem}", remedy=found.remedy)
    if not force and found.running_jobs:
        listed = ", ".join(found.running_jobs)
        raise UserError(f"jobs are not finished: {listed}", hint="wait, terminate them, or give --force")
    stop(home)
    place = Home(home)
    with locked(home):
        removed, stays = _sweep(home, frozenset())
        for path in (place.database.parent, place.storage, place.nodes, place.address_file):
            if _removed(path):
                removed.append(f"removed {path}")
    return _told(removed, stays)


def _removed(path: Path) -> bool:
    """Remove a file or folder of a home; of a link to a folder, what is in that; False if there was nothing.

    Raises:
        MachineError: something cannot be removed; everything else is gone.
    """
    from batchai_scenario.emulator.api import beneath

    if not path.exists() and not path.is_symlink():
        return False
    try:
        if path.is_symlink() and path.is_dir():  # the user's own, to another disk
            for name in os.listdir(path):  # noqa: PTH208 - names
                beneath.remove_path(path.resolve() / name)
        else:
            beneath.remove_path(path)
    except OSError as error:
        raise MachineError(
            f"{path} cannot be removed: {error}.", remedy="Remove it as the user to whom it belongs."
        ) from error
    return True


def gc(home: Path) -> list[str]:
    """Remove what belongs to no cluster of this home or to a home that is gone; a line for each thing.

    An emulator that serves the home looks after its own things, so only those of lost homes are removed.

    Raises:
        LeftBehind: an engine does not remove something; all else is gone.
    """
    try:
        with locked(home):
            removed, stays = _sweep(home, live(home)[0])
            return _told(_tidied(home) + removed, stays)
    except HomeTakenError:
        with tempfile.TemporaryDirectory() as nobody:
            return _told(*_sweep(Path(nobody), frozenset()))


def _tidied(home: Path) -> list[str]:
    """Complete or remove what a killed emulator left of uploads; a line if there was any."""
    from batchai_scenario.emulator.api import Home, Seal, Shares, Store

    place = Home(home)
    staging = place.storage / ".staging"
    if not (staging.is_dir() and any(staging.iterdir())):
        return []
    store = Store(place.database, Seal.at(place.seal_key))
    try:
        Shares(place, store)  # does it when it is made
    finally:
        store.close()
    return [f"what uploads had left in {staging}"]


def _sweep(home: Path, keep: frozenset[str]) -> tuple[list[str], list[str]]:
    """Sweep every engine; give a line for each thing that is gone, and for each that stays."""
    from batchai_scenario.backends.local.tools import build_engine
    from batchai_scenario.emulator.api import errors
    from batchai_scenario.schema.engines import ENGINES

    def swept(name: str) -> tuple[list[str], list[str]]:
        try:
            return build_engine(home, name).sweep(keep), []
        except errors.EngineUnavailable:
            return [], []  # where no engine answers nothing can be swept
        except errors.CleanupIncomplete as error:
            return list(error.removed), list(error.stays)

    found = [swept(name) for name in ENGINES]
    return [line for removed, _ in found for line in removed], [line for _, stays in found for line in stays]


def _told(removed: list[str], stays: list[str]) -> list[str]:
    if stays:
        message = f"not everything of ours could be removed. {' '.join(stays)}"
        raise LeftBehind(message, removed=tuple(removed), stays=tuple(stays))
    return removed
