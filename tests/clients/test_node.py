"""A client in another language: @azure/storage-file-share on Node, at Azure's addresses and path-style."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import HERE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.conftest import Emulated

pytestmark = [pytest.mark.clients, pytest.mark.network, pytest.mark.timeout(600)]

WRITTEN = """\
share false ShareAlreadyExists
shares ["share lessons"]
described 7 {"course":"digits"}
ranges [[0,10]]
text _ello_world
part world
same true
entries ["directory inner","file notes #1.txt"]
file 11 text/markdown {"author":"grace","year":"1843"}
gone 404 ResourceNotFound
link 0123456789abcdef
refused 403 AuthorizationPermissionMismatch
kept 409 DirectoryNotEmpty
left []
"""


@pytest.fixture(scope="module")
def program(node_packages: Path) -> str:
    """The program beside its packages."""
    shutil.copy(HERE / "node" / "share.mjs", node_packages)
    return str(node_packages / "share.mjs")


def test_at_azures_address(emulated: Emulated, program: str) -> None:
    assert emulated("node", program) == WRITTEN


def test_path_style(emulated: Emulated, program: str) -> None:
    script = 'FILES_URL="${MSI_ENDPOINT%/MSI/token}/$SCENARIO_STORAGE_ACCOUNT" exec node "$0"'
    assert emulated("sh", "-c", script, program) == WRITTEN.replace("gone 404 ResourceNotFound\n", "")
