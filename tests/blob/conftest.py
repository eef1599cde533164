"""Fixtures: a served home with an empty container, and the real client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.storage.records import ShareRecord
from tests.blob.serving import BlobServing, blob_client
from tests.storage.serving import ACCOUNT, Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azure.storage.blob import BlobServiceClient, ContainerClient


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlobServing]:
    serving = BlobServing(tmp_path_factory.mktemp("served") / "home")
    with serving:
        yield serving


@pytest.fixture
def served(serving: BlobServing) -> Served:
    """The served home with one empty container, ``data``, and no other."""
    containers = serving.blobs.containers
    for container in containers.list(ACCOUNT):
        containers.discard(containers.delete(ACCOUNT, container))
    containers.create(ACCOUNT, "data", ShareRecord())
    return serving.served


@pytest.fixture
def service(served: Served) -> Iterator[BlobServiceClient]:
    """azure-storage-blob 12, which puts blobs in blocks from 1 MiB on."""
    options = {"max_single_put_size": 1 << 20, "max_block_size": 1 << 20, "max_single_get_size": 1 << 20}
    with blob_client(served, **options) as client:
        yield client


@pytest.fixture
def container(service: BlobServiceClient) -> ContainerClient:
    return service.get_container_client("data")


@pytest.fixture
def folder(served: Served) -> Path:
    """The folder of ``data``."""
    return served.home.storage / ACCOUNT / "_blob" / "data"
