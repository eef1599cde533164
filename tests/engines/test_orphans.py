"""What a sweep takes for nobody's, told from labels alone."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.engines.docker.api import LABEL_CLUSTER, LABEL_HOME, LABEL_HOST, is_orphan
from batchai_scenario.emulator.state.home import Home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("home", "host", "told"),
    [
        ("gone", socket.gethostname(), True),
        ("file", socket.gethostname(), True),
        ("file/below", socket.gethostname(), True),
        ("gone", "elsewhere", False),
        ("there", socket.gethostname(), False),
        ("closed/home", socket.gethostname(), False),
    ],
)
def test_another_home_is_gone_only_if_one_can_see_that_it_is(
    home: str, host: str, told: bool, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "closed").symlink_to("closed")  # also root cannot look in there
    marks = {LABEL_HOME: str(tmp_path / home), LABEL_HOST: host, LABEL_CLUSTER: "c"}
    assert is_orphan(marks, Home(tmp_path / "mine"), frozenset()) is told
