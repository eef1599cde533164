"""The home folder."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from batchai_scenario.emulator.state.home import Home

if TYPE_CHECKING:
    from pathlib import Path


def test_a_home_is_its_owners_alone_and_may_be_made_twice(tmp_path: Path) -> None:
    home = Home(tmp_path / "home of ünï")
    home.make()
    home.make()
    folders = (home.root, home.database.parent, home.storage, home.nodes, home.cache)
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
