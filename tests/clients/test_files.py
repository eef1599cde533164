"""Azure Files' libraries, the oldest and the newest, at Azure's address on two versions of Python.

Every operation of both generations is tested under ``tests/storage``; here they go through interception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.clients.conftest import Emulated

pytestmark = [pytest.mark.clients, pytest.mark.network, pytest.mark.timeout(600)]


@pytest.mark.parametrize("python", ["3.11", "3.13"])
@pytest.mark.parametrize("pins", ["files-0.37.0", "sdk-2.0.0"])
def test_the_old_library(
    emulated: Emulated, environment: Callable[[str, str], str], pins: str, python: str
) -> None:
    out = emulated(environment(pins, python), str(PROGRAMS / "files_old.py"))
    assert out.splitlines() == [
        "share True",
        "known 7 {'course': 'digits'} ['lessons']",
        "depth {'depth': '2'}",
        "text HELLO world",
        "part b'world'",
        "same True",
        "empty b''",
        "ranges [(0, 10)]",
        "entries ['empty.bin', 'inner', 'large.bin', 'notes.txt']",
        "file 5 text/plain {'author': 'grace'}",
        "copy success HELLO",
        "linked HELLO",
        "refused 403",
        "stats True False",
        "deleted True []",
    ]


@pytest.mark.parametrize("python", ["3.11", "3.13"])
@pytest.mark.parametrize("pins", ["files-12.14.2", "sdk-7.0.0"])
def test_the_new_library(
    emulated: Emulated, environment: Callable[[str, str], str], pins: str, python: str
) -> None:
    out = emulated(environment(pins, python), str(PROGRAMS / "files_new.py"))
    assert out.splitlines() == [
        "share 7 {'course': 'digits'} ['lessons']",
        "text b'HELLO world' b'world'",
        "same True",
        "entries ['inner', 'large.bin', 'notes.txt']",
        "leased 412 LeaseIdMissing",
        "file 5 text/plain {'author': 'grace'}",
        "snapshot b'HELLO'",
        "linked b'0123'",
        "refused 403 AuthorizationPermissionMismatch",
        "same True",
        "entries ['large.bin']",
        "left []",
    ]
