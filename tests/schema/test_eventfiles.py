"""Event files of TensorBoard: what two writers of them wrote, whole, growing, and damaged."""

from __future__ import annotations

import random
import struct

import pytest

from batchai_scenario.schema.eventfiles import EventsReader, _masked, reader_of
from batchai_scenario.schema.measured import LinesReader
from tests.schema.eventbytes import FLOATS, TENSORS


def read(*pieces: bytes) -> dict[str, list[list[object]]]:
    reader = EventsReader()
    for piece in pieces:
        reader.feed(piece)
    return {one["name"]: one["points"] for one in reader.series("f")}


def record(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", _masked(head)) + data + struct.pack("<I", _masked(data))


LOSS = [
    [0, "2018-06-06T12:00:00+00:00", 2.0],
    [10, "2018-06-06T12:00:01+00:00", 1.0],
    [20, "2018-06-06T12:00:02+00:00", None],
    [30, "2018-06-06T12:00:03+00:00", 0.5],
]


def test_floats_and_tensors_are_read() -> None:
    assert read(FLOATS) == {"loss": LOSS}
    assert [point[::2] for point in read(TENSORS)["accuracy"]] == [[1, 0.25], [2, 0.75]]


def test_a_file_may_be_read_in_any_pieces() -> None:
    assert read(*(bytes([byte]) for byte in FLOATS)) == {"loss": LOSS}


def test_of_a_file_that_is_cut_or_damaged_what_is_whole_before_it_counts() -> None:
    assert read(FLOATS[:100]) == {"loss": LOSS[:1]}
    broken = bytearray(FLOATS)
    broken[150] ^= 1
    assert read(bytes(broken)) == {"loss": LOSS[:2]}
    assert read(b"no event file at all, but some text of some length") == {}
    assert read(b"\xff" * 1000) == {}


def test_a_graph_of_any_size_is_passed_over() -> None:
    graph = record(b"\x22" + b"\xff" * 300_000)
    assert read(graph + FLOATS) == {"loss": LOSS}
    assert read(graph[:1000], graph[1000:200_000], graph[200_000:] + FLOATS[:50], FLOATS[50:]) == {
        "loss": LOSS
    }


def test_whole_records_of_unknown_forms_are_passed_over() -> None:
    chance = random.Random(7)
    junk = b"".join(record(chance.randbytes(chance.randrange(60))) for _ in range(500))
    found = read(junk + FLOATS)
    assert found["loss"][-4:] == LOSS


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("metrics.jsonl", LinesReader),
        ("sub/metrics.jsonl", type(None)),
        ("logs/train/events.out.tfevents.1528286400.host", EventsReader),
        ("model.bin", type(None)),
    ],
)
def test_a_files_name_says_what_it_is(path: str, kind: type) -> None:
    assert type(reader_of(path)) is kind
