"""The installed command, run as a person runs it: in processes of its own, with a home of its own."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lacking import ROOT, skip_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NO_ENGINE = "unix:///nonexistent/docker.sock"


@dataclass
class Command:
    """Runs ``scenario`` with one home folder; ``user``: as whom, for ``Popen`` (empty: as we are)."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: Mapping[str, Any] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """Give the environment of the command: ours without anything that could steer it."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("SCENARIO_", "AZURE_"))
        }
        return {**inherited, "SCENARIO_HOME": str(self.home), **self.environment}

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start the command; its output is piped as text."""
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("scenario")), *arguments],
            env=self.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
            **self.user,
            **options,
        )

    def __call__(
        self, *arguments: str, code: int | None = 0, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end; fails unless it ends with ``code`` (None: any)."""
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"scenario {' '.join(arguments)} took over {timeout} s\n{out}\n{err}")
        assert code in (None, process.returncode), (
            f"exit code {process.returncode}, expected {code}\n--- stdout\n{out}\n--- stderr\n{err}"
        )
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def events(self, *arguments: str, code: int | None = 0, timeout: float = 120) -> list[Mapping[str, Any]]:
        """Run with ``--json``; gives the objects, one a line."""
        result = self(*arguments, "--json", code=code, timeout=timeout)
        return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Command]:
    """Give the command with an empty home; stops its emulator and sweeps at the end."""
    command = Command(tmp_path / "home")
    command.home.mkdir()
    yield command
    command("emulator", "stop", code=None)
    command("emulator", "gc", code=None)


@pytest.fixture
def plain_scenario() -> Iterator[Command]:
    """Give the command of a plain user who may use Docker: ``nobody``, in the group of Docker's socket."""
    socket = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
    if os.geteuid() != 0 or not socket.is_socket():
        skip_for(ROOT, "only root can become a plain user in the group docker")
    entry = pwd.getpwnam("nobody")
    user: dict[str, Any] = {
        "user": entry.pw_uid,
        "group": entry.pw_gid,
        "extra_groups": [socket.stat().st_gid],
    }
    tried = [sys.executable, "-c", "import batchai_scenario"]
    try:
        subprocess.run(tried, cwd="/", capture_output=True, check=True, **user)
    except (OSError, subprocess.CalledProcessError) as error:
        skip_for("a Python for everybody", f"nobody may not run {sys.executable}: {error}")
    home = Path(tempfile.mkdtemp(prefix="scenario-plain-", dir="/var/tmp"))
    os.chown(home, entry.pw_uid, entry.pw_gid)
    command = Command(home, {"HOME": str(home)}, user)
    yield command
    command("emulator", "stop", code=None)
    command("emulator", "gc", code=None)
    shutil.rmtree(home)


@pytest.fixture(
    params=[pytest.param("docker", marks=pytest.mark.docker), pytest.param("process")],
)
def engine(request: pytest.FixtureRequest) -> str:
    """Give each engine in turn."""
    name: str = request.param
    if name == "process":
        request.getfixturevalue("exercise_process")
    return name


@pytest.fixture
def with_made_cache(scenario: Command, made_cache: Path) -> Command:
    """Give the command with a home of its own, but for the cache, which the whole run has in common."""
    (scenario.home / "cache").symlink_to(made_cache)
    return scenario


@pytest.fixture(scope="session")
def cntk_home(tmp_path_factory: pytest.TempPathFactory, made_cache: Path) -> Path:
    """Give a home that the tests of a file share, with the cache that the whole run has in common."""
    home = tmp_path_factory.mktemp("cntk")
    (home / "cache").symlink_to(made_cache)
    return home
