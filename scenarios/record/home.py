"""Where this machine keeps what runs leave behind: the home folder, as the command line sees it."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import MachineError, UserError
from batchai_scenario.scenarios.report.text import is_utf8

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "SCENARIO_HOME"


def home_folder(chosen: Path | str | None, environment: Mapping[str, str]) -> Path:
    """Give the home folder: the flag, else SCENARIO_HOME, else the platform's data folder; absolute."""
    value = str(chosen or environment.get(VARIABLE) or "")
    if value:
        return Path(os.path.abspath(Path(value).expanduser()))  # noqa: PTH100 - keeps symlinks as given
    from platformdirs import user_data_path

    return user_data_path("batchai-scenario", appauthor=False)


def check_home(home: Path) -> None:
    """Check that a home folder can be one, before anything looks into it.

    Raises:
        UserError: its name is not UTF-8: it could stand in no record.
        MachineError: it is no folder, or its path is longer than this machine allows.
    """
    if not is_utf8(str(home)):
        raise UserError(f"the name {os.fsencode(home)!r} is not UTF-8", VARIABLE)
    try:
        found = home.stat()
    except FileNotFoundError:
        return  # it is made when something is to be kept
    except OSError as error:
        raise unusable(home, error) from None
    if not stat.S_ISDIR(found.st_mode):
        raise unusable(home, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))


def unusable(home: Path, error: OSError) -> MachineError:
    """Say why a home folder cannot be used."""
    text = f"the home folder cannot be used: {error.strerror}: {home}."
    return MachineError(text, f"Choose another with --home or {VARIABLE}.")


def make_private(folder: Path) -> None:
    """Make a folder of the home, and those above it that are not there, for their owner alone."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def runs_folder(home: Path) -> Path:
    """Give the folder of run records: one folder a run."""
    return home / "runs"


def run_folders(home: Path) -> list[Path]:
    """List the folders of runs, the newest first by the second that stands in their names; opens none."""
    folder = runs_folder(home)
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
    except FileNotFoundError:
        return []
    return [folder / name for name in sorted(names, key=lambda name: (second_in(name), name), reverse=True)]


def second_in(name: str) -> str:
    """Give the second that stands in a run's id, as text that sorts by time; empty if the name is none."""
    found = re.search(r"-(\d{8}-\d{6})-[0-9a-f]{4}$", name)
    return found[1] if found else ""


def cache_folder(home: Path) -> Path:
    """Give the folder of what can be made again: data sets, toolkit environments."""
    return home / "cache"


def settings_file(home: Path) -> Path:
    """Give the user's settings file (YAML): flags without their dashes, e.g. ``backend: local``."""
    return home / "settings.yaml"
