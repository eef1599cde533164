"""Finds the Pythons on this machine for which toolkits of that time have wheels: 3.6, 3.5 and 2.7."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.support.events import RequirementError

_PROBE = (
    "import sys, json, platform; print(json.dumps([list(sys.version_info[:3]), sys.maxunicode, "
    "platform.python_implementation(), platform.machine(), platform.system(), sys.executable]))"
)
_ABIS = {(3, 6): "cp36m", (3, 5): "cp35m", (2, 7): "cp27mu"}  # in the order in which they are preferred


@dataclass(frozen=True)
class Interpreter:
    """A Python of that time; ``abi`` as in wheel file names."""

    path: Path
    version: tuple[int, int, int]
    abi: str


def choose(
    named: Path | None,
    environment: Mapping[str, str],
    *,
    variable: str = "SCENARIO_CNTK_PYTHON",
    abis: Collection[str] = tuple(_ABIS.values()),
) -> Interpreter | None:
    """Give the named Python, else the best that is found with ``PATH``, ``PYENV_ROOT`` and ``HOME``, or None.

    Args:
        named: A Python that somebody wants.
        environment: Where to look.
        variable: Names a Python, for the error's text.
        abis: Those that the toolkit has wheels for.

    Raises:
        RequirementError: the named one does not fit.
    """
    if named is not None:
        found = look_at(named)
        if found is None or found.abi not in abis:
            fitting = [f"{major}.{minor}" for (major, minor), abi in _ABIS.items() if abi in abis]
            versions = " or ".join(filter(None, (", ".join(fitting[:-1]), fitting[-1])))
            raise RequirementError(
                f"{named} is not a CPython {versions} (with four-byte Unicode) that runs here.",
                f"Name another with {variable}, or none: then one is found, or fetched.",
            )
        return found
    seen = {}
    for candidate in candidates(environment):
        found = look_at(candidate)
        if found is not None and found.abi in abis and found.abi not in seen:
            seen[found.abi] = found
            if found.abi == "cp36m":
                break
    return next((seen[abi] for abi in _ABIS.values() if abi in seen), None)


def candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    """Give the programs that may be such a Python: on PATH, then below pyenv's roots; no program twice."""
    seen = set()
    for path in _on_path(environment):
        if path not in seen:
            seen.add(path)
            yield path
    for root in _pyenv_roots(environment):
        for major, minor in _ABIS:
            for path in sorted(
                root.glob(f"versions/{major}.{minor}*/bin/python{major}.{minor}"), reverse=True
            ):
                if path not in seen:
                    seen.add(path)
                    yield path


def _on_path(environment: Mapping[str, str]) -> Iterator[Path]:
    folders = [
        Path(folder)
        for folder in environment.get("PATH", os.defpath).split(os.pathsep)
        if folder and Path(folder).name != "shims"
    ]  # pyenv's own Pythons follow below, and answer sooner
    for name in ("python3.6", "python3.5", "python2.7", "python3", "python", "python2"):
        for folder in folders:
            if os.access(folder / name, os.X_OK):
                yield folder / name


def _pyenv_roots(environment: Mapping[str, str]) -> Iterator[Path]:
    if environment.get("PYENV_ROOT"):
        yield Path(environment["PYENV_ROOT"])
    for folder in environment.get("PATH", "").split(os.pathsep):
        if Path(folder).name == "shims":
            yield Path(folder).parent
    if environment.get("HOME"):
        yield Path(environment["HOME"]) / ".pyenv"


def look_at(path: Path) -> Interpreter | None:
    """Ask a program which Python it is; None if it is none, or another one."""
    try:
        answer = subprocess.run(
            [str(path.absolute()), "-E", "-c", _PROBE],
            capture_output=True,
            timeout=20,
            check=True,
            stdin=subprocess.DEVNULL,
            cwd="/",  # a json.py of the user's, where this program was started, is not to be imported
        )
        version, max_unicode, implementation, machine, system, executable = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    abi = _ABIS.get((version[0], version[1]))
    wide = max_unicode > 0xFFFF
    if abi is None or not wide or (implementation, machine, system) != ("CPython", "x86_64", "Linux"):
        return None
    return Interpreter(Path(executable).resolve(), (version[0], version[1], version[2]), abi)
