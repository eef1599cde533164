"""Makes a home as this version of the store leaves it, for ``tests/front/homes``; see ``test_homes.py``.

python -m tests.front.make_home tests/front/homes/RELEASE.tar.gz
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tarfile
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from batchai_scenario.backends.azure.clients import Clients, Retries
from batchai_scenario.backends.local.cleaning import reset
from batchai_scenario.backends.local.host import ServeOptions, start_emulator
from batchai_scenario.backends.local.settings import local_settings, own_credentials

SOMEWHERE = "/home/demo/scenario"
"""Where the home says that it was: no folder of whoever makes it."""

KEPT = ("emulator/credentials.json", "emulator/seal.key", "emulator/state.sqlite3", "storage")
JOBS = (
    ("finished", "echo done $TOKEN", "succeeded"),
    ("failed", "exit 3", "failed"),
    ("running", "echo begun; sleep 3217", "running"),
    ("queued", "echo waited $TOKEN", "queued"),
)


def fill(clients: Clients, settings: Any) -> None:
    """Make a cluster of one node and the jobs, and wait until each is as far as it shall be."""
    batchai = clients.batchai
    clients.resources.resource_groups.create_or_update("group", {"location": "eastus"})
    batchai.workspaces.begin_create("group", "work", {"location": "eastus"}).result()
    batchai.experiments.begin_create("group", "work", "exp").result()
    clients.files.create_share("share")
    share = {
        "accountName": settings.storage_account,
        "azureFileUrl": f"https://{settings.storage_account}.file.core.windows.net/share",
        "credentials": {"accountKey": settings.storage_key},
        "relativeMountPath": "afs",
    }
    cluster = {
        "vmSize": "STANDARD_NC6",
        "scaleSettings": {"manual": {"targetNodeCount": 1}},
        "userAccountSettings": {"adminUserName": "demo", "adminUserPassword": "x"},
        "nodeSetup": {"mountVolumes": {"azureFileShares": [share]}},
    }
    made = batchai.clusters.begin_create("group", "work", "nodes", {"properties": cluster}).result()
    for name, command, state in JOBS:
        job = {
            "cluster": {"id": made.id},
            "nodeCount": 1,
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
            "customToolkitSettings": {"commandLine": command},
            "secrets": [{"name": "TOKEN", "value": "hunter2"}],
        }
        batchai.jobs.begin_create("group", "work", "exp", name, {"properties": job}).result()
        while batchai.jobs.get("group", "work", "exp", name).execution_state != state:
            time.sleep(0.1)


def pack(home: Path, file: Path) -> None:
    """Write what of a home is kept, with another folder's name in it, into an archive."""
    with closing(sqlite3.connect(home / "emulator" / "state.sqlite3", isolation_level=None)) as db:
        here, there = json.dumps(str(home))[1:-1], SOMEWHERE
        db.execute("UPDATE documents SET body = replace(body, ?, ?)", (here, there))
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("VACUUM")
        db.execute("PRAGMA journal_mode=WAL")

    def nobodys(item: tarfile.TarInfo) -> tarfile.TarInfo:
        item.uid = item.gid = 0
        item.uname = item.gname = ""
        return item

    with tarfile.open(file, "w:gz") as archive:
        for name in KEPT:
            archive.add(home / name, name, filter=nobodys)


def make_home(file: Path) -> None:
    """Make a home, stop its emulator while a job runs and another waits, and pack it."""
    with TemporaryDirectory() as folder:
        home = Path(folder).resolve() / "home"
        options = ServeOptions(engine="process", gpus="none", development_credentials=True)
        started = start_emulator(home, options)
        settings = local_settings(started.url, own_credentials(home))
        clients = Clients(settings, Retries())
        try:
            fill(clients, settings)
            clients.close()
            started.server.close()
            pack(home, file)
        finally:
            started.server.close()
            reset(home, force=True)


if __name__ == "__main__":
    make_home(Path(sys.argv[1]))
