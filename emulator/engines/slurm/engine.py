"""Runs node tasks on the nodes of a Slurm cluster, each as a step in its node's allocation.

A step's ``srun`` runs in a session of its own, so it outlives the emulator, and holds a lock (flock) on
``CONTROL/alive`` of this machine: whoever waits for the task waits for that lock. What happened is read
from the status file that the task's supervisor writes on the shared folder; Slurm says the rest.
"""

from __future__ import annotations

import fcntl
import time
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.base import (
    EngineInfo,
    Lack,
    Lost,
    NodePlace,
    Swept,
    TaskEnd,
)
from batchai_scenario.emulator.engines.control import (
    ask_to_stop,
    control_folder,
    drop_control,
    find_control_folder,
    has_begun,
    is_noted,
    lost_end,
    recorded_end,
)
from batchai_scenario.emulator.engines.entering import beside_no_login
from batchai_scenario.emulator.engines.environments import make_toolkit, toolkit_lack
from batchai_scenario.emulator.engines.locking import locked
from batchai_scenario.emulator.engines.nodes import (
    disks,
    drop_disk,
    engine_of,
    free_ports,
    make_disk,
    read_note,
)
from batchai_scenario.emulator.engines.slurm.allocations import RECENT, Allocations
from batchai_scenario.emulator.engines.slurm.commands import SlurmCommands
from batchai_scenario.emulator.engines.slurm.ends import end_of
from batchai_scenario.emulator.engines.slurm.launchers import LAUNCH, why_failed
from batchai_scenario.emulator.engines.slurm.losing import lost_of, refuse_taken
from batchai_scenario.emulator.engines.slurm.settings import no_row, read_settings
from batchai_scenario.emulator.engines.slurm.steps import Steps
from batchai_scenario.emulator.engines.slurm.task import write_task
from batchai_scenario.emulator.engines.subnets import LOOPBACK
from batchai_scenario.emulator.engines.substitutes import delivered_tables
from batchai_scenario.emulator.engines.supervisors import (
    LAST_WORDS,
    await_that,
    forget_task,
    is_free,
    started_tasks,
)
from batchai_scenario.emulator.errors import EngineError, EngineUnavailable, Problem
from batchai_scenario.emulator.launch.layout import NODE_TREE
from batchai_scenario.emulator.lazy import LazyProperty
from batchai_scenario.training.toolkits.base import FIRST_PORT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchai_scenario.emulator.engines.base import Entered, Need, Terminal
    from batchai_scenario.emulator.engines.gpunodes import GpuWish
    from batchai_scenario.emulator.engines.slurm.settings import SlurmSettings
    from batchai_scenario.emulator.engines.substitutes import PullPolicy
    from batchai_scenario.emulator.launch.plan import NodeTask
    from batchai_scenario.emulator.state.home import Home

PATIENCE = 10.0
"""Seconds for which a node is waited for before it is told why it waits."""


class SlurmEngine:
    """An Engine (E1-E9) of Slurm's steps; nobody logs in to its nodes through the emulator.

    Args:
        home: whose nodes and tasks these are; it must be in the folder that all nodes share.
        environment: what Slurm's commands inherit; None: this process's.
        patience: seconds for which a node is waited for before it is told why it waits.
        training: the folder with our tables of image substitutes; None: the home's own table alone counts.
        pull: ``missing``: nodes pull images that they do not have; ``never``: they do not.
    """

    name = "slurm"

    def __init__(
        self,
        home: Home,
        *,
        environment: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
        training: Path | None = None,
        pull: PullPolicy = "missing",
    ) -> None:
        self._home = home
        self._given = environment
        self._patience = patience
        self._tables = (home.images_table, *(delivered_tables(training) if training else ()))
        self._pull: PullPolicy = pull

    @LazyProperty
    def _commands(self) -> SlurmCommands:
        conf = None
        with suppress(EngineUnavailable):  # what was begun is ended without settings, too
            conf = self._settings().slurm_conf
        return SlurmCommands(conf, self._given)

    @LazyProperty
    def _allocations(self) -> Allocations:
        return Allocations(self._home, self._commands)

    @LazyProperty
    def _steps(self) -> Steps:
        return Steps(self._home, self._commands)

    def _settings(self) -> SlurmSettings:
        return read_settings(self._home.slurm_settings, self._home.root)

    def info(self) -> EngineInfo:
        """Describe the engine; EngineUnavailable if Slurm does not answer, or nobody said what is there."""
        settings = self._settings()
        version = self._commands.version()
        partitions = self._commands.partitions()
        gpus = any(row.gpus for row in settings.sizes.values())
        return EngineInfo(
            self.name,
            version,
            gpus,
            f"{self._home.nodes}/.../mounts",
            (f"partitions {', '.join(sorted(partitions))}", f"launcher {settings.launcher}"),
            gpu_note="those that the gres of a row asks for"
            if gpus
            else "no row of sizes asks for a gres of gpu",
        )

    def refusal(self, size: str, nodes: int) -> tuple[str, str] | None:
        """Say why a cluster of so many nodes of a ``vmSize`` cannot be, with the property; None: it may."""
        settings = self._settings()
        row = settings.row(size)
        if row is None:
            return "properties.vmSize", no_row(settings, size)
        partitions = self._commands.partitions()
        name = row[1].partition
        if name not in partitions:
            known = ", ".join(sorted(partitions))
            said = f"sizes.{row[0]} in {settings.file}"
            why = f"Slurm has no partition {name}, which {said} names (it has {known})"
            return "properties.vmSize", why
        if nodes > partitions[name].nodes:
            why = f"Slurm's partition {name} has {partitions[name].nodes} nodes, and {nodes} are asked for"
            return "properties.scaleSettings", why
        return None

    # E1 ------------------------------------------------------------------------------------------------

    def ask_for(self, cluster: str, nodes: Sequence[str], gpus: GpuWish) -> None:
        """Ask Slurm for several nodes at once; ``place_node`` of each tells what became of it."""
        settings = self._settings()
        pattern = self._pattern(settings, gpus.size)
        missing = [node for node in nodes if "host" not in read_note(self._home.nodes / cluster / node)]
        try:
            self._allocations.submit(cluster, missing, settings, pattern)
        except EngineUnavailable:
            raise
        except EngineError:
            return  # some may have been accepted, as under a limit of how many

    def place_node(self, cluster: str, node: str, gpus: GpuWish | None = None) -> NodePlace:
        """Have Slurm give a node, and make its disk on the shared folder (E1).

        Raises:
            EngineUnavailable: the node still waits; whoever asks again for the same waits on.
        """
        disk = self._home.nodes / cluster / node
        known = read_note(disk)
        if "host" not in known:
            settings = self._settings()
            pattern = self._pattern(settings, gpus.size if gpus else None)
            row = settings.sizes[pattern]
            found = self._allocations.find(cluster, node, RECENT)
            if found is None or not found.runs:
                self._allocations.submit(cluster, [node], settings, pattern)
                found = self._allocations.await_node(cluster, node, self._patience, settings, pattern)
            address = self._allocations.address(found.host)
            count = row.gpus if gpus is None or gpus.mode != "none" else 0
            port = free_ports(self._home, cluster, node) if address.startswith(LOOPBACK) else FIRST_PORT
            known = {"engine": self.name, "job": found.job, "host": found.host, "address": address}
            known |= {"port": port, "gpus": [str(index) for index in range(count)]}
            make_disk(self._home, cluster, node, known)
        root = PurePosixPath(disk / NODE_TREE)
        return NodePlace(cluster, node, known["address"], disk, root, tuple(known["gpus"]), known["port"])

    def _pattern(self, settings: SlurmSettings, size: str | None) -> str:
        found = settings.row(size) if size is not None else next(iter(settings.sizes.items()))
        if found is None:
            problem = Problem("InvalidPropertyValue", f"properties.vmSize: {no_row(settings, str(size))}.")
            raise EngineError(problem)
        return found[0]

    def remove_node(self, cluster: str, node: str) -> None:
        """End what still runs on the node, give it back to Slurm and delete its disk (E1)."""
        disk = self._home.nodes / cluster / node
        for folder in (disk / "control").glob("[!.]*"):
            self.stop(folder.name, 0.0)
            self._end_lost(folder)
        found = self._allocations.find(cluster, node)
        if found is not None:
            self._allocations.cancel([found.job])
        drop_disk(disk)

    # E2 ------------------------------------------------------------------------------------------------

    def start(self, task: NodeTask, announce: Callable[[str], None]) -> None:
        """Start a task's supervisor as a step in the allocation of its node (E2)."""
        folder = control_folder(self._home, task.cluster, task.node, task.id)
        with beside_no_login(self, self._home, task), locked(folder.parent / f".{task.id}.lock"):
            if has_begun(folder) or (folder.exists() and not is_free(folder)):
                return
            drop_control(folder)
            try:
                settings = self._settings()
                write_task(
                    folder, self._home, task, settings, announce,
                    arguments=self._arguments(), tables=self._tables, pull=self._pull,
                )  # fmt: skip
                self._launch(folder, task, settings, announce)
            except BaseException as error:
                with suppress(EngineError):
                    self._steps.kill(folder)
                drop_control(folder)
                if isinstance(error, EngineError) and not isinstance(error, EngineUnavailable):
                    refuse_taken(folder, self._allocations)
                if isinstance(error, OSError):
                    message = f"The task could not be started: {error}"
                    raise EngineError(Problem("InternalError", message)) from error
                raise

    def _launch(
        self, folder: Path, task: NodeTask, settings: SlurmSettings, announce: Callable[[str], None]
    ) -> None:
        known = read_note(folder.parent.parent)
        try:
            self._steps.launch(folder, str(known["job"]), announce)
        except EngineError as error:
            raise why_failed(folder, task, settings.launcher, known["host"]) or error from None

    def _arguments(self, *more: str) -> list[str]:
        """Give the command line of a program that makes an environment."""
        return ["--cache", str(self._home.cache), "--json", *more]

    # E3 ------------------------------------------------------------------------------------------------

    def wait(self, task_id: str) -> TaskEnd:
        """Wait until the step's ``srun`` ended, then read what its supervisor recorded (E3)."""
        folder = find_control_folder(self._home, task_id)
        if folder is None or not (folder / "alive").exists():
            return lost_end(folder, None, f"The engine knows of no task {task_id}.")
        with (folder / "alive").open("rb") as alive:
            fcntl.flock(alive, fcntl.LOCK_SH)
        return end_of(folder, self._allocations)

    def lost_nodes(self, cluster: str) -> Lost:
        """List the nodes of a cluster that Slurm took away, or wants back."""
        return lost_of(self._home, cluster, self._allocations)

    # E4 ------------------------------------------------------------------------------------------------

    def stop(self, task_id: str, grace: float = 5.0) -> None:
        """Send TERM, then have the supervisor kill the rest, then kill it too (E4)."""
        folder = find_control_folder(self._home, task_id)
        if folder is None or is_free(folder):
            return
        ask_to_stop(folder)
        for name, seconds in (("TERM", grace), ("USR1", LAST_WORDS)):
            self._steps.tell(folder, "signal", name)
            if await_that(lambda: is_free(folder), time.monotonic() + seconds):
                return
        self._steps.kill(folder)

    # E9 ------------------------------------------------------------------------------------------------

    def lacks(self, need: Need) -> Lack | None:
        """Say what the toolkit's environment has to be made from (E9); nodes see to images themselves."""
        if self._is_contained(need):
            return None
        return toolkit_lack(need, self._arguments("--check"))

    def obtain(
        self, need: Need, announce: Callable[[str], None], progress: Callable[[str, int, int], None]
    ) -> None:
        """Make the toolkit's environment, in the home's cache, which nodes share (E9)."""
        if self._is_contained(need):
            return
        make_toolkit(need, self._arguments(), announce, progress)

    def _is_contained(self, need: Need) -> bool:
        return need.image is not None and self._settings().launcher != "process"

    # E10 -----------------------------------------------------------------------------------------------

    def enter(self, cluster: str, task_id: str, command: str, terminal: Terminal | None) -> Entered:  # noqa: ARG002 - the protocol's
        """Refuse, and say how Slurm lets one in."""
        folder = find_control_folder(self._home, task_id)
        job = read_note(folder.parent.parent).get("job") if folder else "JOB"
        text = f"Nobody logs in to Slurm's nodes here; use srun --jobid={job} --overlap --pty bash."
        raise EngineError(Problem("NodeBusy", text))

    # E5, E7, E8 ----------------------------------------------------------------------------------------

    def remove(self, task_id: str) -> None:
        """Delete the control folder, after ending whatever runs (E5)."""
        self.stop(task_id, 0.0)
        self._end_lost(find_control_folder(self._home, task_id))
        forget_task(self._home, task_id)

    def _end_lost(self, folder: Path | None) -> None:
        """Take away the container of a task whose step was killed, where it is still there."""
        if folder is not None and is_noted(folder, LAUNCH) and recorded_end(folder) is None:
            self._steps.tell(folder, "kill")

    def tasks(self) -> list[str]:
        """List tasks that were started and not removed (E7)."""
        return started_tasks(self._home, self.name)

    def sweep(self, keep: frozenset[str]) -> list[str]:
        """Remove nodes of clusters not in ``keep``, and allocations of homes that are gone (E8)."""
        swept = Swept()
        own = [disk for disk in sorted(disks(self._home)) if engine_of(disk) == self.name]
        if not own and not self._home.slurm_settings.exists():
            return swept.close()  # nothing was ever asked of Slurm
        for disk in own:
            if disk.parent.name not in keep:
                with swept.trying(f"node {disk.name} of cluster {disk.parent.name}"):
                    self.remove_node(disk.parent.name, disk.name)
        left = [each for each, cluster in self._allocations.of_home() if cluster not in keep]
        for each in [*left, *self._allocations.of_homes_that_are_gone()]:
            with swept.trying(f"Slurm's job {each.job}"):
                self._allocations.cancel([each.job])
        return swept.close()

    def close(self) -> None:
        """Do nothing: tasks go on, and nothing is held."""
