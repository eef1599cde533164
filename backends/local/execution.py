"""Running a program with an emulator around it: the one that serves the home, or one for as long as it runs.

The program takes this process's place, so signals, the terminal and the exit code are its own. The emulator
that is started for it is a process apart; it ends when the last of the programs that use it has ended, which
it sees by a lock that each of them inherits and the kernel frees.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from batchai_scenario.backends.errors import MachineError, UserError
from batchai_scenario.backends.local.asking import health
from batchai_scenario.backends.local.host import (
    AS_IT_COMES,
    LOOK_SECONDS,
    READY_SECONDS,
    HomeTakenError,
    other_version,
    silent,
)
from batchai_scenario.backends.local.interception import REMOVED, interception

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from batchai_scenario.backends.local.host import ServeOptions
    from batchai_scenario.emulator.api import Address, Credentials

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of a command that cannot be run, as shells give them."""

_HIGH = 100
"""The inherited lock has a number at least this high: scripts use low ones for files of their own."""

_READY, _TAKEN = "ready", "taken"


def execute(
    home: Path,
    command: Sequence[str],
    environment: Mapping[str, str],
    options: ServeOptions = AS_IT_COMES,
    *,
    passthrough: bool = False,
) -> NoReturn:
    """Become a command that finds the emulator at Azure's addresses; call it where no thread runs.

    Args:
        home: Home folder; an emulator that serves it is used as it is.
        command: Program and arguments.
        environment: What it gets besides; the variables in ``REMOVED`` are left out.
        options: For an emulator that is started for the command. One that serves must have been given the
            same engine and GPUs, unless they are ``auto``, and the same credentials.
        passthrough: Let other hosts than Azure's through.

    Raises:
        UserError: a credential that cannot be read; a credential, an engine or GPUs that the emulator which
            serves was not given.
        MachineError: no emulator can be started, or the command cannot be run.
    """
    from batchai_scenario.emulator.api import Home, HomeDamaged

    given = options.credentials()
    try:
        notices = Home(home).make()
    except HomeDamaged as error:
        raise MachineError(f"{error.path}: {error.reason}.", remedy=error.remedy) from None
    for notice in notices:
        _tell(notice)
    lock = _use(Home(home).users_file)
    address = _serving(home, lock, options)
    for notice in other_version(address.version):
        _tell(notice)
    chosen = {
        name: value for name, value in (("engine", options.engine), ("gpus", options.gpus)) if value != "auto"
    }
    published = options.development_credentials
    if given.accounts or given.clients or published or chosen:
        _check_given(address, given, chosen, published=published)
    kept = {name: value for name, value in environment.items() if name not in REMOVED}
    variables = interception(home, address, environment, passthrough=passthrough)
    _become(command, {**kept, **variables})


def _tell(notice: str) -> None:
    print(notice, file=sys.stderr)  # noqa: T201 - the program that follows speaks to the same terminal


def _become(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and a program would inherit that
    try:
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606 - that is what is asked for
    except OSError as error:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        raise CannotExecuteError(f"{command[0]}: {error.strerror}", shell_code=code) from None


@dataclass(eq=False)
class CannotExecuteError(MachineError):
    """The command is not there, or is no program; ``shell_code`` is the exit code that a shell would give."""

    shell_code: int = NOT_FOUND


def _use(file: Path) -> int:
    """Take the lock that keeps an emulator for programs alive; it waits for one that is just ending."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    lock = fcntl.fcntl(handle, fcntl.F_DUPFD, _HIGH)
    os.close(handle)
    fcntl.flock(lock, fcntl.LOCK_SH)
    os.set_inheritable(lock, True)  # noqa: FBT003 - os's own signature
    return lock


def _serving(home: Path, lock: int, options: ServeOptions) -> Address:
    """Find the emulator of a home, or start one."""
    from batchai_scenario.emulator.api import Home, read_address

    deadline = time.monotonic() + READY_SECONDS
    while True:
        found = read_address(Home(home))
        if found is not None:
            return found
        said = _start(home, lock, options)
        if said not in (_READY, _TAKEN):
            raise MachineError(said or f"the emulator of {home} ended before it answered.")
        if time.monotonic() > deadline:
            raise silent(home)
        if said == _TAKEN:
            time.sleep(LOOK_SECONDS)


def _start(home: Path, lock: int, options: ServeOptions) -> str:
    """Start an emulator that is nobody's child; gives ``_READY``, ``_TAKEN`` or what went wrong."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                os.close(reading)
                os.close(lock)
                _serve(home, writing, options)
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, encoding="utf-8") as answer:
        return answer.read()


def _serve(home: Path, writing: int, options: ServeOptions) -> None:
    """Be the emulator: say so, serve until no program uses it, or until it is told to stop."""
    from batchai_scenario.backends.local.control import serve
    from batchai_scenario.emulator.api import Home

    with open(os.devnull, "r+b") as nothing:  # noqa: PTH123 - a device
        for stream in (0, 1, 2):
            os.dup2(nothing.fileno(), stream)

    def say(text: str) -> None:
        os.write(writing, text.encode())
        os.close(writing)

    def ready(_: object) -> None:
        threading.Thread(target=_end_when_unused, args=(Home(home).users_file,), daemon=True).start()
        say(_READY)

    try:
        serve(home, options, ready)
    except HomeTakenError:
        say(_TAKEN)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent process tells it
        say(str(error) or type(error).__name__)


def _end_when_unused(file: Path) -> None:
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    # Whoever comes now waits for the lock, which goes with this process.
    os.kill(os.getpid(), signal.SIGTERM)


def _check_given(address: Address, given: Credentials, chosen: Mapping[str, str], *, published: bool) -> None:
    """Refuse what an emulator which serves already was not given when it was started."""
    said = health(address.url)
    missing = sorted({*given.accounts} - {*said["accounts"]})
    missing += sorted({*given.clients} - {*said["clients"]})
    if published and not said["developmentCredentials"]:
        missing.append("the development credentials")
    if missing:
        raise UserError(
            f"the emulator that serves already does not know {', '.join(missing)}",
            hint="stop it with 'scenario emulator stop', or give them to 'scenario emulator serve'",
        )
    for name, value in chosen.items():
        if said[name] != value:
            raise UserError(
                f"the emulator that serves already was started with --{name} {said[name]}, not {value}",
                field=name,
                hint=f"leave out --{name}, or stop it with 'scenario emulator stop'",
            )
