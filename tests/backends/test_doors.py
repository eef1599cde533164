"""Storage alone, for people who want nothing else: what is told, TLS, and a home that leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests
from azure.storage.blob import BlobServiceClient
from azure.storage.fileshare import ShareServiceClient

from batchai_scenario.backends.local.control import environment
from batchai_scenario.backends.local.doors import doors_of, home_in_memory
from batchai_scenario.backends.local.host import ServeOptions, start_emulator
from batchai_scenario.backends.pytest_batchai import served_files

ROOT = Path(__file__).parents[2]


def test_the_connection_string_serves_files_and_blobs(tmp_path: Path) -> None:
    with served_files(tmp_path / "home") as doors:
        with ShareServiceClient.from_connection_string(doors.connection_string) as files:
            files.create_share("data").get_file_client("f").upload_file(b"content")
        with BlobServiceClient.from_connection_string(doors.connection_string) as blobs:
            blobs.create_container("data").upload_blob("b", b"content")
        assert doors.key not in repr(doors)
        told = environment(tmp_path / "home")
        assert told["SCENARIO_STORAGE_CONNECTION_STRING"] == doors.connection_string
    assert not (tmp_path / "home").exists()


def test_tls_at_the_emulators_own_address(tmp_path: Path) -> None:
    started = start_emulator(tmp_path / "home", ServeOptions(only="files", https=True))
    try:
        doors = doors_of(tmp_path / "home")
        answer = requests.get(f"{doors.https_url}/data", verify=doors.certificate, timeout=10)
        assert answer.headers["x-ms-error-code"] == "NoAuthenticationInformation"
        context = ssl.create_default_context(cafile=doors.certificate)
        where = urlsplit(doors.https_url)
        # By its name too, which a minimal machine cannot look up.
        with (
            socket.create_connection(("127.0.0.1", where.port or 0), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            assert secure.version() == "TLSv1.3"
        assert context.cert_store_stats()["x509_ca"] == 1
    finally:
        started.server.close()


def test_a_home_in_memory_is_gone_and_so_is_what_a_killed_one_left(tmp_path: Path) -> None:
    old, fresh = tmp_path / "scenario-in-memory-old", tmp_path / "scenario-in-memory-fresh"
    for folder in (old, fresh):
        (folder / "home").mkdir(parents=True)
    os.utime(old, (time.time() - 3600, time.time() - 3600))
    with home_in_memory(tmp_path) as home:
        home.mkdir()
        assert home.parent.parent == tmp_path
        assert [path.name for path in tmp_path.glob("*old")] == []
        assert fresh.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == [fresh.name]


def test_the_command_tells_all_and_keeps_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "batchai_scenario.scenarios", "emulator", "serve"]
    command += ["--only", "files", "--in-memory", "--https"]
    variables = {**os.environ, "SCENARIO_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen([*command, "--json"], env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        home = Path(told["home"])
        assert home.is_dir()
        assert told["fileUrl"].endswith(f"/{told['account']}")
        assert told["httpsUrl"].startswith("https://127.0.0.1:")
        assert told["key"] in told["connectionString"]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130)
    assert not home.parent.exists()
    assert not (tmp_path / "home").exists()
