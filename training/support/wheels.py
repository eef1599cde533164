"""Gets wheels with the ordinary client, for any interpreter, and checks each against its known checksum.

pip takes up a file that was cut off where it was, from its release 25.1 on; an earlier one begins that file again.
Packages that were never published as wheels, and are nothing but Python, are got as sources: pip holds their
checksum before it looks into them, and what they would install is unpacked as they have it.

A wheel is a dictionary: ``name``, ``version``, ``file`` (its exact file name), ``size`` (bytes), ``sha256``.
Each is got by a call of its own and kept, so what was fetched before an interruption is not fetched again; what pip
knows is asked once for a set.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TypedDict

from training.support.events import Events, RequirementError
from training.support.files import sha256
from training.support.room import no_room

_SOURCES = ".tar.gz"
_BROKEN_OFF = ("IncompleteRead", "Connection broken", "Read timed out", "Connection reset", "is invalid")
_TRIES = 3
"""How often a pip that cannot take a file up begins it."""


class Wheel(TypedDict):
    """One wheel and what is known of it."""

    name: str
    version: str
    file: str
    size: int
    sha256: str


def read_wheels(file: Path) -> dict[str, list[Wheel]]:
    """Read a ``wheels.json``: a toolkit's known wheels for each ABI, and for ``virtualenv`` and ``pip``."""
    table: dict[str, list[Wheel]] = json.loads(file.read_bytes())
    return table


def with_keras(table: dict[str, list[Wheel]]) -> dict[str, list[Wheel]]:
    """Add Keras 2.2.4 to the wheels of each ABI that it has wheels for (its YAML has none for Python 3.5)."""
    keras = read_wheels(Path(__file__).with_name("keras.json"))
    found = {}
    for abi, wheels in table.items():
        names = {wheel["name"] for wheel in wheels}
        found[abi] = [*wheels, *(wheel for wheel in keras.get(abi, []) if wheel["name"] not in names)]
    return found


def fetch(wheels: list[Wheel], folder: Path, events: Events, pip: list[str] | None = None) -> list[Path]:
    """Put the wheels into ``folder`` unless they are there already; give their paths in order.

    ``pip``: the command line of a pip, the one of ``find_pip`` if it is absent.

    Raises:
        RequirementError: no pip, no package index, no room, or a file that is not the known one.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for leftover in folder.glob(".fetch-*"):  # of a run that was killed; the folder is ours alone
        shutil.rmtree(leftover)
    client: Pip | None = None
    paths = []
    for wheel in wheels:
        path = folder / wheel["file"]
        if not (path.exists() and sha256(path) == wheel["sha256"]):
            client = client or (find_pip() if pip is None else Pip(pip, _help(pip) or ""))
            _fetch_one(client, wheel, path, events)
        events.progress(wheel["file"], wheel["size"], wheel["size"])
        paths.append(path)
    return paths


def unpack(wheel: Path, site: Path, prefix: Path) -> None:
    """Install a wheel: what lies in its data folder goes below the prefix, the rest into site-packages."""
    if wheel.name.endswith(_SOURCES):
        _unpack_sources(wheel, site)
        return
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = PurePosixPath(entry.filename)
            if entry.is_dir() or path.is_absolute() or ".." in path.parts:
                continue
            target = site / path
            if path.parts[0].endswith(".data"):
                kind, *rest = path.parts[1:]
                if kind not in ("data", "purelib", "platlib"):
                    continue
                target = (prefix if kind == "data" else site).joinpath(*rest)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
            target.chmod(0o755 if entry.external_attr >> 16 & 0o100 else 0o644)


def _unpack_sources(archive: Path, site: Path) -> None:
    """Install what sources of pure Python hold: the package ``NAME``, and ``NAME.egg-info`` to be known by."""
    release = archive.name.removesuffix(_SOURCES)
    name = release.rpartition("-")[0]
    installed = {name: name, f"{name}.egg-info": f"{release}.egg-info"}
    with tarfile.open(archive) as sources:
        for entry in sources:
            parts = PurePosixPath(entry.name).parts[1:]  # the first is the release
            content = sources.extractfile(entry) if entry.isreg() else None
            if content is None or parts[0] not in installed or ".." in parts:
                continue
            path = site.joinpath(installed[parts[0]], *parts[1:])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())


def _wanted(wheel: Wheel, scratch: Path) -> list[str]:
    """Give what pip is to fetch; of sources it holds the checksum before it looks into them."""
    requirement = f"{wheel['name']}=={wheel['version']}"
    if not wheel["file"].endswith(_SOURCES):
        return ["--only-binary=:all:", *_target(wheel["file"]), requirement]
    wanted = scratch / "requirements.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{wheel['sha256']}\n")
    return [f"--no-binary={wheel['name']}", "--require-hashes", "--requirement", str(wanted)]


def _fetch_one(pip: Pip, wheel: Wheel, path: Path, events: Events) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetch-") as scratch:
        found, wanted = Path(scratch) / wheel["file"], _wanted(wheel, Path(scratch))
        lines: list[str] = []
        for again in reversed(range(1 if pip.resumes else _TRIES)):
            lines = pip.download(["--dest", scratch, *wanted], wheel, events)
            if found.exists() or not any(word in line for line in lines for word in _BROKEN_OFF):
                break
            if again:
                events.note(f"{wheel['file']} was cut off; this pip begins it again")
        if not found.exists():
            message = f"{wheel['name']} {wheel['version']} could not be fetched: {_reason(lines)}"
            remedy = (
                "Let pip reach its package index, or name a folder that holds the file with PIP_FIND_LINKS."
            )
            raise RequirementError(message, no_room("\n".join(lines), path.parent) or remedy)
        if sha256(found) != wheel["sha256"]:
            raise RequirementError(
                f"{wheel['file']} is not the known file: its SHA-256 is {sha256(found)}",
                f"Expected {wheel['sha256']}; see which package index pip is set up to use.",
            )
        found.replace(path)


class Pip:
    """A pip, and what this release of it knows."""

    def __init__(self, command: list[str], said: str) -> None:
        """Take a command line, and what ``pip download --help`` says there."""
        raw = re.search(r"--progress-bar.{0,300}?\braw\b", said, re.DOTALL)  # numbers; since pip 24.1
        self.resumes = "--resume-retries" in said  # since pip 25.1
        self._command = [*command, "download", "--no-deps", "--disable-pip-version-check", "--no-input"]
        self._command += ["--progress-bar", "raw" if raw else "off", "--retries", "2", "--timeout", "20"]
        self._command += ["--resume-retries", "5"] if self.resumes else []

    def download(self, wanted: list[str], wheel: Wheel, events: Events) -> list[str]:
        """Have it fetch what these words name, turn its progress into events; give its last lines."""
        lines: list[str] = []
        with subprocess.Popen(
            [*self._command, *wanted],
            env=_variables(wheel),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                for line in process.stdout or ():
                    if match := re.match(r"Progress (\d+) of (\d+)", line):
                        done, total = int(match[1]), int(match[2])
                        if total == wheel["size"] and done < total:
                            events.progress(wheel["file"], done, total)
                    else:
                        lines = [*lines[-20:], line.strip()]
            except BaseException:
                process.kill()
                raise
        return lines


def find_pip() -> Pip:
    """Give a pip: this interpreter's own, else the first on PATH.

    Raises:
        RequirementError: there is none.
    """
    for command in ([sys.executable, "-m", "pip"], ["pip3"], ["pip"]):
        said = _help(command)
        if said is not None:
            return Pip(command, said)
    raise RequirementError(
        "there is no pip to fetch wheels with",
        f"Install it: {sys.executable} -m ensurepip, or your system's python3-pip.",
    )


def _help(command: list[str]) -> str | None:
    """Give what a pip says of its ``download``; None: it does not run."""
    if shutil.which(command[0]) is None:
        return None
    asked = subprocess.run([*command, "download", "--help"], capture_output=True, text=True, check=False)
    return asked.stdout if asked.returncode == 0 else None


def _target(file: str) -> list[str]:
    """Give the options with which pip fetches this very file, whatever interpreter pip itself runs on."""
    python, abi, platforms = file.removesuffix(".whl").split("-")[-3:]
    version = {"py2": "27", "py3": "311"}.get(python.split(".")[0], python.removeprefix("cp"))
    options = ["--implementation", "cp", "--python-version", version]
    for name in dict.fromkeys([abi, "none"]):
        options += ["--abi", name]
    for name in platforms.split("."):
        options += ["--platform", name]
    return options


def _variables(wheel: Wheel) -> dict[str, str]:
    """Give pip's variables: sources of that time are read by a setuptools that still has pkg_resources."""
    if not wheel["file"].endswith(_SOURCES):
        return dict(os.environ)
    file = str(Path(__file__).with_name("sources.txt"))
    return {**os.environ, "PIP_BUILD_CONSTRAINT": file, "PIP_CONSTRAINT": file}


def _reason(lines: list[str]) -> str:
    """Pick the line that says why out of what pip printed."""
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["pip said nothing"]
    return errors[-1].removeprefix("ERROR: ")


def add_pip(folder: Path, major: int) -> None:
    """Let job preparation's ``pip install`` reach the tree's own Python."""
    for name in ("pip", f"pip{major}"):
        (folder / name).write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n')
        (folder / name).chmod(0o755)


def join_packages(site: Path) -> None:
    """Complete what wheels leave to an installer: the beginning of packages of which several bring parts."""
    for name in ("google", "backports"):
        if (site / name).is_dir() and not (site / name / "__init__.py").exists():
            (site / name / "__init__.py").touch()
