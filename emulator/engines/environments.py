"""The programs of a job without a container: its toolkit's environment, and a Python of the node's own.

A job's ``python`` and ``pip`` are an environment on the node's disk, laid over the Python that is active
here: what is there can be imported, and what a job installs lands on its node and goes with it. So no job
changes the emulator's own installation. It is a few links and a text file; no package is copied.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from batchai_scenario.emulator.engines.base import Lack
from batchai_scenario.emulator.engines.programs import run_program
from batchai_scenario.emulator.errors import EngineUnavailable, Problem
from batchai_scenario.emulator.state import beneath

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchai_scenario.emulator.engines.base import Need

_KEPT = ("PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "SSL_CERT_FILE")
_KEPT_TAILS = ("_proxy", "_PROXY")
_ASK = """
import json, os, sys
base = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
found = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
print(json.dumps([base, sys.version_info[0], sys.version_info[1], found]))
"""
_USUAL = ("ping", "curl", "wget", "ssh", "git", "sudo", "unzip")
_SECONDS = 20.0
_FOLDER = "python"


@dataclass(frozen=True, slots=True)
class BasePython:
    """A Python: its program, its version, and where its packages lie."""

    program: str
    version: tuple[int, int]
    packages: tuple[str, ...]


def own_environment(home: Path, seen: Callable[[str], str]) -> dict[str, str]:
    """Give what of our own environment reaches a job.

    Args:
        home: the job's ``HOME``.
        seen: writes a proxy's URL as the job reaches it.
    """
    kept = {
        name: seen(value) if name.endswith(_KEPT_TAILS) else value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith("LC_") or name.endswith(_KEPT_TAILS)
    }
    return {"PATH": os.defpath, **kept, "HOME": str(home)}


def add_programs(values: dict[str, str], name: str, folders: list[str], default: str = "") -> None:
    """Put folders first in a variable of the PATH kind; what it holds is the job's, else ours."""
    present = values.get(name, os.environ.get(name, default))
    values[name] = ":".join([*folders, *([present] if present else [])])


def add_toolkit(
    values: dict[str, str],
    toolkit: str,
    program: Path,
    arguments: list[str],
    announce: Callable[[str], None],
) -> None:
    """Make a toolkit's environment on demand and put its programs first; EngineError says why not."""
    made = run_program(program, arguments, f"environment of toolkit {toolkit}", announce)
    announce(f"environment: {toolkit} {made.get('version', '')} of {made.get('python', '')}")
    add_programs(values, "PATH", [str(folder) for folder in made.get("bin") or ()], os.defpath)
    add_programs(values, "LD_LIBRARY_PATH", [str(folder) for folder in made.get("library_path") or ()])
    for name, value in (made.get("variables") or {}).items():
        values.setdefault(str(name), str(value))


def toolkit_lack(need: Need, arguments: list[str]) -> Lack | None:
    """Say what a toolkit's environment has to be made from; None: it needs none, or is there.

    ``arguments``: command line of the program that makes it, with ``--check``.
    """
    if need.environment_program is None:
        return None
    what = f"environment of toolkit {need.toolkit}"
    found = run_program(need.environment_program, arguments, what, lambda _: None)
    if not found.get("room"):
        return None
    return Lack(str(found.get("what") or what), int(found.get("fetch") or 0))


def demand_program(need: Need) -> None:
    """Demand the program that a job calls and no environment has; EngineUnavailable says what would help."""
    if need.program and shutil.which(need.program, path=os.environ.get("PATH", os.defpath)) is None:
        text = f"Toolkit {need.toolkit} calls the program {need.program} for this job, and it is not on PATH."
        remedy = (
            f"No package that can be fetched has it: install {need.program} where PATH finds it, "
            "or run the job in an image that has it, with --engine docker."
        )
        raise EngineUnavailable(Problem("ProgramMissing", text), remedy)


def make_toolkit(
    need: Need,
    arguments: list[str],
    announce: Callable[[str], None],
    progress: Callable[[str, int, int], None],
) -> None:
    """Make a toolkit's environment, if it needs one; EngineError says why not."""
    if need.environment_program is not None:
        what = f"environment of toolkit {need.toolkit}"
        run_program(need.environment_program, arguments, what, announce, progress)


def add_node_python(values: dict[str, str], disk: Path, announce: Callable[[str], None]) -> None:
    """Put a Python of the node's own first in a job's PATH; pip of any other is told to leave that one alone.

    Where the active Python cannot carry an environment (Python 2, or one that does not run), ``PIP_USER``
    leads what a job installs into its home folder on the node.
    """
    path = values.get("PATH", os.environ.get("PATH", os.defpath))
    base = ask(shutil.which("python3", path=path) or sys.executable)
    values.setdefault("PIP_USER" if base is None else "PIP_NO_WARN_SCRIPT_LOCATION", "1")
    if base is None:
        announce("python: the active Python carries no environment; pip installs into the job's home folder")
        return
    folder = disk / _FOLDER
    _make(folder, base)
    add_programs(values, "PATH", [str(folder / "bin")], os.defpath)
    values.setdefault("VIRTUAL_ENV", str(folder))


def lacking_programs(values: Mapping[str, str]) -> list[str]:
    """List the programs that a node had, and jobs call, which this machine has nowhere on a job's PATH."""
    path = values.get("PATH", os.environ.get("PATH", os.defpath))
    return [name for name in _USUAL if shutil.which(name, path=path) is None]


@cache
def ask(program: str) -> BasePython | None:
    """Ask a Python what it is; None if it does not say, or is a Python 2. Asked once."""
    try:
        said = subprocess.run(
            [program, "-c", _ASK], capture_output=True, text=True, timeout=_SECONDS, check=True, cwd="/"
        )
        base, major, minor, packages = json.loads(said.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return BasePython(base, (major, minor), tuple(packages)) if major > 2 else None  # noqa: PLR2004 - Python 2


def _make(folder: Path, base: BasePython) -> None:
    """Lay an environment over a Python, unless it is there."""
    settings = (
        f"home = {os.path.dirname(base.program)}\n"  # noqa: PTH120 - as it is written, not resolved
        f"include-system-site-packages = false\nversion = {base.version[0]}.{base.version[1]}\n"
    )
    with suppress(OSError):
        if beneath.read_file(folder, "pyvenv.cfg", len(settings) + 1) == os.fsencode(settings):
            return
    beneath.remove_path(folder)  # its jobs may have put anything into it
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    draft.chmod(0o755)
    minor = f"python{base.version[0]}.{base.version[1]}"
    packages = draft / "lib" / minor / "site-packages"
    for made in (draft / "bin", packages):
        made.mkdir(parents=True, exist_ok=True)
    (packages / "_node.pth").write_text(
        "".join(f"import site; site.addsitedir({path!r})\n" for path in base.packages)
    )
    for name, target in (("python", base.program), ("python3", "python"), (minor, "python")):
        (draft / "bin" / name).symlink_to(target)
    python = shlex.quote(str(folder / "bin" / "python"))
    for name in ("pip", f"pip{base.version[0]}", f"pip{base.version[0]}.{base.version[1]}"):
        program = draft / "bin" / name
        program.write_text(
            f"#!/bin/sh\n{python} -c 'import pip' 2>/dev/null || {python} -m ensurepip -q >/dev/null\n"
            f'exec {python} -m pip "$@"\n'
        )
        program.chmod(0o755)
    (draft / "pyvenv.cfg").write_text(settings)
    draft.rename(folder)
