"""What the tests of the contract share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batchai_scenario.backends.testing.bench import BenchTarget


@pytest.fixture(scope="session")
def contract_image(docker_reason: str, request: pytest.FixtureRequest) -> str:
    """The image that jobs of the checks run in where there is Docker."""
    return "" if docker_reason else str(request.getfixturevalue("docker_image"))


@pytest.fixture(scope="session")
def contract_home(request: pytest.FixtureRequest) -> Callable[[BenchTarget, Path], None]:
    """Say in the home of the engine slurm which cluster it has: that of all tests."""

    def ready(target: BenchTarget, home: Path) -> None:
        if target.options.get("engine") == "slurm":
            conf = request.getfixturevalue("slurm_cluster")
            home.mkdir(mode=0o700)
            lines = (f'shared_folder: "{home}"', f"slurm_conf: {conf}", 'sizes: {"*": {partition: all}}')
            (home / "slurm.yaml").write_text("".join(f"{line}\n" for line in lines))

    return ready
