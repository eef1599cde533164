"""One emulator with a cluster and two finished jobs for all tests of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ui.world import Visitor, World

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITES = (
    "mkdir -p $AZ_BATCHAI_OUTPUT_OUT/sub; echo inside > $AZ_BATCHAI_OUTPUT_OUT/sub/a.txt; "
    "echo '<script>alert(1)</script>'; echo first; echo second"
)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An emulator that ran ``fine`` and ``broken``, on a cluster of one node with a setup task."""
    made = World(tmp_path_factory.mktemp("home"))
    made.start()
    made.make_cluster(
        setupTask={
            "commandLine": "echo set up",
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
            "secrets": [{"name": "SETUP_WORD", "value": "hidden of the setup"}],
        }
    )
    made.fine = made.submit(
        "fine",
        WRITES,
        environmentVariables=[{"name": "PLAIN", "value": "seen"}],
        secrets=[{"name": "WORD", "value": "hidden of the job"}],
    )
    made.wait(made.fine)
    made.broken = made.submit("broken", "echo no >&2; exit 3")
    made.wait(made.broken)
    yield made
    made.stop(clean=True)


@pytest.fixture(scope="session")
def visitor(world: World) -> Visitor:
    """Somebody who came by the printed address."""
    return Visitor(world.address)
