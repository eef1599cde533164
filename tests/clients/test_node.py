"""Clients in another language: those of Node, old and new, at Azure's addresses and at the emulator's own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import HERE

if TYPE_CHECKING:
    from collections.abc import Callable
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


LESSON = """\
group learning
account Succeeded
share true
workspace class
cluster STANDARD_NC6 succeeded
unchanged 1
job succeeded 0
stdOuterr execution.log ...
stdOuterr stderr.txt ...
stdOuterr stdout.txt digits are learnt
MODEL model.txt model
refused 400 InvalidPropertyValue
left false
"""

BLOBS = """\
container true
blob text/plain { drawn: 'byhand' } seven
listed [ 'digits/seven #7.txt' ]
"""

NEWEST = f"""\
group {{ by: 'node' }}
account Succeeded https://modernpictures.blob.core.windows.net/
shares [ 'lessons' ]
{BLOBS}left []
"""

OWN = "${MSI_ENDPOINT%/MSI/token}"


@pytest.fixture(scope="module")
def program(node_packages: Path) -> Callable[[str], str]:
    """Give a program beside its packages."""

    def copied(name: str) -> str:
        return shutil.copy(str(HERE / "node" / name), str(node_packages))

    return copied


def test_files_at_azures_address(emulated: Emulated, program: Callable[[str], str]) -> None:
    assert emulated("node", program("share.mjs")) == WRITTEN


def test_files_path_style(emulated: Emulated, program: Callable[[str], str]) -> None:
    script = f'FILES_URL="{OWN}/$SCENARIO_STORAGE_ACCOUNT" exec node "$0"'
    written = WRITTEN.replace("gone 404 ResourceNotFound\n", "")
    assert emulated("sh", "-c", script, program("share.mjs")) == written


@pytest.mark.parametrize("where", [(), ("direct",)], ids=["intercepted", "direct"])
def test_the_quickstart_as_of_2018(
    emulated: Emulated, program: Callable[[str], str], where: tuple[str, ...]
) -> None:
    """Sign-in through axios, which says ``POST https://...`` to a proxy; a region that Batch AI never had."""
    assert emulated("node", program("batchai.cjs"), *where) == LESSON


def test_the_newest_management_clients_set_an_account_up(
    emulated: Emulated, program: Callable[[str], str]
) -> None:
    assert emulated("node", program("newest.mjs")) == NEWEST


def test_blobs_path_style(emulated: Emulated, program: Callable[[str], str]) -> None:
    script = f'exec node "$0" "{OWN}/blob/$SCENARIO_STORAGE_ACCOUNT"'
    assert emulated("sh", "-c", script, program("newest.mjs")) == BLOBS
