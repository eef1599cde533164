"""A home's allocations: a holding job of one exclusive node for each node of its clusters.

They are found again by their comment, ``scenario HOST HOME:CLUSTER:NODE``, whatever was noted of
them. Slurm is asked for all of them at once, at most twice a second however many ask here.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.slurm.commands import REFUSED
from batchai_scenario.emulator.engines.slurm.reasons import pending, refused
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchai_scenario.emulator.engines.slurm.commands import SlurmCommands
    from batchai_scenario.emulator.engines.slurm.settings import SlurmSettings
    from batchai_scenario.emulator.state.home import Home

BETWEEN = 0.5
"""Seconds between two questions to Slurm."""

GONE = 20.0
"""Seconds that an allocation may take to go after it was cancelled."""

_KIND = "scenario"
_HELD = ("RUNNING", "PENDING", "CONFIGURING", "SUSPENDED", "RESIZING", "REQUEUED", "STOPPED", "SIGNALING")
_FORMAT = "%i|%T|%N|%r|%k"
_SCRIPT = "#!/bin/sh\nexec sleep 2147483647\n"


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


class Allocations:
    """Asks Slurm for nodes and gives them back; safe to call from several threads.

    Args:
        home: whose allocations.
        commands: Slurm's.
        sleep: waits for so many seconds.
    """

    def __init__(
        self, home: Home, commands: SlurmCommands, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._commands = commands
        self._sleep = sleep
        self._root = home.root.resolve()
        self._owner = f"{_KIND} {socket.gethostname()} {self._root}"
        self._lock = threading.Lock()
        self._asked = 0.0
        self._found: list[HoldingJob] = []
        self._cancelled: set[str] = set()

    def mark(self, cluster: str, node: str) -> str:
        """Give the comment of a node's allocation."""
        return f"{self._owner}:{cluster}:{node}"

    def look(self) -> list[HoldingJob]:
        """Give this user's allocations as they are now, or were asked for since this was called."""
        wanted = time.monotonic()
        with self._lock:
            if self._asked < wanted:
                self._sleep(max(0.0, self._asked + BETWEEN - time.monotonic()))
                asked = time.monotonic()
                self._found = self._ask()
                self._asked = asked
            return self._found

    def _ask(self) -> list[HoldingJob]:
        said = self._commands.run("squeue", f"--user={os.geteuid()}", "--noheader", f"--format={_FORMAT}")
        rows = [line.split("|", 4) for line in said.splitlines()]
        found = [HoldingJob(*row) for row in rows if len(row) == 5 and row[4].startswith(f"{_KIND} ")]  # noqa: PLR2004 - what was asked for
        # A controller that was killed may have forgotten that we cancelled a job.
        if again := [each.job for each in found if each.held and each.job in self._cancelled]:
            self._commands.run("scancel", "--quiet", *again)
        return found

    def find(self, cluster: str, node: str) -> HoldingJob | None:
        """Give a node's allocation; None: it has none, or none any more."""
        mark = self.mark(cluster, node)
        return next((each for each in self.look() if each.mark == mark and each.held), None)

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
                self._commands.run("sbatch", *options, stdin=_SCRIPT)
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

    def address(self, host: str) -> str:
        """Give the IP address of one of Slurm's nodes."""
        said = self._commands.run("scontrol", "show", "node", host, "--oneliner")
        words = dict(word.partition("=")[::2] for word in said.split())
        name = words.get("NodeAddr", host)
        try:
            return str(socket.getaddrinfo(name, None, socket.AF_INET)[0][4][0])
        except OSError:
            return name

    def steps(self, job: str) -> set[str]:
        """Give the names of the steps that run in an allocation; none if it is gone."""
        try:
            said = self._commands.run("squeue", "--steps", f"--jobs={job}", "--noheader", "--format=%j")
        except EngineUnavailable:
            raise
        except EngineError:
            return set()
        return {line.strip() for line in said.splitlines()}

    def state(self, job: str) -> str:
        """Say what became of an allocation: ``NODE_FAIL``, ``TIMEOUT`` ...; empty if Slurm forgot it."""
        try:
            said = self._commands.run("scontrol", "show", "job", job, "--oneliner")
        except EngineUnavailable:
            raise
        except EngineError:
            return ""
        words: Mapping[str, str] = dict(word.partition("=")[::2] for word in said.split())
        return words.get("JobState", "")

    def cancel(self, jobs: Sequence[str]) -> None:
        """Give nodes back; returns when Slurm has them, or says that it is still cleaning up."""
        if not jobs:
            return
        self._commands.run("scancel", "--quiet", *jobs)
        self._cancelled.update(jobs)
        deadline = time.monotonic() + GONE
        while any(each.job in jobs for each in self.look()) and time.monotonic() < deadline:
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
