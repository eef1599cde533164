"""What a toolkit is: its settings, the processes that it starts on each node, and what travels there.

A toolkit is a folder ``training/toolkits/<tool type>/`` whose ``toolkit.py`` has a ``TOOLKIT``, an object of
a class below ``Toolkit``; the registry finds it there. Beside it, where the toolkit has them::

    make_environment.py   makes its environment, for nodes without a container engine
    build_image.py        builds the image scenario/<tool type>, where no registry has one
    substitutes.yaml      says for which images what stands in

How the service composed its command lines was never published; what stands in the toolkits is what its
recipes and their logs show. Values such as ``$AZ_BATCHAI_INPUT_SAMPLE/train.py`` are expanded by the shell
on the node, so a command is shell text and the settings' texts go into it as they are.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import PurePosixPath

    from batchai_scenario.schema.body import Body
    from batchai_scenario.schema.faults import Fault

FIRST_PORT = 2222
"""First port that the service gives to a node's processes, one to each (documentation of its variables)."""

PORTS = 8
"""How many ports a node has for them; the service's limits of workers and servers ask for five."""


@dataclass(frozen=True, slots=True)
class JobNodes:
    """The nodes of a job, as its processes see them.

    ``addresses``: IP addresses, the master's first. ``host_file``: Open MPI's list of hosts.
    ``shared_temp``: a folder that all nodes of the job share. ``ports``: the first of each node's ports for
    its processes, in the order of ``addresses``; empty: ``FIRST_PORT`` on each.
    """

    addresses: tuple[str, ...]
    host_file: PurePosixPath
    shared_temp: PurePosixPath
    ports: tuple[int, ...] = ()

    def port(self, node: int) -> int:
        """Give the first port of a node's processes."""
        return self.ports[node] if self.ports else FIRST_PORT


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a job: a command line for the shell of node number ``node``; 0 is the master.

    ``role``: the part of its output files' names, ``wk-0`` of ``stdout-wk-0.txt``; empty: ``stdout.txt``.
    ``variables``: its own, on top of those of the job. ``server``: nobody waits for it; it is ended when the
    others have ended.
    """

    command: str
    node: int = 0
    role: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    server: bool = False

    def file_name(self, stream: str) -> str:
        """Name the file of its ``stdout`` or ``stderr``."""
        return f"{stream}-{self.role}.txt" if self.role else f"{stream}.txt"


class Toolkit(ABC):
    """One toolkit.

    ``complete``, ``faults``, ``variables`` and ``processes`` take settings as they stand in a job's body,
    with the wire's names; all but ``complete`` get them completed.
    """

    tool_type: ClassVar[str]
    """``toolType`` of its jobs; the folder has this name."""
    settings_name: ClassVar[str]
    """The property of a job's body that chooses it: ``cntkSettings``."""
    settings: ClassVar[type[Body]]
    """What the settings may say."""
    defaults: ClassVar[Mapping[str, str]] = {}
    """Environment variables that its jobs find unless they set others themselves."""
    framework: ClassVar[str] = ""
    """The framework that jobs must bring themselves, in their image or by preparation; empty: none."""
    node_image: ClassVar[str] = ""
    """The image in which jobs without a container run; empty: what stands for the node's own system."""

    def complete(self, settings: dict[str, Any], node_count: int) -> None:  # noqa: B027 - most need none
        """Fill in, in place, what the service filled in and showed: ``processCount`` and the like."""

    def faults(self, settings: Mapping[str, Any], node_count: int) -> Iterator[Fault]:  # noqa: ARG002
        """Find what is wrong with settings that ``settings`` allows; paths begin below the settings."""
        yield from ()

    def variables(self, settings: Mapping[str, Any], nodes: JobNodes) -> Mapping[str, str]:  # noqa: ARG002
        """Give the service's variables for all processes of the job, its preparation included."""
        return {}

    @abstractmethod
    def processes(self, settings: Mapping[str, Any], nodes: JobNodes) -> Sequence[Process]:
        """List what runs; at least one process on the master, and no role twice.

        A job ends when all have ended that are no servers, or one of them has failed.
        """

    @property
    def environment_program(self) -> Path | None:
        """The program that makes its environment where there is no container engine; None: it needs none."""
        program = Path(str(sys.modules[type(self).__module__].__file__)).with_name("make_environment.py")
        return program if program.is_file() else None

    def environment_for(self, settings: Mapping[str, Any]) -> Path | None:  # noqa: ARG002
        """Give the program that makes the environment of a job with these settings; None: it needs none."""
        return self.environment_program

    def program_for(self, settings: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Name the program that jobs with these settings call and nothing made here has; empty: none."""
        return ""


def spread(count: int, nodes: int) -> list[int]:
    """Give the node of each of ``count`` processes, evenly, the first ones on the master."""
    return [index * nodes // count for index in range(count)]


def script(settings: Mapping[str, Any], arguments: str = "commandLineArgs") -> str:
    """Give the command of a Python script with the arguments of one property."""
    interpreter = text(settings, "pythonInterpreterPath") or "python"
    return join(interpreter, quoted(text(settings, "pythonScriptFilePath")), text(settings, arguments))


def mpirun(command: str, count: int, nodes: int) -> str:
    """Start a command in ``count`` processes spread over the job's nodes, from the master's shell.

    Open MPI, as the service's recipes for scoring show; jobs run as root there. Each node gets as many as the
    next, whatever its slots (recorded: 8 processes on 2 nodes were 4 on each).
    """
    spread = f"--map-by ppr:{-(-count // nodes)}:node"
    options = f'--allow-run-as-root --oversubscribe {spread} --hostfile "$AZ_BATCHAI_MPI_HOST_FILE"'
    return f"mpirun {options} -n {count} {command}"


def names_a_python(settings: Mapping[str, Any]) -> bool:
    """Tell if a job names a Python of its own: its framework is there, not in a toolkit's environment."""
    return text(settings, "pythonInterpreterPath") not in ("", "python")


def with_mpi(program: Path | None, settings: Mapping[str, Any]) -> Path | None:
    """Give the program of an environment that has MPI; of MPI alone if a job names a Python of its own."""
    alone = Path(__file__).with_name("custommpi") / "make_environment.py"
    return alone if names_a_python(settings) else program


def text(settings: Mapping[str, Any], name: str) -> str:
    """Give a setting's text; empty if it is not there."""
    return str(settings.get(name) or "").strip()


def join(*words: str) -> str:
    """Join the words of a command line that are there."""
    return " ".join(word for word in words if word)


def quoted(path: str) -> str:
    """Quote a path for the shell unless it is quoted already; variables in it still expand."""
    plain = all(letter.isalnum() or letter in "$_{}/.-+:@%,~" for letter in path)
    return path if plain or any(mark in path for mark in "'\"\\`") else f'"{path}"'
