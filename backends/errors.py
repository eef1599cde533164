"""What can go wrong in a run, split by who can fix it. Every entry knows the command's exit code.

ScenarioError
├── UserError              2   the user's input: the scenario, a parameter, a file, a flag
│   ├── InvalidScenario
│   ├── InvalidSpec            a backend refused a spec; ``field`` names the property
│   └── NotSupported           asked for what this backend does not do; ``field`` names the property
├── MachineError           3   the machine lacks something; ``remedy`` says how to get it
│   └── MissingSettings        credentials or endpoints; names each setting and its variable
├── BackendError           4   the place where the scenario runs; ``transient``: trying again may help
│   ├── NotFound
│   └── Unreachable
├── JobFailed              1   the job itself, or an expectation that was not met
└── Interrupted          130   the user pressed Ctrl-C

Anything else that escapes is a bug of ours: exit code 70.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(eq=False)
class ScenarioError(Exception):
    """The root: ``message`` says what happened, in a sentence."""

    message: str
    exit_code: ClassVar[int] = 70

    def __str__(self) -> str:
        """Give the message."""
        return self.message


@dataclass(eq=False)
class UserError(ScenarioError):
    """The user's input is wrong; ``field`` names it, ``hint`` says how to mend it."""

    field: str = ""
    hint: str = ""
    exit_code: ClassVar[int] = 2

    def __str__(self) -> str:
        """Give field (unless the message names it), message and hint."""
        where = f"{self.field}: " if self.field and self.field not in self.message else ""
        return f"{where}{self.message}" + (f" ({self.hint})" if self.hint else "")


@dataclass(eq=False)
class InvalidScenario(UserError):
    """A scenario file, or what was set on it, is wrong."""


@dataclass(eq=False)
class InvalidSpec(UserError):
    """A backend refused a spec; nothing was created."""


@dataclass(eq=False)
class NotSupported(UserError):
    """The backend does not do this; it refuses rather than ignore."""


@dataclass(eq=False)
class MachineError(ScenarioError):
    """The machine lacks something."""

    remedy: str = ""
    exit_code: ClassVar[int] = 3

    def __str__(self) -> str:
        """Give message and remedy."""
        return f"{self.message} {self.remedy}".strip()


@dataclass(eq=False)
class MissingSettings(MachineError):
    """Settings without which a backend cannot start: ``missing`` holds (setting, environment variable)."""

    missing: tuple[tuple[str, str], ...] = ()


@dataclass(eq=False)
class BackendError(ScenarioError):
    """The place where the scenario runs failed; ``code`` and ``status`` are the service's."""

    code: str = ""
    status: int = 0
    transient: bool = False
    exit_code: ClassVar[int] = 4

    def __str__(self) -> str:
        """Give code and message."""
        return f"{self.code}: {self.message}" if self.code else self.message


@dataclass(eq=False)
class NotFound(BackendError):
    """What was named does not exist (any more)."""


@dataclass(eq=False)
class LeftBehind(BackendError):
    """Something of ours could not be removed: a line in ``stays`` says what holds it, and the way out.

    ``removed``: a line for each thing that was removed nevertheless.
    """

    removed: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()


@dataclass(eq=False)
class Unreachable(BackendError):
    """Nobody answered."""

    transient: bool = True


@dataclass(eq=False)
class JobFailed(ScenarioError):
    """The job failed, or ended otherwise than the scenario expects; ``reasons`` are sentences."""

    reasons: tuple[str, ...] = field(default=())
    exit_code: ClassVar[int] = 1


@dataclass(eq=False)
class Interrupted(ScenarioError):
    """The user pressed Ctrl-C."""

    exit_code: ClassVar[int] = 130
