"""What an engine is: the thing that runs node tasks on this machine and tells how they ended."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from batchai_scenario.emulator.errors import CleanupIncomplete, EngineError, EngineUnavailable, Problem
from batchai_scenario.training.toolkits.base import FIRST_PORT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path, PurePosixPath

    from batchai_scenario.emulator.engines.gpunodes import GpuWish
    from batchai_scenario.emulator.launch.plan import CommandMount, ImageRequest, NodeTask


@dataclass(frozen=True, slots=True)
class NodePlace:
    """Where a node's tasks run.

    ``address``: the node's IP address as its peers see it. ``disk``: the node's local disk, a folder of
    this machine. ``root``: the path under which a job on this node sees the node agent's tree; on the
    service ``/mnt/batch/tasks/shared/LS_root``, with ``mounts`` and ``jobs`` below it. ``gpus``: its own.
    ``port``: the first of its ports for a toolkit's processes, 2222 where it has a network of its own.
    """

    cluster: str
    node: str
    address: str
    disk: Path
    root: PurePosixPath
    gpus: tuple[str, ...] = ()
    port: int = FIRST_PORT


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How a node task ended.

    ``phase``: ``start`` (nothing of the user's ran), ``preparation`` or ``main``: the step that ended
    the task. ``exit_code``: of that step, 128 + n if signal n killed it; None only if nothing ran.
    ``problem``: set if the engine and not the command is to blame (image, container, lost supervisor).
    ``details``: what else is known of a failure, by name; they stand in the job's ``errors`` beside it.
    """

    phase: Literal["start", "preparation", "main"]
    exit_code: int | None
    started_at: datetime
    ended_at: datetime
    problem: Problem | None = None
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """What a task needs before it can start: its toolkit's environment or its image, by the engine.

    ``toolkit``: its ``toolType``. ``environment_program``: makes the environment; None: it needs none.
    ``image``: what the job names; None: ``node_image`` stands for the node's own system.
    ``program``: what the job calls and no environment or image that is made here has; empty: none.
    """

    toolkit: str
    environment_program: Path | None
    image: ImageRequest | None
    node_image: str
    program: str = ""


@dataclass(frozen=True, slots=True)
class Lack:
    """What an engine must get before a task can start; ``bytes`` to be fetched, 0 where that is not known."""

    what: str
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine says of itself: for ``doctor``, the run's record and the conformance report.

    ``gpu_note``: how it would give GPUs to jobs, or why it cannot.
    """

    name: str
    version: str
    gpus: bool
    mount_root: str
    notes: tuple[str, ...] = ()
    gpu_note: str = ""


@dataclass(slots=True)
class Swept:
    """What a sweep did: a line for each thing that it removed, and one for each that stays and why."""

    removed: list[str] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)

    @contextmanager
    def trying(self, what: str) -> Iterator[None]:
        """Note that something was removed by the block, or why it was not."""
        try:
            yield
        except EngineUnavailable:
            raise
        except EngineError as error:
            self.stays.append(f"{what}: {error.problem.message}")
        except OSError as error:
            self.stays.append(f"{what}: {error}")
        else:
            self.removed.append(what)

    def close(self) -> list[str]:
        """Give what was removed; CleanupIncomplete if something stays."""
        if self.stays:
            message = f"Not everything of ours could be removed: {'; '.join(self.stays)}"
            problem = Problem("InternalError", message)
            raise CleanupIncomplete(problem, tuple(self.removed), tuple(self.stays))
        return self.removed


@dataclass(frozen=True, slots=True)
class Terminal:
    """The terminal of who logs in: its kind (``TERM``), and its size in characters."""

    kind: str
    columns: int
    rows: int


class Entered(Protocol):
    """A command that runs on a node. Its methods block; each may be called from a thread of its own."""

    def read(self) -> tuple[int, bytes] | None:
        """Wait for output: (1 or 2, bytes); None when there will be no more."""
        ...

    def write(self, data: bytes) -> None:
        """Write to its standard input; what nobody reads any more is dropped."""
        ...

    def close_input(self) -> None:
        """End its standard input."""
        ...

    def resize(self, terminal: Terminal) -> None:
        """Tell it the terminal's new size."""
        ...

    def end(self) -> int:
        """End what still runs of it, and give the exit code; after the last ``read`` it ended by itself."""
        ...


@runtime_checkable
class AsksAhead(Protocol):
    """The power of an engine that has to ask somebody else for nodes, to ask for several at once."""

    def ask_for(self, cluster: str, nodes: Sequence[str], gpus: GpuWish) -> None:
        """Ask for nodes; ``place_node`` of each then waits for it (E1)."""
        ...


@runtime_checkable
class Admits(Protocol):
    """The power of an engine to say beforehand that a cluster cannot be."""

    def refusal(self, size: str, nodes: int) -> tuple[str, str] | None:
        """Say which property of a cluster's body is wrong, and why; None: it may be tried."""
        ...


@runtime_checkable
class MountsByCommand(Protocol):
    """The power of an engine to mount for its nodes what a user's own command mounts."""

    def mount_refusal(self, command: str) -> str:
        """Say why a command cannot be used here, and the way out; empty: it may be tried."""
        ...

    def try_mounts(self, cluster: str, node: str, mounts: Sequence[CommandMount]) -> None:
        """Mount them on a node and take them away again; EngineError ``UnmanagedMountError``: one fails."""
        ...


NODE_TAKEN = "NodeTakenAway"
"""Code of a task's problem that says that its node was taken away by somebody else."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Nodes that an engine has no more, or is to give back.

    ``taken``: somebody else took them away. ``failed``: they failed, and so did what ran there; who waits for
    it hears that. ``wanted``: they are still there, and their administrator wants them back.
    """

    taken: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()


@runtime_checkable
class LosesNodes(Protocol):
    """The nature of an engine whose nodes somebody else may take away."""

    def lost_nodes(self, cluster: str) -> Lost:
        """List such nodes of those that were placed; EngineUnavailable: nobody knows."""
        ...


class Engine(Protocol):
    """Runs node tasks; holds no state of its own that a restart would lose.

    E1. ``place_node`` and ``remove_node`` are idempotent; a node is known by its cluster and name. A node's
        GPUs are its own: no other node of this home has them, unless they are shared.
    E2. ``start`` returns when the task's supervisor runs. It is idempotent: a task that was started
        before (by any process) is not started again. If it raises, nothing of the task is left.
    E3. ``wait`` blocks until the task ended and gives the same answer each time, from any process,
        until ``remove``. It is decided from the status file and the process's own end; never guessed:
        a task whose end cannot be known ended with a problem, not with success.
    E4. ``stop`` ends a task: TERM, then after ``grace`` seconds KILL to everything that it started.
        Returns when nothing of it runs. A task that ended or never was: no-op.
    E5. ``remove`` forgets a task that ended and deletes what it left outside its mounts. Idempotent.
    E6. After the end, every file below the task's mounts and the node's disk belongs to the user who
        runs the emulator.
    E7. ``tasks`` lists the ids of this home's tasks that are not removed, started by any process.
    E8. ``sweep`` removes every task, node place and network of this home, or of a home folder that no
        longer exists, whose cluster is not in ``keep``; it touches nothing without our label.
        Gives a line for each thing it removed. What cannot be removed does not keep it from the rest.
    E9. ``lacks`` says what ``start`` would have to get first and makes nothing; ``obtain`` gets it. Where
        either raises, ``start`` would have failed.
    E10. ``enter`` runs a command beside a task that runs, in what that sees, without its variables. None of
        it outlives the task. A task of ``entering.LOGIN`` gives way when another starts on its node.
    """

    name: str

    def info(self) -> EngineInfo:
        """Describe the engine; EngineUnavailable if it does not answer."""
        ...

    def place_node(self, cluster: str, node: str, gpus: GpuWish | None = None) -> NodePlace:
        """Make room for a node (E1); ``gpus``: what it is to have of its own, None: as it was placed."""
        ...

    def remove_node(self, cluster: str, node: str) -> None:
        """Give a node's room back, local disk included (E1)."""
        ...

    def start(self, task: NodeTask, announce: Callable[[str], None]) -> None:
        """Start a task (E2); EngineError says what stands in the job's record."""
        ...

    def wait(self, task_id: str) -> TaskEnd:
        """Wait for a task's end (E3)."""
        ...

    def stop(self, task_id: str, grace: float = 5.0) -> None:
        """End a task (E4)."""
        ...

    def remove(self, task_id: str) -> None:
        """Forget a task (E5)."""
        ...

    def tasks(self) -> list[str]:
        """List task ids (E7)."""
        ...

    def lacks(self, need: Need) -> Lack | None:
        """Say what has to be got first (E9); EngineUnavailable if it cannot be had here."""
        ...

    def obtain(
        self, need: Need, announce: Callable[[str], None], progress: Callable[[str, int, int], None]
    ) -> None:
        """Get what is needed (E9); ``progress`` hears (file, bytes done, bytes in all).

        Raises:
            EngineUnavailable: this machine lacks something; with the remedy.
            EngineError: an image is not to be had.
        """
        ...

    def enter(self, cluster: str, task_id: str, command: str, terminal: Terminal | None) -> Entered:
        """Run a command for the node's shell, or a log-in shell if it is empty (E10); EngineError."""
        ...

    def sweep(self, keep: frozenset[str]) -> list[str]:
        """Remove what belongs to nobody (E8); ``keep`` are cluster guids. CleanupIncomplete says what."""
        ...
