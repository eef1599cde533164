"""``scenario ui``: the address of the page, whether an emulator serves already or is started for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings
from batchai_scenario.scenarios.cli import main
from tests.ui.world import Visitor

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_page_of_an_emulator_that_serves_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(EmulatorServer(EmulatorSettings(home=tmp_path, engine="process"))) as server:
        address = server.start()
        assert main(["--home", str(tmp_path), "ui", "--print"]) == 0
        assert capsys.readouterr().out == f"{address.page_url}\n"
        assert main(["--home", str(tmp_path), "ui", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"page": address.page_url, "started": False}
        assert main(["--home", str(tmp_path), "watch"]) == 0
        assert capsys.readouterr().out == "no clusters yet\n\nno jobs yet\n"
        main(["--home", str(tmp_path), "doctor", "--json"])
        told = {item["what"]: item for item in json.loads(capsys.readouterr().out)["findings"]}
        assert told["emulator"]["remedy"] == "'scenario ui' opens its page"
        assert address.page_token not in json.dumps(told)  # what doctor says is shown to others


def test_only_an_emulator_with_clusters_is_watched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(tmp_path), "watch"]) == 3
    assert "scenario emulator serve" in capsys.readouterr().err
    with closing(EmulatorServer(EmulatorSettings(home=tmp_path, only="files"))) as server:
        server.start()
        assert main(["--home", str(tmp_path), "watch"]) == 3
    assert "storage alone" in capsys.readouterr().err


def test_an_emulator_is_started_where_none_serves_and_knows_the_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "batchai_scenario.scenarios", "--home", str(tmp_path), "ui", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        told = json.loads(started.stdout.readline())
        assert told["started"]
        from batchai_scenario.emulator.server import read_address
        from batchai_scenario.emulator.state.home import Home

        address = read_address(Home(tmp_path))
        assert address is not None
        assert told["page"] == address.page_url
        assert Visitor(address).api("runs") == {"runs": []}
        os.kill(started.pid, signal.SIGINT)
        assert started.wait(timeout=20) == 0
