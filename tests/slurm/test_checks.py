"""What ``doctor`` says of a Slurm cluster: one of this machine, and one that is not as its settings say."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.slurm.checks import checks
from batchai_scenario.emulator.engines.slurm.sandbox import slurm_sandbox
from batchai_scenario.emulator.state.home import Home
from tests.lacking import need_slurm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    need_slurm()
    home = Home(tmp_path_factory.mktemp("home"))
    with slurm_sandbox(1, home.slurm_settings):
        yield home


@pytest.fixture
def text(home: Home) -> Iterator[str]:
    text = home.slurm_settings.read_text()
    yield text
    home.slurm_settings.write_text(text)


def test_all_is_well(home: Home) -> None:
    found = list(checks(home))
    assert [check.ok for check in found] == [True] * 5
    assert found[2].text == "partition all, 1 nodes"
    assert found[3].what == "slurm sizes.*, node n1"
    assert not list(home.root.glob(".slurm-check-*"))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("partition: all", "partition: gpu", "there is no partition gpu, but all"),
        (
            "partition: all",
            'partition: all, gres: "gpu:1"',
            "(gres) specification. It comes from sizes.*.gres",
        ),
        ("sizes:", "launcher: none-such\nsizes:", "launcher: 'none-such' is none of process"),
        ("sizes:", "python: none-such\nsizes:", "python: there is no none-such that runs"),
    ],
)
def test_what_does_not_fit_is_told(home: Home, text: str, old: str, new: str, told: str) -> None:
    home.slurm_settings.write_text(text.replace(old, new))
    assert told in "\n".join(check.text for check in checks(home) if check.ok is False)


@pytest.mark.docker
def test_a_launcher_is_looked_for_on_a_node(home: Home, text: str) -> None:
    home.slurm_settings.write_text(f"{text}launcher: docker\n")
    found = list(checks(home))
    assert [check.ok for check in found] == [True] * 6
    assert found[5].what == "slurm sizes.*, node n1"
    assert found[5].text.startswith("docker ")


@pytest.mark.skipif(shutil.which("podman") is not None, reason="this machine has podman")
def test_a_launcher_that_a_node_lacks_is_told(home: Home, text: str) -> None:
    home.slurm_settings.write_text(f"{text}launcher: podman\n")
    (found,) = [check for check in checks(home) if not check.ok]
    assert found.text.startswith("launcher: podman does not run there: ")
    assert "podman: not found" in found.text
    assert f"leave 'launcher' out of {home.slurm_settings}" in found.remedy


def test_a_clock_that_is_off_is_told(home: Home) -> None:
    found = [check for check in checks(home, clock=lambda: time.time() - 100) if check.ok is False]
    assert len(found) == 1
    assert found[0].text.startswith("its clock differs by at least")


def test_commands_that_are_not_there_are_told(home: Home, tmp_path: Path) -> None:
    found = list(checks(home, {"PATH": str(tmp_path)}))
    assert found[-1].ok is False
    assert "There is no program sbatch" in found[-1].text


def test_a_home_without_settings_is_not_looked_at(tmp_path: Path) -> None:
    assert list(checks(Home(tmp_path))) == []
