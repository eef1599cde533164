"""The published SDKs, imported where nobody has compiled them and warnings are errors."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys, warnings
import azure.core.pipeline.policies, azure.core.pipeline.transport, msrest  # what says nothing
from batchai_scenario.backends.azure.clients import Clients, Retries
from batchai_scenario.backends.local.settings import local_settings
from batchai_scenario.emulator.api import OwnCredentials
sys.pycache_prefix = sys.argv[1]
warnings.simplefilter("error")
clients = Clients(local_settings("http://127.0.0.1:9", OwnCredentials("secret", "a2V5")), Retries())
print(*(type(made).__name__ for made in (clients.files, clients.batchai, clients.resources)))
"""


def test_the_clients_are_made_where_warnings_are_errors_and_nothing_is_compiled(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("FileService BatchAI ResourceManagementClient\n", "")
