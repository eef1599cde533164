"""Where this machine keeps what runs leave behind: the home folder, as the command line sees it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

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


def runs_folder(home: Path) -> Path:
    """Give the folder of run records: one folder a run."""
    return home / "runs"


def cache_folder(home: Path) -> Path:
    """Give the folder of what can be made again: data sets, toolkit environments."""
    return home / "cache"


def settings_file(home: Path) -> Path:
    """Give the user's settings file (YAML): flags without their dashes, e.g. ``backend: local``."""
    return home / "settings.yaml"
