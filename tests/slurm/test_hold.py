"""What holds a node for a home: it ends when the home is gone for good, and only then."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.slurm.allocations import Allocations
from batchai_scenario.emulator.engines.slurm.commands import SlurmCommands
from batchai_scenario.emulator.state.home import Home

if TYPE_CHECKING:
    from pathlib import Path

_SLEEP = """#!/bin/sh
echo . >>{folder}/looks
look=$(grep -c . {folder}/looks)
[ "$look" -lt 12 ] || kill -s KILL "$PPID"
{then}
"""
_STAT = """#!/bin/sh
cat {folder}/file-system
"""


def looks(folder: Path, then: str) -> tuple[int, int]:
    """Run the script, and ``then`` after each of its looks (``$look``, from 1); gives code and looks.

    It is killed after 12 looks. ``$folder/file-system``: the file system of all folders.
    """
    home = Home(folder / "shared folder" / "home")
    home.make()
    (folder / "bin").mkdir()
    (folder / "file-system").write_text("1")
    for name, text in (("sleep", _SLEEP.format(folder=folder, then=then)), ("stat", _STAT)):
        (folder / "bin" / name).write_text(text.replace("{folder}", str(folder)))
        (folder / "bin" / name).chmod(0o755)
    script = Allocations(home, SlurmCommands()).script()
    variables = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "folder": str(folder), "home": str(home.root)}
    done = subprocess.run(["/bin/sh"], input=script, text=True, check=False, env=variables, timeout=60)
    return done.returncode, len((folder / "looks").read_text().split())


def test_it_ends_soon_after_its_home_was_deleted(tmp_path: Path) -> None:
    assert looks(tmp_path, 'if [ "$look" = 2 ]; then rm -r "$home"; fi') == (0, 5)


def test_it_ends_too_where_all_of_the_folder_went(tmp_path: Path) -> None:
    assert looks(tmp_path, 'if [ "$look" = 2 ]; then rm -r "$folder/shared folder"; fi') == (0, 5)


@pytest.mark.parametrize(
    "then",
    [
        ":",
        # unmounted: what is below the mount point is another file system
        'if [ "$look" = 2 ]; then mv "$home" "$folder/away"; echo 2 >"$folder/file-system"; fi',
        # away for a moment
        'case $look in 2 | 6) mv "$home" "$folder/away" ;; 4 | 8) mv "$folder/away" "$home" ;; esac',
        # nobody can tell which file system it is
        'if [ "$look" = 1 ]; then rm -r "$home"; echo >"$folder/file-system"; fi',
    ],
)
def test_it_goes_on_while_nobody_can_say_that_the_home_is_gone(tmp_path: Path, then: str) -> None:
    assert looks(tmp_path, then) == (-signal.SIGKILL, 12)
