"""The guide's example: a backend in a package of its own is installed, and runs the whole suite."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
EXAMPLE = HERE / "example_backend"


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Install the example beside this interpreter's packages, in an environment of its own."""
    folder = tmp_path_factory.mktemp("example")
    source = folder / "source"
    shutil.copytree(EXAMPLE, source)
    venv.create(folder / "venv")
    interpreter = str(folder / "venv" / "bin" / "python")
    own = subprocess.run(
        [interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    # What is under test here, and what it needs, is not installed a second time.
    shared = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    lines = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(shared)]
    (Path(own) / "shared.pth").write_text("\n".join(lines) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", interpreter, "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", str(source)], check=True)
    return interpreter


def suite(python: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the suite as its documentation says, from a folder that is not this project's."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--pyargs",
        "batchai_scenario.backends.testing",
    ]
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.network
def test_the_example_installs_and_keeps_the_contract(python: str, tmp_path: Path) -> None:
    done = suite(python, tmp_path, "--backend", "notebook:nodes=2", "--conformance-report", "report")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report" / "conformance.json").read_text())
    (notebook,) = report["backends"]
    assert notebook["engine"] == "functions"
    assert set(notebook["counts"]) == {"passed", "skipped"}
    assert notebook["results"]["N.1"]["result"] == "passed"
    for result in notebook["results"].values():
        assert result["result"] == "passed" or result["detail"], "skipped without a reason"


@pytest.mark.network
def test_a_backend_that_cannot_be_opened_does_not_stop_another(python: str, tmp_path: Path) -> None:
    done = suite(python, tmp_path, "--backend", "notebook:nodes=none", "--backend", "memory")
    assert done.returncode == 1
    assert "'none' is not a number of nodes" in done.stdout
    assert "1 failed" in done.stdout
    assert "test_contract[memory" not in "".join(
        line for line in done.stdout.splitlines() if line.startswith("FAILED")
    )


def test_the_guide_shows_the_example_as_it_is() -> None:
    guide = (ROOT / "docs" / "backend-authors.md").read_text()
    for path in [*sorted(EXAMPLE.rglob("*.py")), EXAMPLE / "pyproject.toml"]:
        assert path.read_text().strip() in guide, f"docs/backend-authors.md shows another {path.name}"
