"""What this machine must have before jobs can run on it: asked for, and got, before anything is made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from batchai_scenario.backends.errors import MachineError
from batchai_scenario.training.installed import training_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from batchai_scenario.emulator.api import Engine, Lack, Need

_AT_ONCE = 4
"""Toolkits that are looked at side by side: each asks a program."""


def lacks(home: Path, engine: str, jobs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Say in words what has to be got before the jobs can run; empty: nothing.

    Raises:
        MachineError: this machine cannot run them; with the remedy.
    """
    from batchai_scenario.emulator.api import job_needs

    with _engine(home, engine) as found:
        needed = [found.lacks(need) for need in job_needs(jobs)]
    return tuple(_in_words(lack) for lack in needed if lack is not None)


def ready(
    home: Path,
    engine: str,
    jobs: Sequence[Mapping[str, Any]],
    tell: Callable[[str], None],
    progress: Callable[[str, int, int], None],
) -> None:
    """Get what the jobs need.

    Raises:
        MachineError: it cannot be had; with the remedy.
    """
    from batchai_scenario.emulator.api import job_needs

    with _engine(home, engine) as found:
        for need in job_needs(jobs):
            if found.lacks(need) is not None:
                found.obtain(need, tell, progress)


def framework_of_jobs(tool_type: str) -> str:
    """Name the framework that jobs of a toolkit must bring themselves; empty if it can be had here."""
    from batchai_scenario.training.toolkits.registry import delivered

    return next((one.framework for one in delivered() if one.tool_type == tool_type), "")


def toolkits_lack(home: Path, engine: str) -> Iterator[tuple[str, str | MachineError]]:
    """Say for each toolkit (``toolType``) what its first run would fetch, or why it cannot run here.

    Gives words, empty if a job could start at once; they are looked at side by side.

    Raises:
        MachineError: the engine does not answer.
    """
    from batchai_scenario.emulator.api import toolkit_needs

    with _engine(home, engine) as found, ThreadPoolExecutor(_AT_ONCE) as pool:

        def look(need: Need) -> str | MachineError:
            try:
                with _as_machines():
                    lack = found.lacks(need)
            except MachineError as error:
                return error
            return _in_words(lack) if lack is not None else ""

        needs = toolkit_needs()
        yield from zip(needs, pool.map(look, needs.values()), strict=True)


def _in_words(lack: Lack) -> str:
    return f"{lack.what} ({lack.bytes / 1e6:.0f} MB)" if lack.bytes else lack.what


@contextmanager
def _engine(home: Path, name: str) -> Iterator[Engine]:
    """Open an engine that answers; what it complains of is this machine's."""
    from batchai_scenario.emulator.api import Engines, Home

    with closing(Engines(Home(home), training_folder(), name)) as engines, _as_machines():
        found = engines()
        found.info()
        yield found


@contextmanager
def _as_machines() -> Iterator[None]:
    """Turn what an engine complains of into an error of this machine's."""
    from batchai_scenario.emulator.api import EngineError, EngineUnavailable

    try:
        yield
    except EngineUnavailable as error:
        raise MachineError(_sentence(error.problem.message), remedy=error.remedy) from error
    except EngineError as error:
        details = "; ".join(f"{key}: {value}" for key, value in error.problem.details)
        text = f"{error.problem.message}: {details}" if details else error.problem.message
        raise MachineError(_sentence(text)) from error


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
