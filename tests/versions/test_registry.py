"""API versions are found by their folders: adding one is a folder, and nothing else."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import batchai_scenario.emulator.batchai as room
from batchai_scenario.emulator.batchai.versions.registry import delivered, versions_in

if TYPE_CHECKING:
    import pytest

ADDED = """
from batchai_scenario.emulator.batchai.versions.v2018_05_01.version import *

VERSION = "2019-01-01"
QUOTAS = None
"""


def test_a_version_is_a_folder_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "added_versions" / "v2019_01_01"
    folder.mkdir(parents=True)
    (folder / "version.py").write_text(ADDED)
    monkeypatch.syspath_prepend(tmp_path)
    (added,) = versions_in(folder.parent, "added_versions").values()
    assert (added.VERSION, added.QUOTAS, added.FLAT) == ("2019-01-01", None, False)
    definition, secrets = added.read_cluster(
        {"properties": {"vmSize": "standard_nc6", "userAccountSettings": USER}}
    )
    assert definition["vmSize"] == "STANDARD_NC6"
    assert secrets == {"/userAccountSettings/adminUserPassword": "hidden"}
    del sys.modules["added_versions.v2019_01_01.version"]


USER = {"adminUserName": "admin", "adminUserPassword": "hidden"}


def test_versions_come_newest_first() -> None:
    assert list(delivered()) == sorted(delivered(), reverse=True)


def test_no_version_is_named_outside_its_folder() -> None:
    names = re.compile(r"[\"'](" + "|".join(delivered()) + r")[\"']")
    files = [file for file in Path(next(iter(room.__path__))).rglob("*.py") if "versions" not in file.parts]
    assert files
    assert [str(file) for file in files if names.search(file.read_text())] == []
