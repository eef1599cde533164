"""What can go wrong in the emulator, split by who can fix it.

EmulatorError
├── ServiceError          the caller of the HTTP API: status, code and text as the service gives them
├── NothingToTake         the user: a node was to be taken away, and there is none to take
├── EngineError           a task could not be run; ``problem`` is what the job's record shows
│   ├── NodeTaken         somebody else took the task's node away before it began
│   ├── EngineUnavailable the machine: no engine, no permission; ``remedy`` says how to get it
│   └── CleanupIncomplete something of ours could not be removed; says what holds it and the way out
├── CredentialsInvalid    the user: an account or client that was to be known cannot be read
├── HomeDamaged           the machine: something in the home cannot be read, or is not safe; ``remedy`` helps
├── AddressInUse          the machine: the port is taken; names who holds it when that is known
└── HomeInUse             the machine: another emulator serves this home folder
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """An entry of a cluster's or a job's ``errors`` list, in the service's own words."""

    code: str
    message: str
    details: tuple[tuple[str, str], ...] = ()


class EmulatorError(Exception):
    """The root of everything that the emulator raises on purpose."""


class NothingToTake(EmulatorError):
    """A node was to be taken away by force, and the text says why there is none to take."""


@dataclass(eq=False)
class ServiceError(EmulatorError):
    """An answer that is an error: the gateway renders it in the shape of the service that was asked.

    ``code`` and ``message`` are the service's own; ``target`` names the offending property. ``errors`` are
    the errors that it stands for, if they are several.
    """

    status: int
    code: str
    message: str
    target: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    errors: tuple[ServiceError, ...] = ()

    def __str__(self) -> str:
        """Give the code and the text."""
        return f"{self.status} {self.code}: {self.message}"


@dataclass(eq=False)
class EngineError(EmulatorError):
    """A task could not be run; ``problem`` is what stands in the job's ``executionInfo.errors``."""

    problem: Problem

    def __str__(self) -> str:
        """Give the problem's code and text."""
        return f"{self.problem.code}: {self.problem.message}"


@dataclass(eq=False)
class NodeTaken(EngineError):
    """A task was to be started on a ``node`` that somebody else took away."""

    node: str


@dataclass(eq=False)
class EngineUnavailable(EngineError):
    """The machine lacks the engine, or the right to use it; ``remedy`` says how to get it.

    ``silent``: nobody answers where the engine should; it may only be being restarted. ``asked``: what was
    asked for may yet come, to whoever asks again for the same.
    """

    remedy: str = ""
    silent: bool = False
    asked: bool = False

    def __str__(self) -> str:
        """Give the problem and the remedy."""
        return f"{self.problem.message} {self.remedy}".strip()


@dataclass(eq=False)
class CleanupIncomplete(EngineError):
    """Not everything could be removed: ``removed`` has a line for what was, ``stays`` one for each other."""

    removed: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()


@dataclass(eq=False)
class CredentialsInvalid(EmulatorError):
    """A credential that was given cannot be read: ``option`` is ``account`` or ``client``; no secret here."""

    option: str
    reason: str

    def __str__(self) -> str:
        """Name the option and what it should be."""
        return f"{self.option}: {self.reason}"


@dataclass(eq=False)
class HomeDamaged(EmulatorError):
    """Something in a home cannot be used as it is: ``path`` is the file or folder."""

    path: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        """Name the path, what is wrong with it, and what to do."""
        return f"{self.path}: {self.reason}. {self.remedy}"


@dataclass(eq=False)
class AddressInUse(EmulatorError):
    """The port that was asked for is taken."""

    host: str
    port: int
    holder: str = ""

    def __str__(self) -> str:
        """Name the port, its holder where known, and the way out."""
        by = f" by {self.holder}" if self.holder else ""
        where = f"port {self.port} on {self.host}"
        return f"{where} is in use{by}; choose another with --port, or --port 0 for any"


@dataclass(eq=False)
class HomeInUse(EmulatorError):
    """Another emulator serves this home folder."""

    home: str
    holder: str = ""

    def __str__(self) -> str:
        """Name the folder and who holds it."""
        by = f" ({self.holder})" if self.holder else ""
        return f"an emulator serves {self.home} already{by}; stop it with 'scenario emulator stop'"
