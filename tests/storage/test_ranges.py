"""List Ranges: pages of 512 bytes, what was cleared, and what has changed since a snapshot."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.fileshare import ShareClient
from hypothesis import given
from hypothesis import strategies as some

from batchai_scenario.emulator.storage import changes, written
from tests.storage.serving import ACCOUNT, KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.storage.fileshare import ShareFileClient

    from tests.storage.serving import Served

SIZE = 8 * written.PAGE
ENDS = some.tuples(some.integers(0, SIZE - 1), some.integers(0, SIZE - 1)).map(sorted)


@pytest.fixture
def share(served: Served) -> Iterator[ShareClient]:
    url = f"{served.url}/{ACCOUNT}/data"
    with ShareClient.from_share_url(url, credential=KEY, retry_total=0) as client:
        yield client


def _ranges(file: ShareFileClient, **options: object) -> list[tuple[str, int, int]]:
    found = file.list_ranges(**options)  # type: ignore[arg-type]
    return [("clear" if item.cleared else "range", item.start, item.end) for item in found]


@given(some.lists(some.tuples(some.booleans(), ENDS), max_size=12), ENDS)
def test_ranges_are_those_of_a_list_of_pages(steps: list[tuple[bool, list[int]]], asked: list[int]) -> None:
    """Against a model that marks every page."""
    pages = [False] * 8
    ranges: written.Ranges = []
    for is_write, (first, last) in steps:
        ranges = written.add(ranges, first, last) if is_write else written.clear(ranges, first, last, SIZE)
        for page in range(8):
            start, end = page * written.PAGE, (page + 1) * written.PAGE - 1
            if is_write and first <= end and last >= start:
                pages[page] = True
            elif not is_write and first <= start and last >= end:
                pages[page] = False
    assert [written.holds(ranges, byte) for byte in range(0, SIZE, 100)] == [
        pages[byte // written.PAGE] for byte in range(0, SIZE, 100)
    ]
    assert all(one[1] + 1 < two[0] for one, two in itertools.pairwise(ranges))
    inside = {byte for low, high in written.within(ranges, *asked) for byte in range(low, high + 1)}
    assert inside == {byte for byte in range(asked[0], asked[1] + 1) if pages[byte // written.PAGE]}


def test_pages_are_told_up_to_the_end_of_the_file(share: ShareClient) -> None:
    file = share.get_file_client("f")
    file.create_file(1500)
    assert _ranges(file) == []
    file.upload_range(b"x", 700, 1)
    assert _ranges(file) == [("range", 512, 1023)]
    file.upload_range(b"x", 1499, 1)
    assert _ranges(file) == [("range", 512, 1499)]
    file.clear_range(512, 512)
    assert _ranges(file) == [("range", 1024, 1499)]
    assert _ranges(file, offset=1200, length=100) == [("range", 1200, 1299)]
    file.resize_file(1024)
    file.resize_file(4096)
    assert _ranges(file) == []


def test_what_is_cleared_is_told_even_if_it_was_zeros(share: ShareClient) -> None:
    file = share.get_file_client("f")
    file.create_file(4096)
    file.upload_range(bytes(2048), 0, 2048)
    snapshot = share.create_snapshot()
    file.clear_range(512, 512)
    file.upload_range(b"x" * 512, 3584, 512)
    expected = [("clear", 512, 1023), ("range", 3584, 4095)]
    assert _ranges(file, previous_sharesnapshot=snapshot) == expected
    assert _ranges(file, previous_sharesnapshot=snapshot, results_per_page=1) == expected
    assert _ranges(file, offset=512, length=512, previous_sharesnapshot=snapshot) == expected[:1]


def test_what_was_written_and_cleared_since_a_snapshot_is_told_as_cleared(share: ShareClient) -> None:
    file = share.get_file_client("f")
    file.create_file(2048)
    first = share.create_snapshot()
    file.upload_range(b"x" * 1536, 0, 1536)
    second = share.create_snapshot()
    file.clear_range(512, 512)
    told = [("range", 0, 511), ("clear", 512, 1023), ("range", 1024, 1535)]
    assert _ranges(file, previous_sharesnapshot=first) == told
    assert _ranges(file, previous_sharesnapshot=second) == told[1:2]
    third = share.create_snapshot()
    assert _ranges(file, previous_sharesnapshot=third) == []
    file.upload_range(b"x" * 512, 512, 512)
    assert _ranges(file, previous_sharesnapshot=second) == []


def test_changes_between_two_snapshots(share: ShareClient) -> None:
    file = share.get_file_client("f")
    file.create_file(1024)
    first = share.create_snapshot()
    file.upload_range(b"x" * 512, 0, 512)
    second = share.create_snapshot()
    file.upload_range(b"x" * 512, 512, 512)
    with ShareClient.from_share_url(share.url, credential=KEY, snapshot=second) as then:
        found = _ranges(then.get_file_client("f"), previous_sharesnapshot=first)
    assert found == [("range", 0, 511)]


def test_a_renamed_file_is_found_if_that_is_asked_for(share: ShareClient) -> None:
    share.create_directory("d")
    file = share.get_file_client("d/f")
    file.upload_file(b"x" * 1024)
    snapshot = share.create_snapshot()
    moved = file.rename_file("d/g")
    share.get_directory_client("d").rename_directory("e")
    moved = share.get_file_client("e/g")
    moved.upload_range(b"y" * 512, 512, 512)
    with pytest.raises(ResourceExistsError) as refused:
        _ranges(moved, previous_sharesnapshot=snapshot)
    assert refused.value.error_code == "PreviousSnapshotNotFound"  # type: ignore[attr-defined]
    found = _ranges(moved, previous_sharesnapshot=snapshot, headers={"x-ms-file-support-rename": "true"})
    assert found == [("range", 512, 1023)]


def test_a_missing_snapshot_is_a_conflict(share: ShareClient) -> None:
    file = share.get_file_client("f")
    file.upload_file(b"x")
    with pytest.raises(ResourceExistsError) as refused:
        _ranges(file, previous_sharesnapshot="2019-05-17T23:41:28.0000000Z")
    assert refused.value.error_code == "PreviousSnapshotNotFound"  # type: ignore[attr-defined]


def test_renames_are_followed_back_in_time() -> None:
    renames = [["1", "a", "b"], ["3", "b/c", "d"], ["5", "d", "e"]]
    assert changes.path_then(renames, "e", "2") == "b/c"
    assert changes.path_then(renames, "e", "0") == "a/c"
    assert changes.path_then(renames, "e", "6") == "e"
    assert changes.path_then(renames, "d/x", "2", "4") == "b/c/x"
    assert changes.path_then(renames, "ee", "0") == "ee"


def test_what_a_job_wrote_is_told_as_the_disk_has_it(served: Served, share: ShareClient) -> None:
    file = share.get_file_client("f")
    file.create_file(3 * 65536)
    with (served.folder("data") / "f").open("r+b") as opened:
        opened.seek(65536)
        opened.write(b"x" * 65536)
    assert _ranges(file) == [("range", 65536, 131071)]
