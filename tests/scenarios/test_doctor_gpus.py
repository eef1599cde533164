"""What ``scenario doctor`` says of GPUs: those of this machine, and how each engine would give them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from batchai_scenario.scenarios.cli.app import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_doctor_lists_gpus_and_says_how_each_engine_would_give_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text("#!/bin/sh\necho 0, GPU-1, NVIDIA H100, 9.0, 550.54\n")
    smi.chmod(0o755)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")

    monkeypatch.setenv("PATH", str(smi.parent), prepend=os.pathsep)
    main(["--home", str(tmp_path / "home"), "doctor", "--json"])
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {item["what"]: item["text"] for item in found if item["what"].startswith("gpu")} == {
        "gpu 0": "NVIDIA H100, compute capability 9.0, driver 550.54",
        "gpus, engine process": "would give jobs all that the driver lists (0)",
    }
