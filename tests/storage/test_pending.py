"""Copies that take their time: pending, complete, aborted, broken off."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.fileshare import ShareClient

from batchai_scenario.emulator.storage.records import ShareRecord
from tests.storage.serving import ACCOUNT, KEY, Serving, assemble

if TYPE_CHECKING:
    from pathlib import Path

    from tests.storage.serving import Served


def _share(served: Served) -> ShareClient:
    return ShareClient.from_share_url(f"{served.url}/{ACCOUNT}/data", credential=KEY, retry_total=0)


def _code(refused: pytest.ExceptionInfo[HttpResponseError]) -> str:
    return str(refused.value.error_code)  # type: ignore[attr-defined]


def _staged(served: Served) -> list[str]:
    names = (path.name for path in (served.home.storage / ".staging").iterdir())
    return [name for name in names if not name.startswith(("draft-", "note-"))]


def test_a_copy_is_pending_and_then_complete(tmp_path: Path) -> None:
    with Serving(assemble(tmp_path / "home", copy_seconds=0.3)) as served, _share(served) as share:
        served.shares.create(ACCOUNT, "data", ShareRecord())
        source, target = share.get_file_client("f"), share.get_file_client("g")
        source.upload_file(b"content", metadata={"kept": "yes"})
        begun = target.start_copy_from_url(source.url)
        assert begun["copy_status"] == "pending"
        found = target.get_file_properties()
        assert (found.copy.status, found.copy.progress, found.size) == ("pending", "0/7", 7)
        with pytest.raises(HttpResponseError) as busy:
            target.start_copy_from_url(source.url)
        assert _code(busy) == "PendingCopyOperation"
        source.upload_file(b"another")  # what is copied is what was there when the copy began
        deadline = time.monotonic() + 20
        while target.get_file_properties().copy.status == "pending":
            assert time.monotonic() < deadline
        found = target.get_file_properties()
        assert (found.copy.status, found.copy.progress) == ("success", "7/7")
        assert (target.download_file().readall(), found.metadata) == (b"content", {"kept": "yes"})
        assert found.copy.id == begun["copy_id"]
        with pytest.raises(HttpResponseError) as over:
            target.abort_copy(str(begun["copy_id"]))
        assert _code(over) == "NoPendingCopyOperation"
        assert _staged(served) == []


def test_what_is_written_to_the_target_meanwhile_stays(tmp_path: Path) -> None:
    with Serving(assemble(tmp_path / "home", copy_seconds=0.5)) as served, _share(served) as share:
        served.shares.create(ACCOUNT, "data", ShareRecord())
        source, target = share.get_file_client("f"), share.get_file_client("g")
        source.upload_file(b"content")
        target.start_copy_from_url(source.url)
        target.upload_file(b"newer")
        deadline = time.monotonic() + 20
        while _staged(served):  # the copy's end removes what it was to be made of
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert target.download_file().readall() == b"newer"
        assert target.get_file_properties().copy.status is None


def test_a_pending_copy_is_aborted(tmp_path: Path) -> None:
    with Serving(assemble(tmp_path / "home", copy_seconds=600)) as served, _share(served) as share:
        served.shares.create(ACCOUNT, "data", ShareRecord())
        source, target = share.get_file_client("f"), share.get_file_client("g")
        source.upload_file(b"content")
        begun = target.start_copy_from_url(source.url)
        with pytest.raises(HttpResponseError) as other:
            target.abort_copy("11111111-2222-3333-4444-555555555555")
        assert _code(other) == "CopyIdMismatch"
        target.abort_copy(str(begun["copy_id"]))
        found = target.get_file_properties()
        assert (found.copy.status, found.size) == ("aborted", 0)
        assert _staged(served) == []


def test_what_the_end_of_the_emulator_broke_off_has_failed(tmp_path: Path) -> None:
    with Serving(assemble(tmp_path / "home", copy_seconds=600)) as served, _share(served) as share:
        served.shares.create(ACCOUNT, "data", ShareRecord())
        share.get_file_client("f").upload_file(b"content")
        share.get_file_client("g").start_copy_from_url(share.get_file_client("f").url)
    with Serving(assemble(tmp_path / "home")) as served, _share(served) as share:
        found = share.get_file_client("g").get_file_properties()
        assert found.copy.status == "failed"
        assert "ended" in (found.copy.status_description or "")
        assert _staged(served) == []
