"""File systems that users' own commands mount for tasks of the process engine.

A command runs in the task's own mount namespace, before everything else and on this machine as it is: as
root, or as root of a user namespace, who may mount little. With the namespace goes what it mounted.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.process.namespace import enter_command, write_mounts
from batchai_scenario.emulator.engines.unmanaged import not_mounted
from batchai_scenario.emulator.errors import EngineError
from batchai_scenario.emulator.state import beneath

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.errors import Problem
    from batchai_scenario.emulator.launch.plan import CommandMount

_PACKAGES = {
    "nfs": "nfs-common",
    "nfs4": "nfs-common",
    "cifs": "cifs-utils",
    "smb3": "cifs-utils",
    "glusterfs": "glusterfs-client",
    "ceph": "ceph-common",
}
"""Kinds that mount(8) has a helper for -> Debian's package of it."""

_EVERYBODYS = ("tmpfs", "ramfs", "overlay", "none", "bind", "fuse", "proc", "sysfs")
"""Kinds that the kernel lets the root of a user namespace mount."""

_SECONDS = 150.0
_LIMIT = 4096  # bytes that are told of what a command said


def mount_refusal(command: str, no_namespaces: str) -> str:
    """Say why a command can mount nothing here, and the way out; empty: it may be tried.

    ``no_namespaces``: why tasks have none; empty: they have.
    """
    if no_namespaces:
        return (
            f"jobs have no file tree of their own here ({no_namespaces}), so nothing is mounted for them; "
            "take the Docker engine, or fileServers"
        )
    try:
        words = shlex.split(command)
    except ValueError as error:
        return f"it is no command: {error}"
    if words and words[0].isidentifier() and shutil.which(words[0], path=_path()) is None:
        return f"this machine has no program {words[0]}; install it"
    kind = _kind(words)
    package = _PACKAGES.get(kind)
    if package and shutil.which(f"mount.{kind}", path=_path()) is None:
        return f"this machine has no mount.{kind}; install the package {package}"
    if os.geteuid() and kind and kind.partition(".")[0] not in _EVERYBODYS:
        return (
            f"only root may mount {kind}; start the emulator as root, take the Docker engine, or mount it "
            "yourself and let the command be 'mount --bind FOLDER'"
        )
    return ""


def _kind(words: Sequence[str]) -> str:
    """Read the kind of file system off a command line of mount; empty if there is none."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in ("-t", "--types"):
            return following
        if word.startswith(("-t", "--types=")):
            return word.removeprefix("--types=").removeprefix("-t")
    return ""


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def try_mounts(
    disk: Path, mounts: Sequence[CommandMount], network: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Mount them as a task's, for a moment.

    Args:
        disk: the node's.
        mounts: what to mount.
        network: the words that enter the node's own network.
        environment: what a task's supervisor starts with.

    Raises:
        EngineError: one cannot be mounted.
    """
    with tempfile.TemporaryDirectory(prefix=".mounts-", dir=disk / "control") as name:
        control = Path(name)
        (control / "supervisor.sh").write_text('true >"$1/status"\n')
        write_mounts(control, (), commands=mounts)
        said = ""
        try:
            subprocess.run(
                enter_command(control, network),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=dict(environment),
                cwd="/",
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error) if isinstance(error, OSError) else f"it did not end within {_SECONDS:.0f} s"
        problem = unmounted(control)
        if problem is None and not (control / "status").exists():
            said = said or beneath.read_file(control, "log", _LIMIT).decode(errors="replace")
            problem = not_mounted([mount.name for mount in mounts], said, _commands(control))
        if problem is not None:
            raise EngineError(problem)


def unmounted(control: Path) -> Problem | None:
    """Read from a task's control folder what could not be mounted before it began; None: it was."""
    try:
        text = beneath.read_file(control, "unmounted", _LIMIT).decode(errors="replace")
    except OSError:
        return None
    name, _, said = text.partition("\n")
    return not_mounted([name], said, _commands(control))


def _commands(control: Path) -> str:
    try:
        return beneath.read_file(control, "layer", 1 << 20).decode(errors="replace")
    except OSError:
        return ""
