"""Fixtures: a served home, and the real clients of its development account."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from azure.storage.fileshare import ShareServiceClient, aio

from batchai_scenario.emulator.storage.records import ShareRecord
from tests.storage.driving import Driven
from tests.storage.serving import ACCOUNT, KEY, Served, Serving, assemble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.storage.file import FileService

LIMITS: dict[str, Any] = {
    "retry_total": 0,
    "max_range_size": 512 * 1024,
    "max_single_get_size": 256 * 1024,
    "max_chunk_get_size": 256 * 1024,
}
"""How requests are cut and tried by the newest client."""


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A home that is served while the tests of a module run."""
    with Serving(assemble(tmp_path_factory.mktemp("served") / "home")) as served:
        yield served


@pytest.fixture
def served(serving: Served) -> Served:
    """The served home with one empty share, ``data``, and nothing else."""
    for share in serving.shares.list(ACCOUNT):
        for snapshot in serving.shares.snapshots(ACCOUNT, share):
            serving.shares.discard(serving.shares.delete_snapshot(ACCOUNT, share, snapshot))
        serving.shares.discard(serving.shares.delete(ACCOUNT, share))
    for folder in serving.home.storage.iterdir():
        if folder.name not in (ACCOUNT, ".staging"):
            serving.accounts.delete(folder.name)
            shutil.rmtree(folder)
    for stray in (serving.home.storage / ACCOUNT).iterdir():
        stray.unlink()
    serving.shares.create(ACCOUNT, "data", ShareRecord())
    return serving


@pytest.fixture
def client(served: Served) -> FileService:
    """SDK 2.1.0 on the served home."""
    return served.client()


@pytest.fixture(params=["sync", "aio"])
def service(request: pytest.FixtureRequest, served: Served) -> Iterator[Any]:
    """The newest client, synchronous and asynchronous, of the development account."""
    text = (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
        f"FileEndpoint={served.url}/{ACCOUNT}"
    )
    if request.param == "sync":
        with ShareServiceClient.from_connection_string(text, **LIMITS) as client:
            yield client
        return
    loop = asyncio.new_event_loop()
    driven = Driven(loop, aio.ShareServiceClient.from_connection_string(text, **LIMITS))
    yield driven
    driven.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.fixture
def share(service: Any) -> Any:
    """The empty share ``data``."""
    return service.get_share_client("data")
