"""The control folder of a task: what its supervisor is told, and what it left behind.

It stands on the node's disk, outside the node agent's tree, so that a job that wipes its temporary folder
cannot lose its own end. A container sees it, so what stands in it is read as a job's: no link is followed,
no pipe is opened. Files: ``supervisor.sh``, ``plan`` (shell), ``environment`` (shell, 0600, emptied
by the supervisor before anything else), ``log`` (what the supervisor could not do), ``begun``, ``phase``
and ``status``.

A job may write its own ``status``, for it is the user that its supervisor is. So an end counts only with
the seal that the supervisor read from ``environment`` and keeps in its memory; here it stands in a file
beside the folder, which no container sees.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from batchai_scenario.emulator.engines.base import TaskEnd
from batchai_scenario.emulator.engines.pinned import check_mounts
from batchai_scenario.emulator.errors import Problem
from batchai_scenario.emulator.state import beneath
from batchai_scenario.emulator.state.home import Home

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import PurePosixPath

    from batchai_scenario.emulator.launch.plan import NodeTask, Step

Phase = Literal["start", "preparation", "main"]
Scope = Literal["alone", "held", "session"]

_SUPERVISOR = Path(__file__).with_name("supervisor.sh")
_STATUS = re.compile(r"(start|preparation|main) (\d{1,3}) (ok|stopped|failed) ([0-9a-f]*) end\n")
_SEAL = "seal"
_ASKED = "asked"
_TOLD = (
    "The job was told to end by somebody other than the emulator, as when the container engine or the "
    "machine is shut down."
)
_LOG_TAIL = 600
_LIMIT = 200  # bytes of a file of one line


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a task's files are to be in the end, by numbers, or by what gives them to a shell."""

    uid: int | str
    gid: int | str


def control_folder(home: Home, cluster: str, node: str, task_id: str) -> Path:
    """Give the place of a task's control folder."""
    return home.nodes / cluster / node / "control" / task_id


def find_control_folder(home: Home, task_id: str) -> Path | None:
    """Find a task's control folder by its id alone."""
    return next(iter(home.nodes.glob(f"*/*/control/{task_id}")), None)


def write_control(
    folder: Path, task: NodeTask, environment: Mapping[str, str], ending: str, scope: Scope
) -> None:
    """Write what the supervisor is told; the folder comes to be in one piece, or not at all.

    Args:
        folder: the control folder; must not exist.
        task: what is to be done.
        environment: the task's, with what the engine adds.
        ending: what the supervisor runs before it records the end: ``give_back_command``, ``open_command`` or
            nothing.
        scope: ``alone`` if the task has a PID namespace of its own; ``held``: and ends with
            its standard input.
    """
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    beneath.remove_path(draft)
    draft.mkdir(parents=True, mode=0o700)
    shutil.copyfile(_SUPERVISOR, draft / "supervisor.sh")
    checks = check_mounts(Home(folder.parents[4]).servers, task.mounts)
    _write(draft / "plan", f"{_plan(task, ending, scope)}{checks}\n")
    seal = secrets.token_hex(16)
    _write(draft / "environment", _environment(environment) + f"unset seal\nseal={seal}\n")
    beneath.remove_path(_note(folder, _SEAL))
    _write(_note(folder, _SEAL), seal)
    draft.rename(folder)


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def _environment(values: Mapping[str, str]) -> str:
    """Write exports, for the job's shell alone: the supervisor's own gets them as the text of a variable.

    ``command`` keeps a shell alive that holds a name to be read-only, as bash does UID.
    """
    exports = "".join(f"command export {name}={shlex.quote(value)}\n" for name, value in values.items())
    return f"environment={shlex.quote(exports)}\n"


def _plan(task: NodeTask, ending: str, scope: Scope) -> str:
    lines = [
        f"scope={scope}",
        f"working_directory={_quote(task.working_directory)}",
        *_step("preparation", task.preparation),
        *_step("main", task.main),
        *_gang(task),
    ]
    commands = (
        [f"$with_signals mkdir -p -- {' '.join(_quote(path) for path in task.directories)}"]
        if task.directories
        else []
    )
    commands += [f"printf %s {shlex.quote(text)} >{_quote(path)}" for path, text in task.files]
    lines.append("make_directories() {\n    " + " &&\n    ".join(commands or ["$with_signals true"]) + "\n}")
    lines.append(f"last_of_all() {{\n    {ending or ':'}\n}}")
    return "\n".join(lines) + "\n"


def give_back_command(
    owner: Owner, targets: Sequence[PurePosixPath], beside: Sequence[PurePosixPath] = ()
) -> str:
    """Give the shell command after which all below ``targets`` is the owner's, who may read and write it.

    What is below ``beside`` is somebody else's, and left alone.
    """
    chown = f"-exec chown -h {owner.uid}:{owner.gid} {{}} +"
    return f"{open_command(targets, beside)}; {_found(targets, beside)} ! -user {owner.uid} {chown}"


def open_command(targets: Sequence[PurePosixPath], beside: Sequence[PurePosixPath] = ()) -> str:
    """Give the shell command after which the owner of each file below ``targets`` may read and write it.

    On a share that the service mounted, no ``chmod`` shut anything. A folder is opened before it is entered.
    What is below ``beside`` is left alone.
    """
    found = _found(targets, beside)
    return (
        f"{{ {found} -type d ! -perm -700 -exec chmod u+rwx {{}} \\;; "
        f"{found} -type f ! -perm -600 -exec chmod u+rw {{}} +; }} 2>/dev/null"
    )


def _found(targets: Sequence[PurePosixPath], beside: Sequence[PurePosixPath]) -> str:
    """Begin a walk; a target itself may be a link, where volumes are not mounted."""
    past = "".join(f" ! \\( -path {shlex.quote(_literally(path))} -prune \\)" for path in beside)
    return f"find -H {' '.join(_quote(path) for path in targets)} -xdev{past}"


def _literally(path: PurePosixPath) -> str:
    """Write a path as a pattern that nothing else fits."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", str(path))


def _gang(task: NodeTask) -> list[str]:
    if task.gang is None:
        return []
    others = "" if task.gang.index else len(task.gang.members) - 1
    address = task.gang.members[task.gang.index].address
    return [f"door={_quote(task.gang.door)}", f"address={address}", f"others={others}"]


def _step(name: str, step: Step | None) -> list[str]:
    if step is None:
        return [f"{name}="]
    return [
        f"{name}={shlex.quote(step.command)}",
        f"{name}_stdout={_quote(step.stdout)}",
        f"{name}_stderr={_quote(step.stderr)}",
    ]


def _quote(path: PurePosixPath) -> str:
    return shlex.quote(str(path))


def has_begun(folder: Path) -> bool:
    """Tell whether the supervisor ran; from then on the task is not started again."""
    return os.path.lexists(folder / "begun") or os.path.lexists(folder / "status")


def recorded_end(folder: Path) -> TaskEnd | None:
    """Read how the task ended as its supervisor recorded it; None if it did not."""
    try:
        text = beneath.read_file(folder, "status", _LIMIT).decode()
        ended = _written(folder / "status")
    except (OSError, UnicodeDecodeError):
        return None
    found = _STATUS.match(text)
    if not found or not _is_sealed(folder, found[4]):
        return None
    problem = None
    if found[3] == "failed":
        problem = Problem("InternalError", f"The task could not be run on its node: {log_tail(folder)}")
    elif found[3] == "stopped" and not is_noted(folder, _ASKED):
        problem = Problem("InternalError", _TOLD)
    started = _written(folder / "begun") or ended or _now()
    return TaskEnd(cast("Phase", found[1]), int(found[2]), started, max(started, ended or started), problem)


def _is_sealed(folder: Path, seal: str) -> bool:
    try:
        return secrets.compare_digest(_note(folder, _SEAL).read_text(), seal)
    except OSError:
        return False


def lost_end(
    folder: Path | None,
    exit_code: int | None,
    reason: str,
    ended: datetime | None = None,
    *,
    problem: Problem | None = None,
) -> TaskEnd:
    """Give the end of a task whose supervisor recorded none: always with a problem, never a success.

    The answer is the same each time: times are those of files, or of the container.

    Args:
        folder: the task's control folder; None if there is none.
        exit_code: of the process or container, if it is known; a 0 that nobody recorded is no command's.
        reason: what is known of why; the supervisor's log is added.
        ended: when, if that is known better than from files.
        problem: what stands in the record instead of the reason.
    """
    phase: Phase = "start"
    started = None
    tail = ""
    if folder is not None and folder.exists():
        started = _written(folder / "begun")
        phase = _phase(folder)
        ended = ended or _written(folder / "phase") or started or _written(folder)
        tail = log_tail(folder)
    ended = ended or datetime.fromtimestamp(0, timezone.utc)
    started = started or ended
    return TaskEnd(
        phase,
        (exit_code or None) if phase != "start" else None,
        started,
        max(started, ended),
        problem or Problem("InternalError", f"{reason} {tail}".strip()),
    )


def _phase(folder: Path) -> Phase:
    try:
        text = beneath.read_file(folder, "phase", _LIMIT).decode().strip()
    except (OSError, UnicodeDecodeError):
        return "start"
    return cast("Phase", text) if text in ("preparation", "main") else "start"


def log_tail(folder: Path) -> str:
    """Give the last lines of the supervisor's log, for a problem's text."""
    try:
        data = beneath.read_file(folder, "log", _LOG_TAIL)
    except OSError:
        return ""
    return data.decode(errors="replace").strip()


def _written(path: Path) -> datetime | None:
    """Give when a file was written, cut to milliseconds as everything here; never later than now."""
    try:
        nanoseconds = path.lstat().st_mtime_ns
        return min(datetime.fromtimestamp(nanoseconds // 1_000_000 / 1000, timezone.utc), _now())
    except (OSError, OverflowError, ValueError):  # a job may give its files any time
        return None


def _now() -> datetime:
    return datetime.now(timezone.utc)


def is_noted(folder: Path, what: str) -> bool:
    """Tell whether ``note`` noted this of a task."""
    return os.path.lexists(_note(folder, what))


def note(folder: Path, what: str, text: str = "") -> None:
    """Note something of a task, where its job cannot write; it goes with ``drop_control``."""
    if not text:
        _note(folder, what).touch()
        return
    draft = _note(folder, f"{what}-{os.getpid()}")
    draft.write_text(text)
    draft.replace(_note(folder, what))


def read_noted(folder: Path, what: str) -> str:
    """Read the text that ``note`` noted; empty if there is none."""
    try:
        return _note(folder, what).read_text()
    except OSError:
        return ""


def ask_to_stop(folder: Path | None) -> None:
    """Note that it is we who end a task, before we do: whoever else does so fails it."""
    if folder is not None:
        noticed(folder, _ASKED)


def noticed(folder: Path, what: str) -> datetime | None:
    """Note something of a task unless that was done; give when it was."""
    if not is_noted(folder, what):
        with suppress(OSError):
            note(folder, what)
    return _written(_note(folder, what))


def _note(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}")


def drop_control(folder: Path) -> None:
    """Delete a task's control folder and what is noted beside it; its lock is for who holds it to delete."""
    with suppress(OSError):
        beneath.remove_path(folder)
    for path in folder.parent.glob(f".{folder.name}.*"):
        with suppress(OSError):
            if path.suffix != ".lock":
                beneath.remove_path(path)


def control_folders(home: Home, disk: Path | None = None) -> Iterator[Path]:
    """Walk the control folders of all nodes of a home, or of the node that has this disk."""
    found = disk.glob("control/*") if disk else home.nodes.glob("*/*/control/*")
    return (folder for folder in found if not folder.name.startswith("."))
