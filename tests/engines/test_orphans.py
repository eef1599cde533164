"""What a sweep takes for nobody's, told from labels alone."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.labels import LABEL_HOME, LABEL_HOST, LABEL_VIEW, is_orphan, labels
from batchai_scenario.emulator.engines.process.namespace import namespaces_missing
from batchai_scenario.emulator.state.home import Home
from tests.lacking import NAMESPACES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("home", "other", "told"),
    [
        ("gone", {}, True),
        ("file", {}, True),
        ("file/below", {}, True),
        ("gone", {LABEL_HOST: "elsewhere"}, False),
        ("gone", {LABEL_VIEW: "mnt:[1]:2:3"}, False),
        ("there", {}, False),
        ("closed/home", {}, False),
    ],
)
def test_another_home_is_gone_only_if_one_can_see_that_it_is(
    home: str, other: dict[str, str], told: bool, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "closed").symlink_to("closed")  # also root cannot look in there
    marks = {**labels(Home(tmp_path / "made"), "c"), LABEL_HOME: str(tmp_path / home), **other}
    assert is_orphan(marks, Home(tmp_path / "mine"), frozenset()) is told


@pytest.mark.skipif(bool(namespaces_missing()), reason=f"lacks {NAMESPACES}: {namespaces_missing()}")
def test_who_has_a_file_tree_of_its_own_takes_no_home_for_gone(tmp_path: Path) -> None:
    marks = labels(Home(tmp_path / "there"), "c")
    (tmp_path / "there").mkdir()
    look = (
        "import json, pathlib, sys\n"
        "from batchai_scenario.emulator.engines.labels import is_orphan\n"
        "from batchai_scenario.emulator.state.home import Home\n"
        "home, marks = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])\n"
        "assert not home.exists()\n"
        "print(is_orphan(marks, Home(home.with_name('mine')), frozenset()))\n"
    )
    program = [sys.executable, "-c", look, str(tmp_path / "there"), json.dumps(marks)]
    hidden = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    hide = f'mount -t tmpfs none "{tmp_path}" && exec "$@"'
    told = subprocess.run([*hidden, hide, "sh", *program], check=True, capture_output=True, text=True).stdout
    assert told == "False\n"
