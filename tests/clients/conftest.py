"""What the tests of historical clients share: pinned environments, and the emulator around programs.

Each client lives in an environment of its own, made from a complete list of packages in ``pins/``. It runs as
its users run it: a process that knows Azure's addresses only, started through ``scenario emulator exec``.

``SCENARIO_TEST_CACHE`` names a folder that keeps the environments; without it they are made for each session.
A client whose interpreter is missing here is skipped, and fails where ``CI`` is set.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lacking import NODE, PYTHONS, skip_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

HERE = Path(__file__).parent
PROGRAMS, PINS = HERE / "programs", HERE / "pins"
ROOT = HERE.parents[1]

INSTALL_SECONDS, RUN_SECONDS = 240, 90
OLDEST_PYTHON_OF_PIP = (3, 10)
"""The oldest Python that every pip of our own Pythons still installs for."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave these tests out of a run that asks for them neither by marker nor by path."""
    asked = "clients" in str(config.option.markexpr) or any("clients" in name for name in config.args)
    ours = [item for item in items if item.get_closest_marker("clients")]
    if not asked and ours:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in set(ours)]


def missing(what: str, cause: str) -> None:
    """Skip the test for want of something; fail it in CI, which has all of it."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is required here")
    skip_for(cause, f"there is no {what}")


def interpreter(version: str) -> str:
    """Find a Python by its version, such as ``3.6``; skips the test if there is none that runs."""
    name = f"python{version}"
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        found = shutil.which(name, path=folder)
        if found is None:
            continue
        tried = subprocess.run([found, "-c", "import venv, ensurepip"], capture_output=True, check=False)
        if tried.returncode == 0:
            return found
    missing(name, PYTHONS)
    raise AssertionError


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the environments."""
    chosen = os.environ.get("SCENARIO_TEST_CACHE")
    folder = Path(chosen) / "clients" if chosen else tmp_path_factory.mktemp("clients")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def environment(kept: Path) -> Callable[[str, str], str]:
    """Give the Python of an environment: ``environment("sdk-0.2.0", "3.11")``; made if it is not there."""

    def make(pins: str, version: str) -> str:
        list_ = PINS / f"{pins}.txt"
        fingerprint = hashlib.sha256(list_.read_bytes()).hexdigest()[:12]
        folder = kept / f"{pins}-python{version}-{fingerprint}"
        python, complete = folder / "bin" / "python", folder / "complete"
        if complete.exists():
            return str(python)
        shutil.rmtree(folder, ignore_errors=True)
        # An environment of a Python that our own pip runs on is spared the 3 s that a pip of its own takes.
        ours = tuple(map(int, version.split("."))) >= OLDEST_PYTHON_OF_PIP and find_spec("pip") is not None
        pip = [sys.executable, "-m", "pip", "--python", str(python)] if ours else [str(python), "-m", "pip"]
        options = ["--disable-pip-version-check", "--quiet", "--no-compile", "--no-deps"]
        for command in (
            [interpreter(version), "-m", "venv", *(["--without-pip"] if ours else []), str(folder)],
            [*pip, "install", *options, "-r", str(list_)],
        ):
            made = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False, env=_plain()
            )
            assert made.returncode == 0, f"{' '.join(command)}\n{made.stdout}\n{made.stderr}"
        complete.touch()
        return str(python)

    return make


@pytest.fixture(scope="session")
def node_packages(kept: Path) -> Path:
    """The folder of Node's packages, installed as the lock file says."""
    if not (shutil.which("node") and shutil.which("npm")):
        missing("Node with npm", NODE)
    lock = HERE / "node" / "package-lock.json"
    folder = kept / f"node-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    complete = folder / "complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(HERE / "node", folder)
        made = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        complete.touch()
    return folder


def _plain() -> dict[str, str]:
    """Our environment without what could steer the emulator, Azure's clients or a Python."""
    steering = ("SCENARIO_", "AZURE_", "MSI_", "IDENTITY_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(steering)}


@pytest.fixture(scope="session")
def cntk_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that keeps CNTK's environment for the next session, where there is a cache."""
    chosen = os.environ.get("SCENARIO_TEST_CACHE")
    return Path(chosen) if chosen else tmp_path_factory.mktemp("cntk")


@dataclass
class Emulated:
    """Runs programs with an emulator around them, all with one home folder."""

    home: Path
    engine: str = "process"

    def __call__(
        self,
        *command: str,
        cwd: Path | None = None,
        code: int = 0,
        timeout: float = RUN_SECONDS,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run a program to its end; gives its standard output. Fails unless it ends with ``code``."""
        # The product may come from this checkout; the program shall not see it.
        inner = ["env", "-u", "PYTHONPATH", *command]
        try:
            done = subprocess.run(
                [*self._cli, "exec", "--engine", self.engine, "--", *inner],
                env={**self._variables(), **(env or {})},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            pytest.fail(f"over {timeout} s\n{_text(late.stdout)}\n{_text(late.stderr)}")
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    _cli = (sys.executable, "-m", "batchai_scenario.scenarios", "emulator")

    def _variables(self) -> dict[str, str]:
        return {**_plain(), "SCENARIO_HOME": str(self.home), "PYTHONPATH": str(ROOT / "src")}

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Keep an emulator that all programs of this home use."""
        command = [*self._cli, "serve", "--engine", self.engine]
        process = subprocess.Popen(command, env=self._variables(), stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), "the emulator did not start"
            yield
        finally:
            process.terminate()
            process.communicate(timeout=20)

    def intercepted(self) -> dict[str, str]:
        """Give the environment of a program that finds the emulator which serves."""
        told = subprocess.run(
            [*self._cli, "env", "--json"], env=self._variables(), capture_output=True, text=True, check=True
        )
        return {**_plain(), **json.loads(told.stdout)}

    def stop(self) -> None:
        """Stop what serves the home, and sweep."""
        for verb in ("stop", "gc"):
            subprocess.run([*self._cli, verb], env=self._variables(), capture_output=True, check=False)


def _text(output: str | bytes | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


@pytest.fixture
def emulated(tmp_path: Path, exercise_process: None) -> Iterator[Emulated]:
    """Programs around an emulator with an empty home and the process engine."""
    found = Emulated(tmp_path / "home")
    yield found
    found.stop()
