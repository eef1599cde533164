"""What an environment is laid on: a virtual environment of a Python of this machine, or a fetched Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from training.support import python27, python39
from training.support.events import Events, RequirementError
from training.support.interpreters import Interpreter


class Base(Protocol):
    """A Python for the environment.

    ``abi``: as in wheel file names. ``identity``: what it is made of, for the environment's key.
    ``needs``: names of tables of wheels that it needs besides the toolkit's. ``library_path``: folders below the
    environment for LD_LIBRARY_PATH, ``bin``: for PATH. ``site``: where wheels go, below the environment.
    """

    abi: str
    version: tuple[int, int, int]
    identity: tuple[str, ...]
    needs: tuple[str, ...]
    library_path: tuple[str, ...]
    bin: tuple[str, ...]
    site: str
    title: str

    def bytes_to_fetch(self) -> int:
        """Say how many bytes it fetches besides wheels."""
        ...

    def lay(self, folder: Path, wheels: list[Path], events: Events) -> None:
        """Make ``folder``, with ``bin/python`` in it.

        Raises:
            RequirementError: it cannot be made, or not be fetched.
        """
        ...


class FoundPython:
    """A virtual environment of a Python of this machine.

    The standard library's venv makes it, or virtualenv for 2.7. Neither needs pip, setuptools or a network;
    both keep jobs away from the Python's own packages.
    """

    library_path: tuple[str, ...] = ()
    bin: tuple[str, ...] = ("bin",)

    def __init__(self, interpreter: Interpreter) -> None:
        self._path = interpreter.path
        self.abi = interpreter.abi
        self.version = interpreter.version
        self.identity: tuple[str, ...] = (str(interpreter.path), str(interpreter.version))
        self.needs: tuple[str, ...] = ("virtualenv",) if self.version[0] == 2 else ()
        self.site = "lib/python{}.{}/site-packages".format(*self.version)
        self.title = str(interpreter.path)

    def bytes_to_fetch(self) -> int:
        """Say how many bytes it fetches besides wheels: none."""
        return 0

    def lay(self, folder: Path, wheels: list[Path], events: Events) -> None:
        """Make the virtual environment."""
        environment = bare_environment()
        if self.version[0] > 2:
            command = [str(self._path), "-m", "venv", "--without-pip", str(folder)]
            run_here(command, environment, "a virtual environment could not be made")
            return
        folder.mkdir()
        source = folder / "virtualenv"
        with zipfile.ZipFile(
            next(wheel for wheel in wheels if wheel.name.startswith("virtualenv-"))
        ) as archive:
            archive.extractall(source)
        environment["PYTHONPATH"] = str(source)
        command = [str(self._path), str(source / "virtualenv.py"), "--no-download", "--no-setuptools"]
        command += ["--no-pip", "--no-wheel", "--quiet", str(folder)]
        run_here(command, environment, "a virtual environment could not be made")
        shutil.rmtree(source)


class FetchedPython:
    """A Python 2.7 that is fetched; the environment is that Python itself, so it may be moved."""

    abi = "cp27mu"
    version: tuple[int, int, int] = python27.VERSION
    identity: tuple[str, ...] = tuple(package.sha256 for package in python27.PACKAGES)
    needs: tuple[str, ...] = ()
    library_path: tuple[str, ...] = (python27.LIBRARIES,)
    bin: tuple[str, ...] = ("bin", "local/bin")  # pip, as Debian has it, installs programs below local/
    site = "lib/python2.7/dist-packages"
    title = "a Python 2.7 that was fetched"

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def bytes_to_fetch(self) -> int:
        """Say how many bytes of its packages are not in the cache."""
        return python27.bytes_to_fetch(self._cache)

    def lay(self, folder: Path, wheels: list[Path], events: Events) -> None:
        """Fetch the packages and unpack them."""
        python27.unpack(python27.fetch(self._cache, os.environ, events), folder)


class FetchedPython39:
    """A Python 3.9 that is fetched; the environment is that Python itself, so it may be moved."""

    abi = "cp39"
    version: tuple[int, int, int] = python39.VERSION
    identity: tuple[str, ...] = tuple(package.sha256 for package in python39.PACKAGES)
    needs: tuple[str, ...] = ()
    library_path: tuple[str, ...] = (python27.LIBRARIES,)
    bin: tuple[str, ...] = ("bin", "local/bin")
    site = "lib/python3/dist-packages"
    title = "a Python 3.9 that was fetched"

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def bytes_to_fetch(self) -> int:
        """Say how many bytes of its packages are not in the cache."""
        return python27.bytes_to_fetch(self._cache, python39.PACKAGES)

    def lay(self, folder: Path, wheels: list[Path], events: Events) -> None:
        """Fetch the packages and unpack them."""
        packages = python27.fetch(self._cache, os.environ, events, python39.PACKAGES, "a Python 3.9")
        python27.unpack(packages, folder, "python3.9")


def bare_environment() -> dict[str, str]:
    """Give this process's environment without what would lead a Python or an MPI elsewhere."""
    unwanted = ("PYTHON", "VIRTUAL_ENV", "PYENV_", "OPAL_", "OMPI_", "__PYVENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def run_here(command: list[str], environment: Mapping[str, str], complaint: str) -> str:
    """Run a program that makes or tries an environment; give what it printed.

    It starts in ``/``: a Python with ``-c`` or ``-m`` imports first what lies in the folder that it starts in.

    Raises:
        RequirementError: it failed; begins with the complaint and ends with its last lines.
    """
    result = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
        cwd="/",
    )
    if result.returncode:
        tail = (result.stderr or result.stdout).strip().splitlines()[-3:]
        raise RequirementError(
            f"{complaint}: {' / '.join(tail) or f'exit code {result.returncode}'}",
            "Use a Docker engine, or another Python (SCENARIO_CNTK_PYTHON, SCENARIO_TENSORFLOW_PYTHON name one).",
        )
    return result.stdout
