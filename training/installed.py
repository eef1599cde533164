"""Where the programs and data of this room lie on this machine. It alone here is imported by other rooms."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def training_folder() -> Path:
    """Give the folder of toolkits, data sets and images, whose programs run in processes of their own."""
    return Path(str(files("batchai_scenario.training")))
