"""The two ways to an account's containers: in the emulator's own path, and as Azure's host."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
import requests
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas

from batchai_scenario.emulator.clouds import storage_url
from batchai_scenario.emulator.identity import development
from batchai_scenario.emulator.server import EmulatorServer, EmulatorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The address of an emulator of storage alone."""
    server = EmulatorServer(EmulatorSettings(tmp_path / "home", only="files", development_credentials=True))
    yield server.start().url
    server.close()


def test_a_blob_is_the_same_by_path_and_by_host(url: str) -> None:
    account = storage_url(url, development.ACCOUNT, "blob")
    assert account == f"{url}/blob/{development.ACCOUNT}"
    text = (
        f"DefaultEndpointsProtocol=http;AccountName={development.ACCOUNT};"
        f"AccountKey={development.ACCOUNT_KEY};BlobEndpoint={account}"
    )
    with BlobServiceClient.from_connection_string(text, retry_total=0) as client:
        client.create_container("data").upload_blob("a/b.txt", b"text")
    sas = generate_blob_sas(
        development.ACCOUNT,
        "data",
        "a/b.txt",
        account_key=development.ACCOUNT_KEY,
        permission=BlobSasPermissions(read=True),
        expiry=datetime.now(timezone.utc) + timedelta(hours=1),
    )
    host = {"Host": f"{development.ACCOUNT}.blob.core.windows.net"}
    assert requests.get(f"{url}/data/a/b.txt?{sas}", headers=host, timeout=10).content == b"text"
    assert requests.get(f"{account}/data/a/b.txt?{sas}", timeout=10).content == b"text"
    # Files does not see containers, neither as shares nor by the name of their folder.
    for share in ("data", "_blob/data"):
        answer = requests.get(f"{url}/{development.ACCOUNT}/{share}/a/b.txt?{sas}", timeout=10)
        assert answer.status_code == 403
