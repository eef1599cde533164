"""A client in another language: @azure/storage-file-share on Node, at Azure's addresses and path-style."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import HERE, INSTALL_SECONDS, missing

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
def program(kept: Path) -> str:
    """The program beside its packages, installed as the lock file says."""
    if not (shutil.which("node") and shutil.which("npm")):
        missing("Node with npm")
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
    shutil.copy(HERE / "node" / "share.mjs", folder)
    return str(folder / "share.mjs")


def test_at_azures_address(emulated: Emulated, program: str) -> None:
    assert emulated("node", program) == WRITTEN


def test_path_style(emulated: Emulated, program: str) -> None:
    script = 'FILES_URL="${MSI_ENDPOINT%/MSI/token}/$SCENARIO_STORAGE_ACCOUNT" exec node "$0"'
    assert emulated("sh", "-c", script, program) == WRITTEN.replace("gone 404 ResourceNotFound\n", "")
