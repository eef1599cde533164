"""Steps on nodes of Slurm's: the one that runs a task's supervisor, and those that speak to it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.control import is_noted
from batchai_scenario.emulator.engines.nodes import read_note
from batchai_scenario.emulator.engines.slurm.commands import refuse_silence, unanswered
from batchai_scenario.emulator.engines.slurm.launchers import PULLING, told
from batchai_scenario.emulator.engines.supervisors import LAST_WORDS, await_that, is_free, marker_of
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, Problem
from batchai_scenario.emulator.lazy import LazyProperty

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchai_scenario.emulator.engines.slurm.commands import SlurmCommands
    from batchai_scenario.emulator.state.home import Home

STARTING = 60.0
"""Seconds that a step may take to begin."""

_PROGRAMS = ("step.sh", "container.sh")


class Steps:
    """Runs steps for tasks, which are known by their control folders.

    Args:
        home: whose tasks.
        commands: Slurm's.
    """

    def __init__(self, home: Home, commands: SlurmCommands) -> None:
        self._home = home
        self._commands = commands

    def launch(self, folder: Path, job: str, announce: Callable[[str], None]) -> None:
        """Start the step that runs a task's supervisor in an allocation; returns when it runs.

        ``announce`` hears what the step says of a container before that.

        Raises:
            EngineUnavailable: Slurm does not answer; nothing of it runs, nor will.
            EngineError: Slurm ran nothing, in its own words.
        """
        said = folder.with_name(f".{folder.name}.srun")
        with (folder / "alive").open("wb") as alive, said.open("wb") as log:
            fcntl.flock(alive, fcntl.LOCK_EX)
            # The lock travels as srun's standard input; nobody else gets it.
            process = subprocess.Popen(
                self._command(job, folder.name, "run", folder),
                stdin=alive,
                stdout=log,
                stderr=log,
                cwd="/",
                env=self._commands.environment,
                start_new_session=True,
            )
        threading.Thread(target=process.wait, name=f"reap {folder.name}", daemon=True).start()
        _await_begin(folder, announce)
        if not _began(folder):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it must not begin later
            await_that(lambda: is_free(folder), time.monotonic() + LAST_WORDS)
            text = said.read_text(errors="replace").strip()
            if not text:
                raise unanswered(f"srun started nothing within {STARTING:.0f} s")
            refuse_silence(text)
            host = read_note(folder.parent.parent).get("host")
            raise EngineError(Problem("InternalError", f"Slurm ran nothing on node {host}: {text}"))

    def tell(self, folder: Path, what: str, *more: str) -> None:
        """Do something on a task's node, by a step of its own; nothing if it has no node any more.

        Raises:
            EngineUnavailable: Slurm does not answer; the task may run on.
        """
        job = str(read_note(folder.parent.parent).get("job") or "")
        try:
            self._commands.run(*self._command(job, f"{what}-{folder.name}", what, folder, *more))
        except EngineUnavailable:
            raise
        except EngineError:
            return

    def kill(self, folder: Path) -> None:
        """Kill everything of a task; EngineUnavailable as ``tell``."""
        if not is_free(folder):
            self.tell(folder, "kill")
            await_that(lambda: is_free(folder), time.monotonic() + 2 * LAST_WORDS)

    def _command(self, job: str, name: str, what: str, folder: Path, *more: str) -> list[str]:
        """Give the command line of a step on a node: all of the node, beside what runs there."""
        marker = marker_of(self._home, folder.parent.parent.parent.name, folder.name)
        return [
            "srun", f"--jobid={job}", f"--job-name={name}", "--overlap", "--nodes=1", "--ntasks=1",
            "--cpu-bind=none", "--mpi=none", "--export=NONE", "--chdir=/",
            "--input=none", "--output=none", "--error=none",
            "/bin/sh", str(self._program), what, str(folder), marker, *more,
        ]  # fmt: skip

    @LazyProperty
    def _program(self) -> Path:
        """Give the script that steps run, as nodes see it; beside it lies what it reads for containers."""
        self._home.nodes.mkdir(parents=True, exist_ok=True)
        for name in _PROGRAMS:
            program = self._home.nodes / f".slurm-{name}"
            draft = program.with_name(f"{program.name}.{os.getpid()}")
            draft.write_bytes(Path(__file__).with_name(name).read_bytes())
            draft.replace(program)
        return self._home.nodes / f".slurm-{_PROGRAMS[0]}"


def _await_begin(folder: Path, announce: Callable[[str], None]) -> None:
    """Wait until a step runs or has ended; for as long as it takes where it fetches an image."""
    heard = 0

    def hear() -> bool:
        nonlocal heard
        lines = told(folder)
        for line in lines[heard:]:
            announce(line)
        heard = len(lines)
        return _began(folder) or is_free(folder)

    while not await_that(hear, time.monotonic() + STARTING) and is_noted(folder, PULLING):
        pass
    hear()


def _began(folder: Path) -> bool:
    """Tell whether the step runs: by what stands in a file, which no cache of a file system hides."""
    with suppress(OSError):
        return bool((folder / "step").read_text())
    return False
