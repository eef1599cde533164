"""The backend ``azure`` with its own defaults, at Azure's own host names, keeps every rule."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ACCOUNT = (
    'AZURE_STORAGE_ACCOUNT=$SCENARIO_STORAGE_ACCOUNT AZURE_STORAGE_KEY=$SCENARIO_STORAGE_KEY exec "$0" "$@"'
)
"""A shell's command line that names the account as the backend wants it named."""


@pytest.mark.usefixtures("exercise_process")
def test_the_contract_at_azures_own_host_names(tmp_path: Path) -> None:
    report = tmp_path / "report"
    suite = ["-m", "pytest", "-q", "-p", "backends.testing.plugin", "--pyargs", "backends.testing"]
    arguments = ["--backend", "azure", "--conformance-report", str(report), f"--basetemp={tmp_path / 'base'}"]
    scenario = [sys.executable, "-m", "scenarios", "--home", str(tmp_path / "home"), "emulator", "exec"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "SCENARIO_"))}
    found = subprocess.run(
        [
            *scenario,
            "--engine",
            "process",
            "--gpus",
            "none",
            "--",
            "sh",
            "-c",
            ACCOUNT,
            sys.executable,
            *suite,
            *arguments,
        ],
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(ROOT), "AZURE_POLL_SECONDS": "0.05"},
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-2000:]
    [file] = report.glob("*.json")
    [backend] = json.loads(file.read_text())["backends"]
    assert backend["details"]["resource_manager"] == "https://management.azure.com"
    assert backend["details"]["storage"] == "https://batchaidevelopment.file.core.windows.net"
    assert not backend["counts"].get("failed")
    assert backend["counts"]["passed"] > 50
