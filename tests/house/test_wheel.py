"""The wheel in somebody else's project, which has packages of its own with the names of our rooms."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import batchai_scenario

ROOT = Path(__file__).parents[2]
ROOMS = ("backends", "emulator", "scenarios", "schema", "training")

TEST = """
import os

import backends, emulator, scenarios, schema, training
import batchai_scenario


def test_theirs_are_theirs_and_ours_is_found(batchai, pytestconfig):
    for option in ("--backend", "--expected-failures", "--conformance-report", "--job-image"):
        assert pytestconfig.getoption(option) == "theirs", option
    for package in (backends, emulator, scenarios, schema, training):
        assert package.OWNER == "the project", package.__file__
    assert batchai_scenario.__file__.startswith(os.environ["WHEELS_PLACE"])
    assert batchai.url
"""


OPTIONS = """
def pytest_addoption(parser):
    for option in ("--backend", "--expected-failures", "--conformance-report", "--job-image"):
        parser.addoption(option, default="theirs")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True, timeout=240)
    (found,) = folder.glob("batchai_scenario-*.whl")
    return found


def page_files() -> list[str]:
    """Name the files of the page and of reports that are no Python, below the package."""
    package = Path(batchai_scenario.__file__).parent
    globs = ("ui/static/*", "ui/templates/*")
    found = [file for one in globs for file in (package / "emulator").glob(one)]
    found += [package / "scenarios" / "document" / f"document.{kind}" for kind in ("css", "html")]
    assert len(found) > 15
    return [str(file.relative_to(package)) for file in found]


@pytest.mark.network
def test_a_source_distribution_has_the_page(tmp_path: Path) -> None:
    tools, clone = tmp_path / "tools", tmp_path / "clone"
    install = [sys.executable, "-m", "pip", "install", "-q", "--target", str(tools), "setuptools>=77"]
    subprocess.run(install, check=True, timeout=240)
    left = shutil.ignore_patterns(".git", ".tox", ".venv", "build", "*.egg-info", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, clone, symlinks=True, ignore=left)
    build = f"from setuptools.build_meta import build_sdist; build_sdist({str(tmp_path)!r})"
    variables = {**os.environ, "PYTHONPATH": str(tools)}
    command = [sys.executable, "-c", build]
    subprocess.run(command, cwd=clone, env=variables, check=True, timeout=240, capture_output=True)
    (made,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(made) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for file in page_files():
        assert f"src/batchai_scenario/{file}" in names, file


@pytest.mark.network
def test_one_import_package_is_installed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"batchai_scenario"}
    for room in ROOMS:
        assert any(name.startswith(f"batchai_scenario/{room}/") for name in names), room
    assert "batchai_scenario/training/toolkits/cntk/toolkit.py" in names
    for file in page_files():
        assert f"batchai_scenario/{file}" in names, file
    assert "batchai_scenario/emulator/batchai/versions/v2018_05_01/version.py" in names


@pytest.mark.network
def test_a_project_with_packages_of_the_same_names_runs_its_tests(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    venv.create(environment, symlinks=True)
    (site,) = environment.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # What we depend on is in the environment that runs this; the wheel comes before it.
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(ours) + "\n")
    project = tmp_path / "project"
    for name in ROOMS:
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("OWNER = 'the project'\n")
    (project / "test_theirs.py").write_text(TEST)
    (project / "conftest.py").write_text(OPTIONS)
    result = subprocess.run(
        [str(environment / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        env={
            **os.environ,
            "SCENARIO_HOME": str(tmp_path / "home"),
            "PYTHONPATH": "",
            "WHEELS_PLACE": str(site),
        },
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed" in result.stdout
