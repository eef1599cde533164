"""Files on their own: the emulator without clusters and jobs."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import requests
from azure.storage.fileshare import ShareServiceClient

from batchai_scenario.emulator.identity import development
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_files_are_served_alone(tmp_path: Path) -> None:
    before = {thread.name for thread in threading.enumerate()}
    server = EmulatorServer(
        EmulatorSettings(home=tmp_path / "home", only="files", development_credentials=True)
    )
    url = server.start().url
    with closing(server):
        assert requests.get(f"{url}/.emulator/health", timeout=10).json()["only"] == "files"
        text = (
            f"DefaultEndpointsProtocol=http;AccountName={development.ACCOUNT};"
            f"AccountKey={development.ACCOUNT_KEY};FileEndpoint={url}/{development.ACCOUNT}"
        )
        with ShareServiceClient.from_connection_string(text) as client:
            share = client.create_share("data")
            share.get_file_client("f").upload_file(b"content", metadata={"MixedCase": "kept"})
            assert share.get_file_client("f").get_file_properties().metadata == {"MixedCase": "kept"}
        assert (tmp_path / "home" / "storage" / development.ACCOUNT / "data" / "f").read_bytes() == b"content"
        started = {thread.name for thread in threading.enumerate()} - before
        assert not [name for name in started if "cluster" in name or "controller" in name]
