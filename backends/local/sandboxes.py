"""Slurm for a home: what is there, and a cluster of this machine alone to try the engine ``slurm`` on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from batchai_scenario.backends.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchai_scenario.emulator.api import SlurmCheck


@contextmanager
def slurm_sandbox(home: Path, nodes: int) -> Iterator[Path]:
    """Start a Slurm cluster and write the home's settings for it; gives its folder. It is gone afterwards.

    Raises:
        MachineError: this machine lacks Slurm's programs, or the home has settings of its own.
    """
    from batchai_scenario.emulator.api import EngineUnavailable, Home
    from batchai_scenario.emulator.api import slurm_sandbox as sandbox

    try:
        with sandbox(nodes, Home(home).slurm_settings) as found:
            yield found.folder
    except EngineUnavailable as error:
        raise MachineError(error.problem.message, remedy=error.remedy) from None


def slurm_checks(home: Path) -> Iterator[SlurmCheck]:
    """Look at the Slurm cluster that a home has settings for; nothing if it has none."""
    from batchai_scenario.emulator.api import Home
    from batchai_scenario.emulator.api import slurm_checks as checks

    yield from checks(Home(home))


def has_slurm_settings(home: Path) -> bool:
    """Tell whether somebody said in a home that there is a Slurm cluster."""
    from batchai_scenario.emulator.api import Home

    return Home(home).slurm_settings.exists()
