"""What is added to the package is a folder: a copy with a toolkit and an API version more runs a job."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import batchai_scenario

PACKAGE = Path(batchai_scenario.__file__).parent

TOOLKIT = '''
"""Toolkit echo: succeeds where its word has arrived."""

from batchai_scenario.schema.body import Body
from batchai_scenario.training.toolkits.base import Process, Toolkit


class EchoSettings(Body):
    word: str


class Echo(Toolkit):
    tool_type = "echo"
    settings_name = "echoSettings"
    settings = EchoSettings

    def processes(self, settings, nodes):
        words = [f"test {settings['word']}-{i} = hello-{i}" for i, _ in enumerate(nodes.addresses)]
        return [Process(word, i, f"wk-{i}") for i, word in enumerate(words)]


TOOLKIT = Echo()
'''

VERSION = '''
"""Api-version 2019-01-01: entities say that they are its own."""

from batchai_scenario.emulator.batchai.versions.v2018_05_01 import version as before
from batchai_scenario.emulator.batchai.versions.v2018_05_01.version import *

VERSION = "2019-01-01"


def write_job(job):
    written = before.write_job(job)
    return {**written, "properties": {**written["properties"], "added": VERSION}}
'''

PROGRAM = """
import sys
import time
from pathlib import Path

import requests

from batchai_scenario.backends.azure.credentials import credential_for
from batchai_scenario.backends.pytest_batchai import emulated

with emulated(Path(sys.argv[1])) as it, requests.Session() as session:
    session.trust_env = False
    token = credential_for(it.settings, session).get_token("https://management.azure.com/.default").token
    session.headers["authorization"] = f"Bearer {token}"
    group = f"{it.url}/subscriptions/{it.settings.subscription_id}/resourcegroups/g"

    def ask(method, path, body=None, version="2019-01-01"):
        answer = session.request(method, f"{group}{path}?api-version={version}", json=body)
        assert answer.ok, answer.text
        return answer

    ask("PUT", "", {"location": "eastus"}, "2018-05-01")
    room = "/providers/Microsoft.BatchAI/workspaces/w"
    ask("PUT", room, {"location": "eastus"})
    ask("PUT", f"{room}/experiments/e")
    account = {"adminUserName": "demo", "adminUserPassword": "x"}
    nodes = {"manual": {"targetNodeCount": 1}}
    cluster = {"vmSize": "STANDARD_NC6", "scaleSettings": nodes, "userAccountSettings": account}
    ask("PUT", f"{room}/clusters/c", {"properties": cluster})
    job = {
        "cluster": {"id": f"{group.removeprefix(it.url)}{room}/clusters/c"},
        "nodeCount": 1,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_TEMP",
        "echoSettings": {"word": "hello"},
    }
    name = f"{room}/experiments/e/jobs/j"
    ask("PUT", name, {"properties": job})
    while (found := ask("GET", name).json()["properties"])["executionState"] not in ("succeeded", "failed"):
        time.sleep(0.05)
    print(found["toolType"], found["executionState"], found["added"])
    older = ask("GET", name, version="2018-05-01").json()["properties"]
    print(older["toolType"], older["executionState"], older.get("added"))
"""


@pytest.mark.usefixtures("exercise_process")
def test_a_toolkit_and_a_version_are_a_folder_each(tmp_path: Path) -> None:
    copy = tmp_path / "site" / "batchai_scenario"
    left = shutil.ignore_patterns("__pycache__", "library", "static")
    shutil.copytree(PACKAGE, copy, ignore=left)
    for folder, file, text in (
        ("training/toolkits/echo", "toolkit.py", TOOLKIT),
        ("emulator/batchai/versions/v2019_01_01", "version.py", VERSION),
    ):
        (copy / folder).mkdir()
        (copy / folder / "__init__.py").touch()
        (copy / folder / file).write_text(text)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(tmp_path / "home")],
        env={**os.environ, "PYTHONPATH": str(copy.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["echo succeeded 2019-01-01", "echo succeeded None"]
