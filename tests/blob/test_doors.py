"""The two ways to an account's containers: in the emulator's own path, and as Azure's host."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
import requests
from azure.storage.blob import (
    AccountSasPermissions,
    BlobSasPermissions,
    BlobServiceClient,
    ResourceTypes,
    generate_account_sas,
    generate_blob_sas,
)

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


def test_a_port_of_its_own_has_the_account_right_at_the_paths_beginning(tmp_path: Path) -> None:
    """Clients that take the path's first part for the account sign the right name there."""
    home = tmp_path / "home"
    server = EmulatorServer(EmulatorSettings(home, only="files", development_credentials=True))
    address = server.start()
    account = f"{address.blob_url}/{development.ACCOUNT}"
    text = (
        f"DefaultEndpointsProtocol=http;AccountName={development.ACCOUNT};"
        f"AccountKey={development.ACCOUNT_KEY};BlobEndpoint={account}"
    )
    with closing(server), BlobServiceClient.from_connection_string(text, retry_total=0) as client:
        client.create_container("data").upload_blob("a", b"text")
        other = text.replace(account, f"{address.url}/blob/{development.ACCOUNT}")
        with BlobServiceClient.from_connection_string(other, retry_total=0) as same:
            assert [blob.name for blob in same.get_container_client("data").list_blobs()] == ["a"]
        query = generate_account_sas(
            development.ACCOUNT,
            development.ACCOUNT_KEY,
            ResourceTypes(service=True),
            AccountSasPermissions(list=True),
            datetime.now(timezone.utc) + timedelta(hours=1),
        )
        listed = requests.get(f"{account}/?comp=list&{query}", timeout=10).text
        assert f'ServiceEndpoint="{account}/"' in listed
        assert requests.get(f"{address.blob_url}/subscriptions?api-version=x", timeout=10).status_code != 200
        assert requests.get(f"{address.blob_url}/UPPER", timeout=10).status_code == 404
    again = EmulatorServer(EmulatorSettings(home, only="files", development_credentials=True))
    with closing(again):
        assert again.start().blob_url != address.url


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
