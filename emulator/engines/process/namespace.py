"""Mount and PID namespaces for tasks of the process engine, where the kernel allows them.

In them a job sees the service's own paths below ``/mnt/batch``, and everything that it started ends with
its supervisor. The caller is root, or the kernel lets others make user namespaces; both are tried, once.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchai_scenario.emulator.launch.plan import CommandMount, Mount

_SCRIPT = Path(__file__).with_name("namespace.sh")
_PROBE_SECONDS = 20.0
_PROBE = '[ "$$" = 1 ] && [ -e /mnt/batch/probe/here ] && [ "$(id -u)" = "$2" ] && true >"$1/status"\n'


def enter_command(control: Path, network: Sequence[str] = ()) -> list[str]:
    """Give the command that enters new namespaces and becomes the task's supervisor there.

    ``network``: the words that enter the node's own network, if it has one; we are its namespace's root then.
    """
    user = [] if os.geteuid() == 0 or network else ["--user", "--map-root-user"]
    spaces = ["--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
    script = ["/bin/sh", str(control / "namespace.sh"), str(control)]
    return [*network, "unshare", *user, *spaces, "--", *script]


def write_mounts(
    control: Path,
    mounts: Sequence[Mount],
    name: str = "",
    files: Mapping[str, str] | None = None,
    layer: Sequence[str] = (),
    *,
    commands: Sequence[CommandMount] = (),
) -> None:
    """Write what ``namespace.sh`` sets up into a control folder.

    Args:
        control: the control folder.
        mounts: what it binds, outer mounts first.
        name: the host name; empty: this machine's.
        files: what stands in the place of files of this machine, from path to text.
        layer: the lines of ``layer_lines``, if the node has one.
        commands: what the user's own commands mount, outer mounts first.
    """
    shutil.copyfile(_SCRIPT, control / "namespace.sh")
    mounted = [
        f"mounted {i} {shlex.quote(one.command)} {shlex.quote(one.name)}" for i, one in enumerate(commands)
    ]
    places = [(mount.source, mount.target) for mount in mounts]
    places += [(control / "mounted" / str(i), mount.target) for i, mount in enumerate(commands)]
    places.sort(key=lambda place: len(place[1].parts))
    lines = [f"bind {shlex.quote(str(source))} {shlex.quote(str(target))}" for source, target in places]
    for number, (path, text) in enumerate((files or {}).items()):
        (control / f"file{number}").write_text(text)
        lines.append(f"replace {shlex.quote(str(control / f'file{number}'))} {path}")
    if name:
        lines.append(f"hostname {name} 2>/dev/null || true")
    if os.geteuid() != 0:
        lines.append(f"user={os.geteuid()} group={os.getegid()}")
    for file, content in (("layer", [*mounted, *layer]), ("mounts", lines)):
        text = "".join(f"{line}\n" for line in content)
        (control / file).write_bytes(text.encode("utf-8", "surrogateescape"))


def namespaces_missing() -> str:
    """Say why namespaces cannot be used here; empty if they can. Tries it for real, in about 20 ms."""
    from pathlib import PurePosixPath

    from batchai_scenario.emulator.launch.plan import Mount

    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return "the commands unshare and mount (util-linux) are not installed"
    if not Path("/mnt").is_dir():
        return "/mnt is not a folder here"
    with tempfile.TemporaryDirectory(prefix="scenario-probe-") as name:
        control = Path(name)
        (control / "here").touch()
        probe = _PROBE.replace('"$2"', str(os.geteuid()))
        (control / "supervisor.sh").write_text(probe)
        write_mounts(control, [Mount(control, PurePosixPath("/mnt/batch/probe"))])
        try:
            outcome = subprocess.run(
                enter_command(control),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PROBE_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"namespaces cannot be made: {error}"
        if (control / "status").exists():
            return ""
        log = (control / "log").read_bytes() if (control / "log").exists() else b""
        reason = (outcome.stderr + log).decode(errors="replace").strip()
        return f"namespaces cannot be made: {reason or 'the probe failed'}"
