"""Fixtures: a served home, and the real client of its development account."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from batchai_scenario.emulator.storage.records import ShareRecord
from tests.storage.serving import ACCOUNT, Served, Serving, assemble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.storage.file import FileService


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
