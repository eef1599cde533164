"""The examples of docs/azure-files.md, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from azure.storage.fileshare import ShareClient

from tests.clients.conftest import PROGRAMS, ROOT, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.clients.conftest import Emulated

pytestmark = [pytest.mark.clients, pytest.mark.network, pytest.mark.timeout(600)]

PAGE = ROOT / "docs" / "azure-files.md"
_BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def example(language: str, name: str = "") -> str:
    """Give the page's example of that language and name."""
    found = [
        text for kind, named, text in _BLOCK.findall(PAGE.read_text()) if (kind, named) == (language, name)
    ]
    assert len(found) == 1, f"{len(found)} examples are {language} {name}"
    return str(found[0])


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "batchai_scenario.scenarios", "emulator", *words]


def _environment(**more: str) -> dict[str, str]:
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("SCENARIO_", "AZURE_"))
    }
    return {**plain, **more}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What ``scenario emulator serve --only files`` prints as connection string."""
    home = tmp_path_factory.mktemp("page") / "home"
    command = _command("serve", "--only", "files", "--in-memory", "--json")
    variables = _environment(SCENARIO_HOME=str(home), PYTHONPATH=str(ROOT / "src"))
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["connectionString"]
        finally:
            process.terminate()
    assert not home.exists()


def _run(command: list[str], connection: str, folder: Path, **more: str) -> str:
    variables = _environment(AZURE_STORAGE_CONNECTION_STRING=connection, **more)
    done = subprocess.run(
        command, env=variables, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_python(connection: str, environment: Callable[[str, str], str], tmp_path: Path) -> None:
    python = environment("azure-files", "3.11")
    out = _run([python, "-c", example("python")], connection, tmp_path)
    assert out.splitlines() == ["42 %", "['march.txt']"]


def test_older_python(connection: str, environment: Callable[[str, str], str], tmp_path: Path) -> None:
    out = _run([environment("files-2.1.0", "3.11"), "-c", example("python", "old")], connection, tmp_path)
    assert out.splitlines() == ["42 %"]


def test_adlfs(connection: str, environment: Callable[[str, str], str], tmp_path: Path) -> None:
    out = _run([environment("azure-files", "3.11"), "-c", example("python", "adlfs")], connection, tmp_path)
    assert out.splitlines() == ["42 % ['adlfs/march.txt', 'adlfs/moved.txt']"]


def _shell(name: str, connection: str, python: str, folder: Path, *, needs: str = "") -> list[str]:
    tools = os.path.dirname(python)  # noqa: PTH120 - a path for PATH
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    if needs and shutil.which(needs, path=path) is None:
        missing(needs, needs)
    return _run(["bash", "-eu", "-c", example("sh", name)], connection, folder, PATH=path).splitlines()


def test_rclone(connection: str, environment: Callable[[str, str], str], tmp_path: Path) -> None:
    out = _shell("rclone", connection, environment("azure-files", "3.11"), tmp_path)
    assert out == ["reports/", "reports/march.txt", "42 %"]


def test_curl(connection: str, environment: Callable[[str, str], str], tmp_path: Path) -> None:
    out = _shell("curl", connection, environment("azure-files", "3.11"), tmp_path, needs="curl")
    assert out == ["42 %", "42"]


def test_javascript(connection: str, node_packages: Path) -> None:
    program = node_packages / "page.mjs"
    program.write_text(example("javascript"))
    assert _run(["node", str(program)], connection, node_packages).splitlines() == ["42 %"]


def test_tokens(emulated: Emulated, environment: Callable[[str, str], str], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(example("python", "tokens"))
    assert emulated(environment("azure-files", "3.11"), str(program)).splitlines() == ["42 %"]


def test_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_reports.py").write_text(example("python", "pytest"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "."]
    plugin = ["-p", "batchai_scenario.backends.pytest_batchai"] if not _is_installed() else []
    out = _run([*command, *plugin], "", tmp_path, PYTHONPATH=str(ROOT / "src"))
    assert "1 passed" in out


def test_github_actions(tmp_path: Path) -> None:
    """The step of the workflow that starts the emulator, as a runner does it."""
    (step,) = [
        step["run"]
        for step in yaml.safe_load(example("yaml"))["jobs"]["tests"]["steps"]
        if "serve" in str(step)
    ]
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python").symlink_to(sys.executable)
    (tools / "scenario").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m batchai_scenario.scenarios "$@"\n'
    )
    (tools / "scenario").chmod(0o755)
    passed_on = tmp_path / "github.env"
    variables = _environment(
        PATH=f"{tools}{os.pathsep}{os.environ['PATH']}",
        PYTHONPATH=str(ROOT / "src"),
        GITHUB_ENV=str(passed_on),
    )
    subprocess.run(["bash", "-e", "-c", step], env=variables, cwd=tmp_path, timeout=120, check=True)
    told = json.loads((tmp_path / "emulator.json").read_text().splitlines()[0])
    try:
        name, _, text = passed_on.read_text().strip().partition("=")
        assert name == "AZURE_STORAGE_CONNECTION_STRING"
        with ShareClient.from_connection_string(text, "actions") as share:
            share.create_share()
            assert share.get_share_properties().name == "actions"
    finally:
        os.kill(told["pid"], signal.SIGTERM)


def _is_installed() -> bool:
    from importlib.metadata import entry_points

    return any(point.name.endswith("pytest_batchai") for point in entry_points(group="pytest11"))


def test_nothing_is_left_of_the_page() -> None:
    """Every example but those of languages that are not here is run above."""
    kinds = {(kind, name) for kind, name, _ in _BLOCK.findall(PAGE.read_text())}
    run = {("python", name) for name in ("", "old", "adlfs", "tokens", "pytest")}
    run |= {("sh", "rclone"), ("sh", "curl"), ("javascript", "")}
    assert kinds - run == {("csharp", ""), ("yaml", "")}
    assert PROGRAMS.is_dir()
