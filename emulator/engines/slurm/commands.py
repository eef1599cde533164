"""Slurm's commands, and nothing else: how they are called, and what it means when they fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.slurm.questions import QUESTIONS, Pace
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NEEDED = ("sbatch", "srun", "squeue", "scancel", "sinfo", "scontrol")
LEAST = (20, 11)
"""The first version whose ``srun`` knows ``--overlap``, which steps beside others need."""

REFUSED, SILENT = "SlurmRefused", "SlurmUnavailable"
TIMEOUT = 30.0
"""Seconds that a command may take; slurmctld answers within its own ``MessageTimeout``, 10 by default."""

_OPTIONS = re.compile(r"(SLURM|SBATCH|SRUN|SALLOC|SQUEUE|SINFO|SCANCEL|SCONTROL)_\w+")
_NOBODY = re.compile(
    r"unable to contact slurm controller|socket timed out|zero bytes were transmitted|connection refused"
    r"|configuration source|failed to fetch config|process configuration file"
    r"|(authentication|munge|credential).*(fail|error|invalid)|(fail|error|invalid).*(authentication|munge)"
    r"|communications? (error|connection failure)",
    re.IGNORECASE,
)
_VERSION = re.compile(r"(\d+)\.(\d+)[\w.-]*")


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition: its number of nodes, whether it starts jobs (``up``), its gres and features."""

    name: str
    nodes: int
    state: str
    gres: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


class SlurmCommands:
    """Calls Slurm's commands as the emulator's user; safe to call from several threads.

    What asks the controller waits for its turn: at most two do so in a second, from whichever threads.

    Args:
        conf: Slurm's configuration for them; None: they find their own.
        environment: what they inherit. Variables that would change their options, which a job of Slurm's has,
            are left out.
    """

    def __init__(self, conf: str | None = None, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        kept = {name: value for name, value in given.items() if not _OPTIONS.fullmatch(name)}
        own = conf or given.get("SLURM_CONF", "")
        self.environment: Mapping[str, str] = {
            **kept,
            **({"SLURM_CONF": own} if own else {}),
            "LC_ALL": "C",
            "SLURM_TIME_FORMAT": "standard",
        }
        """What every command of Slurm's is started with."""
        self._pace = Pace()

    def run(self, *command: str, stdin: str = "", timeout: float = TIMEOUT) -> str:
        """Run a command and give what it printed.

        Raises:
            EngineUnavailable: there is no such program, or the controller does not answer (``silent``), so
                that nothing is known of what was asked.
            EngineError: ``SlurmRefused``: Slurm said no; the message is its standard error.
        """
        if command[0] in QUESTIONS and "--version" not in command:
            self._pace.turn()
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, errors="replace",
                input=stdin, timeout=timeout, env=self.environment, cwd="/",
            )  # fmt: skip
        except FileNotFoundError:
            raise self._no_program((command[0],)) from None
        except subprocess.TimeoutExpired:
            text = f"{command[0]} did not end within {timeout:.0f} s"
            raise unanswered(text) from None
        if done.returncode == 0:
            return done.stdout
        said = done.stderr.strip() or f"{command[0]} ended with {done.returncode}"
        refuse_silence(said)
        raise EngineError(Problem(REFUSED, said))

    def missing(self) -> tuple[str, ...]:
        """Give the programs of NEEDED that are not there."""
        path = self.environment.get("PATH")
        return tuple(name for name in NEEDED if shutil.which(name, path=path) is None)

    def version(self) -> str:
        """Give Slurm's version: ``22.05.8``.

        Raises:
            EngineUnavailable: commands are missing, or are older than LEAST.
        """
        missing = self.missing()
        if missing:
            raise self._no_program(missing)
        said = self.run("sinfo", "--version").strip()
        found = _VERSION.search(said)
        if found is None or (int(found[1]), int(found[2])) < LEAST:
            least = f"{LEAST[0]}.{LEAST[1]:02}"
            text = (
                f"Slurm's commands are {said or 'of no known version'}; {least} is the oldest that will do."
            )
            raise EngineUnavailable(Problem(SILENT, text), "Put those of the cluster's own version on PATH.")
        return found[0]

    def partitions(self) -> dict[str, Partition]:
        """Give the cluster's partitions by name; EngineUnavailable as ``run``."""
        rows: dict[str, list[list[str]]] = {}
        for line in self.run("sinfo", "--all", "--noheader", "--format=%R|%a|%D|%G|%f").splitlines():
            name, *rest = line.strip().split("|")
            rows.setdefault(name, []).append(rest)
        return {
            name: Partition(
                name,
                sum(int(row[1]) for row in found),
                found[0][0],
                _all(row[2] for row in found),
                _all(row[3] for row in found),
            )
            for name, found in rows.items()
        }

    @staticmethod
    def _no_program(names: tuple[str, ...]) -> EngineUnavailable:
        text = f"There is no program {', '.join(names)} on PATH."
        remedy = (
            "Run the emulator where jobs are submitted, or install Slurm's commands (Debian: slurm-client)."
        )
        return EngineUnavailable(Problem(SILENT, text), remedy)


def refuse_silence(said: str) -> None:
    """Raise EngineUnavailable (``silent``) if a command's words mean that nobody answered."""
    if _NOBODY.search(said):
        raise unanswered(_first(said))


def unanswered(said: str) -> EngineUnavailable:
    """Say that Slurm's controller did not answer: nothing may be concluded from that."""
    remedy = "'scontrol ping' says whether slurmctld runs; check SLURM_CONF and munge on this machine."
    return EngineUnavailable(Problem(SILENT, f"Slurm does not answer: {said}."), remedy, silent=True)


def _first(said: str) -> str:
    line = next((line for line in said.splitlines() if _NOBODY.search(line)), said)
    return re.sub(r"^\w+: (error|fatal): ", "", line.strip()).rstrip(".")


def _all(found: Iterable[str]) -> tuple[str, ...]:
    words = {word for text in found for word in text.split(",")}
    return tuple(sorted(words - {"(null)", ""}))
