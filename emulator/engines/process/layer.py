"""A layer of its own for each node of the process engine: root's jobs see this machine, and change the layer.

It is an overlay file system over ``/``, kept on the node's disk, so what a job installs with apt or pip is
there for the node's next job and goes with the node. Only root can have one: of other users' jobs the kernel
protects the machine already.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.emulator.state import beneath

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batchai_scenario.emulator.state.home import Home

FOLDER = "system"
"""The folder of a node's disk that holds its layer."""

_SCRIPT = Path(__file__).with_name("namespace.sh")
_SECONDS = 20.0
_KERNEL = ("/proc", "/sys", "/dev")


def layer_missing(home: Home) -> str:
    """Say why root's jobs have no layer here; empty if they have, or are not root's. Tries it for real."""
    if os.geteuid() != 0:
        return ""
    where = home.nodes if home.nodes.is_dir() else None  # nothing is made in a home that is only looked at
    with tempfile.TemporaryDirectory(prefix=".layer-", dir=where) as name:
        try:
            tried = subprocess.run(
                ["unshare", "--mount", "--pid", "--fork", "--", "/bin/sh", str(_SCRIPT), "--layer", name],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    return "" if tried.returncode == 0 else tried.stderr.decode(errors="replace").strip() or "it was refused"


def layer_lines(disk: Path, real: Iterable[Path]) -> list[str]:
    """Give the lines of ``CONTROL/mounts`` that put a node's layer over this machine.

    Args:
        disk: the node's.
        real: folders that the job sees as they are: ours, and those that its mounts come from.
    """
    folder = disk / FOLDER
    with beneath.opened(disk) as fd:
        for name in ("upper", "work", "root"):
            os.close(beneath.put_folders(os.dup(fd), (FOLDER, name)))
    lines = [f"layer {shlex.quote(str(folder))}"]
    shown = dict.fromkeys([*map(Path, _mount_points()), *(path.resolve() for path in real)])
    outermost = [path for path in shown if not any(parent in shown for parent in path.parents)]
    lines += [f"show {shlex.quote(str(path))}" for path in outermost]  # with all that is mounted inside
    return [*lines, "enter"]


def _mount_points() -> list[str]:
    """List this machine's mount points that hold others, or none; not the kernel's own."""
    found: list[str] = []
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        path = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4])
        inside = any(path == top or path.startswith(f"{top}/") for top in (*_KERNEL, *found))
        if path != "/" and not inside:
            found.append(path)
    return found
