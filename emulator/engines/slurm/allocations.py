"""A home's allocations: a holding job of one exclusive node for each node of its clusters.

They are found again by their comment, ``scenario HOST HOME:CLUSTER:NODE``, whatever was noted of
them. Slurm is asked for all of them at once, and whoever wants to know meanwhile shares the answer.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.slurm.commands import REFUSED
from batchai_scenario.emulator.engines.slurm.questions import Shared
from batchai_scenario.emulator.engines.slurm.reasons import pending, refused
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchai_scenario.emulator.engines.slurm.commands import SlurmCommands
    from batchai_scenario.emulator.engines.slurm.settings import SlurmSettings
    from batchai_scenario.emulator.state.home import Home

RECENT = 0.5
"""Seconds for which a node that Slurm gave is taken to be there still."""

DRAINING = 2.0
"""Seconds for which nodes are taken to be as Slurm last said."""

GONE = 20.0
"""Seconds that an allocation may take to go after it was cancelled."""

_KIND = "scenario"
_HELD = ("RUNNING", "PENDING", "CONFIGURING", "SUSPENDED", "RESIZING", "REQUEUED", "STOPPED", "SIGNALING")
_LEAVES = ("COMPLETING", "STAGE_OUT")
_FORMAT = "%i|%T|%N|%r|%k"
_BROKEN = re.compile(r"not responding|reboot|fail|error", re.IGNORECASE)
_HOLD = Path(__file__).with_name("hold.sh")


@dataclass(frozen=True, slots=True)
class HoldingJob:
    """A holding job: Slurm's ``job`` id, its ``state``, the name of its ``host``, and why it waits."""

    job: str
    state: str
    host: str
    reason: str
    mark: str

    @property
    def runs(self) -> bool:
        """Whether steps can run on its node."""
        return self.state == "RUNNING" and bool(self.host)

    @property
    def held(self) -> bool:
        """Whether it has a node, or waits for one."""
        return self.state in _HELD

    @property
    def there(self) -> bool:
        """Whether Slurm is not done with it yet."""
        return self.held or self.state in _LEAVES


@dataclass(frozen=True, slots=True)
class SlurmNode:
    """One of Slurm's nodes: its ``state`` (``idle``, ``draining``, ...), where it is spoken to, and why."""

    name: str
    state: str
    address: str
    reason: str

    @property
    def drains(self) -> bool:
        """Whether its administrator wants it back."""
        return self.state.startswith("drain")

    @property
    def set_down(self) -> bool:
        """Whether somebody set it down, rather than that it failed."""
        gone = self.state.startswith(("down", "drain")) and "*" not in self.state
        return gone and not _BROKEN.search(self.reason)


class Allocations:
    """Asks Slurm for nodes and gives them back; safe to call from several threads.

    Args:
        home: whose allocations.
        commands: Slurm's.
    """

    def __init__(self, home: Home, commands: SlurmCommands) -> None:
        self._commands = commands
        self._root = home.root.resolve()
        self._owner = f"{_KIND} {socket.gethostname()} {self._root}"
        self._jobs = Shared(self._ask_for_jobs)
        self._steps = Shared(self._ask_for_steps)
        self._nodes = Shared(self._ask_for_nodes)
        self._cancelled: set[str] = set()

    def mark(self, cluster: str, node: str) -> str:
        """Give the comment of a node's allocation."""
        return f"{self._owner}:{cluster}:{node}"

    def look(self, within: float = 0.0) -> list[HoldingJob]:
        """Give this user's allocations, those too that ended a while ago.

        As they are now, or were asked for since this was called, or at most ``within`` seconds before.
        """
        return self._jobs.answer(within)

    def _ask_for_jobs(self) -> list[HoldingJob]:
        rows = self._squeue("--states=all", f"--format={_FORMAT}", columns=5)
        found = [HoldingJob(*row) for row in rows if row[4].startswith(f"{_KIND} ")]
        # A controller that was killed may have forgotten that we cancelled a job.
        if again := [each.job for each in found if each.held and each.job in self._cancelled]:
            self._commands.run("scancel", "--quiet", *again)
        return found

    def _ask_for_steps(self) -> set[tuple[str, str]]:
        rows = self._squeue("--steps", "--format=%i|%j", columns=2)
        return {(step.partition(".")[0], name) for step, name in rows}

    def _squeue(self, *options: str, columns: int) -> list[list[str]]:
        said = self._commands.run("squeue", f"--user={os.geteuid()}", "--noheader", *options)
        rows = [line.strip().split("|", columns - 1) for line in said.splitlines()]
        return [row for row in rows if len(row) == columns]

    def _ask_for_nodes(self) -> dict[str, SlurmNode]:
        said = self._commands.run("sinfo", "--all", "--Node", "--noheader", "--format=%N|%T|%o|%E")
        rows = [line.strip().split("|", 3) for line in said.splitlines()]
        return {row[0]: SlurmNode(*row) for row in rows}

    def find(self, cluster: str, node: str, within: float = 0.0) -> HoldingJob | None:
        """Give a node's allocation; None: it has none, or none any more. ``within``: as in ``look``."""
        mark = self.mark(cluster, node)
        return next((each for each in self.look(within) if each.mark == mark and each.held), None)

    def submit(self, cluster: str, nodes: Sequence[str], settings: SlurmSettings, pattern: str) -> None:
        """Ask for a node for each of some nodes that have none yet; it is told later whether they come.

        Raises:
            EngineError: Slurm refused, in its own words, with the property that they come from.
            EngineUnavailable: nothing is known of what was asked for; ask again for the same.
        """
        there = {each.mark for each in self.look() if each.held}
        row = settings.sizes[pattern]
        for node in nodes:
            mark = self.mark(cluster, node)
            if mark in there:
                continue
            options = [
                *row.options(),
                *([f"--time={settings.time_limit}"] if settings.time_limit else []),
                "--nodes=1", "--exclusive", "--mem=0", "--no-requeue", "--parsable", "--export=NONE",
                "--chdir=/", "--output=/dev/null", "--input=/dev/null",
                f"--job-name={node}", f"--comment={mark}",
            ]  # fmt: skip
            try:
                self._commands.run("sbatch", *options, stdin=self.script())
            except EngineUnavailable as error:
                error.asked = True  # perhaps
                raise
            except EngineError as error:
                if error.problem.code != REFUSED:
                    raise
                raise EngineError(refused(error.problem.message, settings, pattern)) from None

    def await_node(
        self, cluster: str, node: str, seconds: float, settings: SlurmSettings, pattern: str
    ) -> HoldingJob:
        """Wait until a node that was asked for is there.

        Raises:
            EngineUnavailable: it still waits; ask again for the same.
            EngineError: Slurm has taken it away.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                found = self.find(cluster, node)
            except EngineUnavailable as error:
                error.asked = True
                raise
            if found is not None and found.runs:
                return found
            if found is None or time.monotonic() > deadline:
                problem = pending(found.reason if found else "cancelled by somebody else", settings, pattern)
                raise EngineUnavailable(problem, asked=True)

    def script(self) -> str:
        """Give the script that holds a node for as long as the home is there."""
        return _HOLD.read_text().replace("HOME_FOLDER", shlex.quote(str(self._root)))

    def address(self, host: str) -> str:
        """Give the IP address of one of Slurm's nodes."""
        known = self._nodes.answer(DRAINING).get(host)
        name = known.address if known else host
        try:
            return str(socket.getaddrinfo(name, None, socket.AF_INET)[0][4][0])
        except OSError:
            return name

    def draining(self) -> set[str]:
        """Give the names of Slurm's nodes that their administrator wants back."""
        return {each.name for each in self._nodes.answer(DRAINING).values() if each.drains}

    def became_of(self, host: str) -> SlurmNode | None:
        """Give one of Slurm's nodes as it is now."""
        return self._nodes.answer().get(host)

    def steps(self, job: str) -> set[str]:
        """Give the names of the steps that run in an allocation; none if it is gone."""
        return {name for owner, name in self._steps.answer() if owner == job}

    def state(self, job: str) -> str:
        """Say what became of an allocation: ``NODE_FAIL``, ``TIMEOUT`` ...; empty if Slurm forgot it."""
        return next((each.state for each in self.look() if each.job == job), "")

    def cancel(self, jobs: Sequence[str]) -> None:
        """Give nodes back; returns when Slurm has them, or says that it is still cleaning up."""
        if not jobs:
            return
        self._commands.run("scancel", "--quiet", *jobs)
        self._cancelled.update(jobs)
        deadline = time.monotonic() + GONE
        while any(each.job in jobs and each.there for each in self.look()) and time.monotonic() < deadline:
            pass

    def of_home(self) -> list[tuple[HoldingJob, str]]:
        """Give this home's allocations, each with its cluster."""
        return [
            (each, each.mark.removeprefix(f"{self._owner}:").partition(":")[0])
            for each in self.look()
            if each.mark.startswith(f"{self._owner}:") and each.held
        ]

    def of_homes_that_are_gone(self) -> list[HoldingJob]:
        """Give allocations that were made from this host for a home that is not there any more.

        One of another file system than this home's counts as there: that may only be away for a moment.
        """
        here = f"{_KIND} {socket.gethostname()} "
        return [
            each
            for each in self.look()
            if each.mark.startswith(here)
            and each.held
            and self._is_gone(Path(each.mark.removeprefix(here).rsplit(":", 2)[0]))
        ]

    def _is_gone(self, home: Path) -> bool:
        try:
            nearest = next(folder for folder in (home, *home.parents) if folder.exists())
            return nearest != home and nearest.stat().st_dev == self._root.stat().st_dev
        except OSError:
            return False
