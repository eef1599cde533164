"""Makes the root file system of a Debian from packages alone, with mmdebstrap: no engine, no registry.

Package mirrors are those of this machine's own apt where it is a Debian, else mmdebstrap's default;
SCENARIO_DEBIAN_MIRROR names another.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.support.events import Events, RequirementError
from training.support.room import no_room

_REMEDY = "Let the engine reach a registry, or build on a Debian or Ubuntu: apt-get install mmdebstrap."
_STEPS = 14  # lines that mmdebstrap usually prints, for progress


def make_rootfs(
    suite: str, packages: tuple[str, ...], tree: Path | None, finish: str, archive: Path, events: Events
) -> None:
    """Make a tar file with a minimal Debian, packages, and ``tree`` (a tar file) laid over it.

    ``finish`` is a shell command that runs in the system after that.

    Raises:
        RequirementError: no apt, no mirror, or no right to make a root file system; says what mmdebstrap said.
    """
    with _mmdebstrap() as (program, keyring):
        command = (
            [program, "--variant=minbase", "--format=tar", f"--include={','.join(packages)}"]
            if packages
            else [program, "--variant=minbase", "--format=tar"]
        )
        command += [
            '--aptopt=Acquire::Check-Valid-Until "false"'
        ]  # old suites do not renew it; signatures hold
        for pattern in ("man/*", "locale/*", "doc/*", "info/*"):
            command.append(f"--dpkgopt=path-exclude=/usr/share/{pattern}")
        command.append("--dpkgopt=path-include=/usr/share/doc/*/copyright")
        if keyring:
            command.append(f"--keyring={keyring}")
        if tree is not None:
            command.append(f"--customize-hook=tar-in {tree} /")
        if finish:
            command.append(f"--customize-hook=chroot \"$1\" /bin/sh -c '{finish}'")
        command += [suite, str(archive)]
        if mirror := os.environ.get("SCENARIO_DEBIAN_MIRROR"):
            command.append(mirror)
        _run(command, f"Debian {suite}", archive.parent, events)


@contextmanager
def _mmdebstrap() -> Iterator[tuple[str, str]]:
    """Give the program, installed or fetched for now, and a keyring if the system lacks Debian's.

    Raises:
        RequirementError: it is not here and cannot be fetched.
    """
    if shutil.which("apt-get") is None:
        raise RequirementError(
            "no registry answers, and this machine has no apt to make a Debian with.", _REMEDY
        )
    program = shutil.which("mmdebstrap")
    system_keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    with tempfile.TemporaryDirectory(prefix="scenario-mmdebstrap-") as scratch:
        folder = Path(scratch)
        keyring = ""
        if program is None:
            _fetch_package("mmdebstrap", folder)
            program = str(folder / "usr" / "bin" / "mmdebstrap")
        if not system_keyring.exists():
            _fetch_package("debian-archive-keyring", folder)
            keyring = str(folder / system_keyring.relative_to("/"))
        yield program, keyring


def _fetch_package(name: str, folder: Path) -> None:
    """Unpack a package of this machine's distribution into a folder, without installing it."""
    folder.chmod(0o755)  # apt fetches as a user of its own
    for command in (
        ["apt-get", "--quiet", "download", name],
        ["sh", "-c", f"dpkg-deb --extract {name}_*.deb ."],
    ):
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if result.returncode:
            said = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
            raise RequirementError(
                f"no registry answers, and {name} is not installed and could not be fetched: {said}", _REMEDY
            )


def _run(command: list[str], what: str, folder: Path, events: Events) -> None:
    errors: list[str] = []
    steps = 0
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stderr or ():
                if line.startswith("I:"):
                    steps += 1
                    events.progress(f"{what}: {line[2:].strip().rstrip('.')}", min(steps, _STEPS), _STEPS)
                elif line.strip():
                    errors = [*errors[-5:], line.strip()]
        except BaseException:
            process.terminate()  # it removes what it made, and then it ends
            raise
    if process.returncode:
        raise RequirementError(
            f"{what} could not be made from packages: {' / '.join(errors[-3:]) or process.returncode}",
            no_room("\n".join(errors), folder) or _REMEDY,
        )
