"""The backend ``azure`` keeps every rule at Azure's own host names, through interception."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from batchai_scenario.backends.testing.merge import include
from batchai_scenario.emulator.identity import development

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOTE = (
    "an emulator of this package, through interception: a process that knows only Azure's own host names "
    "runs the suite, and its HTTPS requests end up at the emulator, whose engine is 'process'"
)
SETTINGS = (
    f"AZURE_STORAGE_ACCOUNT={development.ACCOUNT}",
    f"AZURE_STORAGE_KEY={development.ACCOUNT_KEY}",
    "AZURE_POLL_SECONDS=0.1",
)
"""All that is given beside what 'exec' gives: no endpoint."""


def test_the_suite_passes_at_azures_own_names(
    tmp_path: Path, exercise_process: None, request: pytest.FixtureRequest
) -> None:
    outside = {name: text for name, text in os.environ.items() if not name.startswith(("AZURE_", "PYTEST_"))}
    environment = {**outside, "SCENARIO_HOME": str(tmp_path / "home")}
    suite = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "batchai_scenario.backends.testing"]
    command = [
        sys.executable,
        "-m",
        "batchai_scenario.scenarios",
        "emulator",
        "exec",
        "--engine",
        "process",
        "--gpus",
        "none",
        "--development-credentials",
    ]
    done = subprocess.run(
        [
            *command,
            "--",
            "env",
            *SETTINGS,
            sys.executable,
            *suite,
            "--backend",
            "azure",
            "--conformance-report",
            "report",
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    written = tmp_path / "report" / "conformance.json"
    if written.exists():  # what was broken belongs into the page too
        include(request.node, written, name="azure (c), at Azure's own names", note=NOTE)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    (azure,) = json.loads(written.read_text())["backends"]
    assert azure["details"]["resource_manager"] == "https://management.azure.com"
    assert azure["details"]["storage"] == f"https://{development.ACCOUNT}.file.core.windows.net"
    assert set(azure["counts"]) == {"passed", "skipped"}
