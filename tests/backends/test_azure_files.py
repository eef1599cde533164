"""Uploads survive a crash: a half-sent file is known as such and sent again (B2)."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from batchai_scenario.backends.azure.backend import AzureBackend
from batchai_scenario.backends.azure.clients import Retries
from batchai_scenario.backends.base import BackendOptions, Upload
from batchai_scenario.backends.errors import Unreachable, UserError
from batchai_scenario.backends.local import open_backend
from batchai_scenario.backends.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batchai_scenario.backends.base import Backend

SIZE = 3 * 4 * 1024 * 1024 + 5


class Breaking(HTTPAdapter):
    """Carries requests until ``breaks`` says that the line broke for good."""

    def __init__(self, breaks: Callable[[requests.PreparedRequest], bool]) -> None:
        super().__init__()
        self.breaks = breaks
        self.broken = False
        self.methods: list[str] = []

    def send(self, request: requests.PreparedRequest, *more: Any, **named: Any) -> requests.Response:
        self.broken = self.broken or self.breaks(request)
        if self.broken:
            raise requests.ConnectionError("the line broke")
        self.methods.append(f"{request.method} {'comp=range' if 'comp=range' in str(request.url) else ''}")
        return super().send(request, *more, **named)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Backend]:
    backend = open_backend(BackendOptions(tmp_path / "home"))
    backend.ensure_share("share")
    yield backend
    backend.close()


def broken_client(local: Backend, breaks: Callable[[requests.PreparedRequest], bool]) -> AzureBackend:
    assert isinstance(local, AzureBackend)
    return AzureBackend(
        local._settings,
        adapter=Breaking(breaks),
        retries=Retries(0, 0.0),
    )


@pytest.mark.parametrize("ending", ["comp=range", "comp=properties"])
@pytest.mark.parametrize("before", [None, b"an older file of the same size"])
def test_a_half_sent_file_is_sent_again(
    ending: str, before: bytes | None, local: Backend, tmp_path: Path
) -> None:
    source = tmp_path / "data.bin"
    file = Upload(source, "share", "folder/data.bin")
    if before is not None:
        source.write_bytes(before.ljust(SIZE, b"."))
        local.upload([file])
    source.write_bytes(bytes(index % 251 for index in range(SIZE)))
    seen: list[int] = []

    def breaks(request: requests.PreparedRequest) -> bool:
        if ending in str(request.url):
            seen.append(1)
        return len(seen) == (3 if ending == "comp=range" else 1)

    client = broken_client(local, breaks)
    with pytest.raises(Unreachable):
        client.upload([file])
    client.close()
    assert local.upload([file]).sent == 1
    assert b"".join(local.read_share("share", "folder/data.bin")) == source.read_bytes()
    assert local.upload([file]).unchanged == 1


def test_a_file_that_somebody_else_changed_is_sent_again(local: Backend, tmp_path: Path) -> None:
    source = tmp_path / "data.txt"
    source.write_text("as uploaded")
    file = Upload(source, "share", "data.txt")
    local.upload([file])
    (held,) = (tmp_path / "home" / "storage").rglob("data.txt")
    held.write_text("by the job!")  # as long as before
    assert local.upload([file]).sent == 1
    assert b"".join(local.read_share("share", "data.txt")) == b"as uploaded"


def test_an_unchanged_file_costs_one_request(local: Backend, tmp_path: Path) -> None:
    source = tmp_path / "data.bin"
    source.write_bytes(b"x" * SIZE)
    file = Upload(source, "share", "data.bin")
    local.upload([file])
    client = broken_client(local, lambda _: False)
    assert client.upload([file]).unchanged == 1
    adapter = client._clients._adapter
    assert isinstance(adapter, Breaking)
    assert adapter.methods == ["HEAD "]
    client.close()


def test_a_file_that_changes_while_it_is_sent_is_not_called_whole(local: Backend, tmp_path: Path) -> None:
    source = tmp_path / "data.txt"
    source.write_text("first")
    file = Upload(source, "share", "data.txt")

    def meddle(_path: str, _done: int, _total: int) -> None:
        source.write_text("second and longer")

    with pytest.raises(UserError, match="changed while"):
        local.upload([file], meddle)
    assert local.upload([file]).sent == 1


def test_empty_files_and_odd_names_arrive(local: Backend, tmp_path: Path) -> None:
    source = tmp_path / "empty"
    source.touch()
    names = ["a b/c+d.txt", "100%/50% off.txt", "ümläut/ß.txt", "a&b=c;d,e.txt"]
    report = local.upload([Upload(source, "share", name) for name in names])
    assert (report.sent, report.sent_bytes) == (4, 0)
    found = [
        entry.path for folder in ("", "a b", "100%", "ümläut") for entry in local.list_share("share", folder)
    ]
    assert set(names) <= set(found)
    assert [b"".join(local.read_share("share", name)) for name in names] == [b""] * 4


@pytest.mark.parametrize("backend", ["local", "memory"])
@pytest.mark.parametrize("name", ["dangling", "socket"])
def test_nothing_is_sent_beside_what_cannot_be(
    name: str, backend: str, local: Backend, tmp_path: Path
) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mknod(tmp_path / "socket", stat.S_IFSOCK | 0o600)  # as a FIFO, but nobody waits for its writer
    (tmp_path / "good").write_text("good")
    one: Backend = local if backend == "local" else MemoryBackend()
    one.ensure_share("share")
    with pytest.raises(UserError) as refused:
        one.upload([Upload(tmp_path / "good", "share", "good"), Upload(tmp_path / name, "share", "x")])
    assert refused.value.field == str(tmp_path / name)
    assert one.list_share("share") == []
